"""Whether what a machine showed is what its challenge asks for (RFC 8555, 8.3 and 8.4; RFC 8737; RFC 8738). Pure."""

import hmac
import ipaddress
from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ObjectIdentifier

from pki import der
from pki.acme import encoding
from pki.acme.errors import NoTls, NotShown
from pki.acme.identifier import Identifier, IdentifierKind

#: The extension that holds the digest (RFC 8737, 3).
ACME_IDENTIFIER = ObjectIdentifier("1.3.6.1.5.5.7.1.31")

#: The protocol that is agreed on in the handshake, and never spoken (RFC 8737, 4).
PROTOCOL = "acme-tls/1"


def check_body(body: bytes, expected: str) -> None:
    """Raise ``NotShown`` unless a file holds the key authorization; white space at its end does not count."""
    if not hmac.compare_digest(body.rstrip(b" \t\r\n"), expected.encode("ascii")):
        raise NotShown(f"the file does not hold the key authorization, but {len(body)} other octets")


def check_texts(texts: Sequence[str], digest: bytes) -> None:
    """Raise ``NotShown`` unless one of the TXT records is the digest of the key authorization."""
    if encoding.encode(digest) not in texts:
        told = f"{len(texts)} other records" if texts else "no record"
        raise NotShown(f"the name has {told} instead of the digest of the key authorization")


def check_certificate(content: bytes, protocol: str | None, identifier: Identifier, digest: bytes) -> None:
    """Raise ``NoTls`` or ``NotShown`` unless a certificate (DER) is the one that the challenge asks for."""
    if protocol != PROTOCOL:
        raise NoTls(f"the machine did not agree on the protocol `{PROTOCOL}`")
    try:
        certificate = x509.load_der_x509_certificate(content)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = certificate.extensions.get_extension_for_oid(ACME_IDENTIFIER)
    except (
        ValueError,
        x509.ExtensionNotFound,
        x509.DuplicateExtension,
        x509.InvalidVersion,
        UnsupportedAlgorithm,
    ) as error:
        raise NotShown("the certificate has no name, or no digest of the key authorization") from error
    if list(names) != [_name(identifier)]:
        raise NotShown("the certificate is for other names than the one that is to be shown")
    assert isinstance(found.value, x509.UnrecognizedExtension)
    if not found.critical or found.value.value != der.encode(der.OCTET_STRING, digest):
        raise NotShown("the certificate does not hold the digest of the key authorization, marked as critical")


def server_name(identifier: Identifier) -> str:
    """Return what the handshake asks for: the host name, or that of the address in reverse (RFC 8738, 6)."""
    if identifier.kind is IdentifierKind.IP:
        return ipaddress.ip_address(identifier.value).reverse_pointer
    return identifier.value


def _name(identifier: Identifier) -> x509.GeneralName:
    if identifier.kind is IdentifierKind.IP:
        return x509.IPAddress(ipaddress.ip_address(identifier.value))
    return x509.DNSName(identifier.value)
