"""Machines of the register that ask for certificates themselves, by whichever protocol (EST, CMP): who asks, for what.

Start at ``asker.py``. A machine is known by a good certificate of its own, or for the first time by a secret that a
registration officer made for it (``secret.py``); it gets what that proof is for, and nothing else (``requesting.py``).
"""
