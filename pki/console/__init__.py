"""Certificates on pages: the request desk, and certificates with what revoking them means.

Nothing is decided here: each act is the interface's own (``desk_api.py``, ``revocation_api.py``), by the same
permission, with the same body.
"""
