"""Certificates alone in the frame of a signed message (RFC 5652, 5; "certs-only", RFC 8551, 3.8). Pure."""

from collections.abc import Sequence

from pki import der

_SIGNED_DATA, _DATA = der.object_identifier("1.2.840.113549.1.7.2"), der.object_identifier("1.2.840.113549.1.7.1")

#: ``content`` of ContentInfo, and ``certificates`` of SignedData, have the same tag in two places.
_TAG_0 = 0xA0


def certificates_only(certificates: Sequence[bytes]) -> bytes:
    """Return a SignedData that nobody signed, which holds these certificates (DER)."""
    # A SET OF has its members in the order of their octets (X.690, 11.6).
    inside = der.encode(
        der.SEQUENCE,
        der.integer(1),
        der.encode(der.SET),
        der.encode(der.SEQUENCE, _DATA),
        der.encode(_TAG_0, *sorted(certificates)),
        der.encode(der.SET),
    )
    return der.encode(der.SEQUENCE, _SIGNED_DATA, der.encode(_TAG_0, inside))
