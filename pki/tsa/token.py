"""The token: TSTInfo (RFC 3161, 2.4.2) in a SignedData (RFC 5652, 5) that names its signer by ESSCertIDv2. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from core.identity import Serial
from pki import der

_BOOLEAN, _SET = 0x01, 0x31

#: SHA-256 as an AlgorithmIdentifier without parameters (RFC 5754, 2).
_SHA256 = bytes.fromhex("300b0609608648016503040201")

#: OBJECT IDENTIFIERs id-signedData, id-ct-TSTInfo, id-contentType, id-messageDigest (RFC 5652, 5.1 and 11; RFC 3161).
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_TST_INFO = bytes.fromhex("060b2a864886f70d0109100104")
_CONTENT_TYPE, _MESSAGE_DIGEST = bytes.fromhex("06092a864886f70d010903"), bytes.fromhex("06092a864886f70d010904")

#: OBJECT IDENTIFIER id-aa-signingCertificateV2 (RFC 5035, 3; RFC 5816, 2.2.1).
_SIGNING_CERTIFICATE = bytes.fromhex("060b2a864886f70d010910022f")


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a token says. ``imprint``, ``policy`` and ``nonce`` are DER as in the request; ``at`` in whole milliseconds.

    ``name`` is the authority's Name (DER), the subject of its certificate.
    """

    serial: Serial
    at: datetime
    accuracy: timedelta
    imprint: bytes
    policy: bytes
    nonce: bytes | None
    name: bytes


def tst_info(stamp: Stamp) -> bytes:
    """Return the TSTInfo; its tokens can be ordered by their times alone, which never repeat (``ordering``)."""
    return der.encode(
        der.SEQUENCE,
        der.integer(1),
        stamp.policy,
        stamp.imprint,
        der.integer(int(stamp.serial, 16)),
        generalized_time(stamp.at),
        _accuracy(stamp.accuracy),
        der.encode(_BOOLEAN, b"\xff"),
        stamp.nonce or b"",
        # tsa: [0] EXPLICIT GeneralName, of which a directoryName is [4] EXPLICIT.
        der.encode(0xA0, der.encode(0xA4, stamp.name)),
    )


def generalized_time(moment: datetime) -> bytes:
    """Return a GeneralizedTime with milliseconds, none of them written that is a zero at the end (RFC 3161, 2.4.2)."""
    moment = moment.astimezone(UTC)
    fraction = f".{moment.microsecond // 1000:03d}".rstrip("0").rstrip(".")
    return der.encode(der.GENERALIZED_TIME, f"{moment:%Y%m%d%H%M%S}{fraction}Z".encode("ascii"))


def signed_attributes(info: bytes, certificate: x509.Certificate) -> bytes:
    """Return what is signed: the attributes as a SET OF in DER (RFC 5652, 5.4)."""
    attributes = [
        _attribute(_CONTENT_TYPE, _TST_INFO),
        _attribute(_MESSAGE_DIGEST, der.encode(der.OCTET_STRING, hashlib.sha256(info).digest())),
        _attribute(_SIGNING_CERTIFICATE, _signing_certificate(certificate)),
    ]
    return der.encode(_SET, *sorted(attributes))


def assemble(
    info: bytes, attributes: bytes, signature: bytes, certificate: x509.Certificate, shown: Sequence[bytes]
) -> bytes:
    """Return the token (ContentInfo, DER) of a signature over ``attributes``; ``shown`` certificates go with it."""
    content = der.encode(der.SEQUENCE, _TST_INFO, der.encode(0xA0, der.encode(der.OCTET_STRING, info)))
    signer = der.encode(
        der.SEQUENCE,
        der.integer(1),
        der.encode(der.SEQUENCE, certificate.issuer.public_bytes(), der.integer(certificate.serial_number)),
        _SHA256,
        # [0] IMPLICIT: the same content under another tag than what was signed.
        b"\xa0" + attributes[1:],
        der.ECDSA_WITH_SHA256,
        der.encode(der.OCTET_STRING, signature),
    )
    data = der.encode(
        der.SEQUENCE,
        # Version 3, because the content is not of the type id-data (RFC 5652, 5.1).
        der.integer(3),
        der.encode(_SET, _SHA256),
        content,
        der.encode(0xA0, *sorted(shown)) if shown else b"",
        der.encode(_SET, signer),
    )
    return der.encode(der.SEQUENCE, _SIGNED_DATA, der.encode(0xA0, data))


def _attribute(oid: bytes, value: bytes) -> bytes:
    return der.encode(der.SEQUENCE, oid, der.encode(_SET, value))


def _signing_certificate(certificate: x509.Certificate) -> bytes:
    """Return SigningCertificateV2 over one ESSCertIDv2; SHA-256 is its default and so not written (RFC 5035, 4)."""
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    names = der.encode(der.SEQUENCE, der.encode(0xA4, certificate.issuer.public_bytes()))
    by = der.encode(der.SEQUENCE, names, der.integer(certificate.serial_number))
    identifier = der.encode(der.SEQUENCE, der.encode(der.OCTET_STRING, digest), by)
    return der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, identifier))


def _accuracy(accuracy: timedelta) -> bytes:
    """Return Accuracy: seconds, and milliseconds as [0] where there are any."""
    seconds, millis = divmod(accuracy // timedelta(milliseconds=1), 1000)
    parts = [der.integer(seconds)] if seconds else []
    if millis:
        parts.append(der.integer(millis, 0x80))
    return der.encode(der.SEQUENCE, *parts)
