"""A person's own key and certification request, made where the person is."""

import os
import re
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import NameOID

from core import durable
from core.errors import Conflict, Malformed
from deploy.file import check_target

_NAME = re.compile(r"[\w.-]{1,80}")


def make_request(name: str, *, key: Path, out: Path) -> None:
    """Write a new P-256 private key (0600) and a request for ``name``.

    Raises ``Malformed``, ``NotFound``, ``Conflict``; then there is neither.
    """
    check_name(name)
    for target in (key, out):
        check_target(target)
    if key.resolve() == out.resolve():
        raise Conflict(f"the request would overwrite the key in `{key}`", hint="name two files")
    durable.write(out, make_key(key, name), mode=0o644)


def make_key(path: Path, name: str = "") -> bytes:
    """Write a new P-256 private key (0600) and return a request (PEM) for it.

    Without a ``name`` the subject is left to the register. Raises ``Conflict``.
    """
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_secret(path, pem)
    return ask_for(private, name)


def ask_for(private: CertificateIssuerPrivateKeyTypes, name: str = "") -> bytes:
    """Return a request (PEM) signed by a key. Without a ``name`` the subject is left to the register."""
    subject = x509.Name([x509.NameAttribute(NameOID.USER_ID, name)] if name else [])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(private, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def check_name(name: str) -> None:
    """Raise ``Malformed`` for what cannot be an id of the register."""
    if not _NAME.fullmatch(name):
        raise Malformed(f"`{name[:80]}` is no id of the register")


def write_secret(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write ``content`` to a new file that only its owner can read. Raises ``Conflict`` when it exists."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise Conflict(f"`{path}` exists already", hint="choose another name; no key is ever overwritten") from error
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
