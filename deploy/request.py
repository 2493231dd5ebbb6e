"""A person's own key and certification request, made where the person is."""

import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.errors import Conflict
from deploy.file import check_target


def make_request(name: str, *, key: Path, out: Path) -> None:
    """Write a new P-256 private key (0600) and a request for ``name``. Raises ``Conflict``, ``NotFound``."""
    for target in (key, out):
        check_target(target)
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.USER_ID, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(private, hashes.SHA256())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_secret(key, pem)
    out.write_bytes(request.public_bytes(serialization.Encoding.PEM))


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
