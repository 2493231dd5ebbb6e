"""The certificate that a gateway's peer showed, as nginx passes it on: PEM, percent-encoded in one header. Pure."""

import ssl
from urllib.parse import unquote_to_bytes

from asn1crypto.x509 import Certificate

from authz.errors import BadPeerCertificate

#: Most octets of the header: a certificate of 64 KiB in base64, every character of it encoded, is no honest one.
LONGEST = 96 * 1024

_LARGEST_SERIAL = 1 << 160


def parse_certificate(escaped: str) -> bytes:
    """Return the DER certificate (not judged, nor even parsed). Raises ``BadPeerCertificate``."""
    if len(escaped) > LONGEST:
        raise BadPeerCertificate(f"the certificate is longer than {LONGEST} octets in the gateway's header")
    try:
        text = unquote_to_bytes(escaped).decode("ascii").strip()
        return ssl.PEM_cert_to_DER_cert(text)
    except ValueError as error:
        raise BadPeerCertificate("the certificate that the gateway passed on is no PEM") from error


def claimed_serial(der: bytes) -> str:
    """Return the serial number that an untrusted certificate claims (40 hexadecimal digits); empty for none of ours."""
    try:
        number = Certificate.load(der, strict=True).serial_number
    except (ValueError, TypeError):
        return ""
    return f"{number:040x}" if isinstance(number, int) and 0 < number < _LARGEST_SERIAL else ""
