"""Acts that one person alone may not do: proposed by one, decided on by another, carried out in that very transaction.

Begin with ``acts.yaml`` (which acts, by whom) and ``decision.py`` (what happens when the second person agrees).
"""
