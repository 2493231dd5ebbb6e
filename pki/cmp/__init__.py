"""The Certificate Management Protocol (RFC 9810) as the lightweight profile has it (RFC 9483), over HTTP (RFC 9811).

Start at ``server.py``: one message in, one message out. What must be right is pure: ``message.py`` reads, ``answer.py``
writes, ``mac.py`` and ``protection.py`` protect, ``failure.py`` says in the protocol's words what went wrong.
"""
