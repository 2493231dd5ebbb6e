"""Decisions: who may do what in which security domain, and why.

``policy.py`` loads and lints the policies, ``engine.py`` evaluates them, ``entities.py`` reads the register,
``decision.py`` joins the three and records every answer before it is given. ``application.py``, ``gateway.py`` and
``nginx.py`` put that decision in front of an application. Start reading at ``decision.py``.
"""
