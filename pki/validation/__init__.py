"""Certification path validation (RFC 5280, 6): certificates, lists, a time and parameters in; what is proven out.

Nothing here asks a store, a network or a clock. Start at ``path.validate``; ``process`` is 6.1, ``revocation`` 6.3,
``policy`` the graph of RFC 9618, ``constraints`` 4.2.1.10, ``name`` 7.1; ``certificate`` and ``crl`` read.
Whatever comes in, what is raised is a ``RefusedPath`` with its reason and the section that asks for it.
"""
