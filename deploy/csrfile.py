"""Files of certification requests, PEM or DER, as text that can be sent."""

from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import InvalidVersion, load_der_x509_csr

from core.errors import Malformed
from deploy.file import read_bytes, read_text

#: Most octets of a file; how large a request may be says the authority, which records what it refuses.
_LARGEST = 8 * 1024 * 1024


def read_request(path: Path) -> str:
    """Return a request as PEM text; DER is wrapped, size and form are judged by the authority, which records it."""
    content = read_bytes(path, largest=_LARGEST)
    # A sequence of 128 octets and more, as every request is (X.690, 8.1.3.5).
    if content[:2] in (b"0\x81", b"0\x82") and len(content) < 65_536:
        try:
            return load_der_x509_csr(content).public_bytes(Encoding.PEM).decode("ascii")
        except (ValueError, InvalidVersion) as error:
            raise Malformed(f"`{path}` is no certification request", hint="see `guosuo cert csr --help`") from error
    return read_text(path, largest=_LARGEST)
