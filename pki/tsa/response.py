"""The answer: TimeStampResp (RFC 3161, 2.4.2), with a token or with the reason why there is none. Pure."""

from pki import der
from pki.tsa.errors import Failure

_GRANTED, _REJECTION = 0, 2
_UTF8 = 0x0C


def granted(token: bytes) -> bytes:
    """Return the answer with a token."""
    return der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, der.integer(_GRANTED)), token)


def rejected(failure: Failure, text: str) -> bytes:
    """Return the answer without one; ``text`` is for a person."""
    status = der.encode(
        der.SEQUENCE,
        der.integer(_REJECTION),
        der.encode(der.SEQUENCE, der.encode(_UTF8, text.encode("utf-8", "replace"))),
        _failure_info(failure),
    )
    return der.encode(der.SEQUENCE, status)


def _failure_info(failure: Failure) -> bytes:
    """Return a named-bit BIT STRING with one bit set: nothing follows that bit (X.690, 11.2.2)."""
    octets, bit = divmod(failure, 8)
    return der.encode(der.BIT_STRING, bytes([7 - bit]), bytes(octets), bytes([0x80 >> bit]))
