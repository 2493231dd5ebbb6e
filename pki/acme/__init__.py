"""The ACME server (RFC 8555): machines of the register fetch and renew their certificates by themselves.

Start at ``account_api.py``: what a client meets first. Whoever asks is an application of the register: a registration
officer makes a key for it once (``binding.py``), and with that its account is bound to it for good. What must be right
is pure: ``jws.py``, ``jwk.py``, ``identifier.py``, ``state.py``, ``shown.py``, ``window.py``; ``validation.py`` looks
at the machines.
"""
