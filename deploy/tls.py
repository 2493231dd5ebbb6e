"""Mutual TLS 1.3 of the service itself, at both ends.

A certificate is optional at the handshake, because ``/livez`` is for everybody; whoever shows one must prove its key
and chain to our root. Sessions cannot be resumed (``num_tickets = 0``), and the certificate's status is asked at every
request all the same, since a connection may be older than a revocation.
"""

import ssl
from collections.abc import Iterable
from pathlib import Path


def server_context(*, certificate: Path, key: Path, trusted: Path, between: Iterable[bytes] = ()) -> ssl.SSLContext:
    """Return the context of the service: TLS 1.3 only, no resumption, client certificates under ``trusted`` (PEM).

    ``between`` are certificates (DER) of authorities below ``trusted``. A browser that is not told the names of the
    authorities, which Python's ``ssl`` cannot say, shows its own certificate alone; a path still has to end at a root.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(trusted)
    if found := b"".join(between):
        context.load_verify_locations(cadata=found)
    return context


def open_context(*, certificate: Path, key: Path) -> ssl.SSLContext:
    """Return the context of a server that asks nobody for a certificate: TLS 1.3 only, no resumption."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.load_cert_chain(certificate, key)
    return context


def client_context(*, certificate: Path | None, key: Path | None, trusted: Path, password: str = "") -> ssl.SSLContext:
    """Return a client's context: the server must chain to ``trusted`` (PEM); ours is shown when one is given.

    ``password`` opens the key, when something guards it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(trusted)
    if certificate is not None:
        # Always answered: otherwise OpenSSL would ask at the terminal for the password of an encrypted key.
        context.load_cert_chain(certificate, key, password=lambda: password)
    return context
