"""The ACME server (RFC 8555): machines of the register fetch and renew their certificates by themselves.

Start at ``endpoint.py``: what a client meets. Whoever asks is an application of the register: a registration officer
makes a key for it once (``binding.py``), and with that its account is bound to it for good. ``jws.py``, ``jwk.py``,
``identifier.py``, ``state.py``, ``answer.py`` and ``problem.py`` are pure; ``validation.py`` looks at the machines.
"""
