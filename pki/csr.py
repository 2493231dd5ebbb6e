"""Certification requests (RFC 2986): read, limited, judged; one function judges content for every protocol. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki import der, names
from pki.errors import BadRequest, BrokenProof, ForbiddenExtension, ForeignName, RequestTooLarge, WeakKey
from pki.names import Holder

#: Most octets of a request: an honest one has under two thousand.
LARGEST = 65_536

#: RSA below this is refused (GB/T 39786 asks for strength of 112 bits and more; 3072 bits give 128).
SHORTEST_RSA = 3072

#: Parts of a CertificationRequestInfo (RFC 2986, 4.1): version 0, ``attributes``, extensionRequest (RFC 2985, 5.4.2).
_VERSION, _ATTRIBUTES = bytes.fromhex("020100"), 0xA0
_EXTENSION_REQUEST = der.object_identifier("1.2.840.113549.1.9.14")

#: Stands where the form wants a signature: nobody looks at it.
_NO_SIGNATURE = bytes.fromhex("3006020101020101")

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class CertificationRequest:
    """A request whose key is proved and strong enough; ``spki`` is the DER SubjectPublicKeyInfo.

    ``identifiers`` are URIs: a renewal repeats the one by which the register names its holder.
    """

    subject: x509.Name
    key: PublicKey
    spki: bytes
    hosts: tuple[str, ...]
    extensions: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()


def parse_request(content: bytes) -> CertificationRequest:
    """Read a PEM or DER request. Raises ``RequestTooLarge``, ``BadRequest``, ``WeakKey``, ``BrokenProof``."""
    if len(content) > LARGEST:
        raise RequestTooLarge(f"the request has {len(content)} octets, more than {LARGEST}")
    request = _load(content)
    read, proved = _content(request)
    if not proved:
        raise BrokenProof("the request's signature does not verify", hint="make the request with the key it names")
    return read


def parse_template(subject: bytes, spki: bytes, extensions: bytes) -> CertificationRequest:
    """Read what another form of request asks for (DER, ``extensions`` may be empty), its key not proved yet.

    It is laid out as a request of the one form whose reading is all that there is. Raises ``BadRequest``, ``WeakKey``.
    """
    asked = der.encode(der.SEQUENCE, _EXTENSION_REQUEST, der.encode(der.SET, extensions)) if extensions else b""
    info = der.encode(der.SEQUENCE, _VERSION, subject, spki, der.encode(_ATTRIBUTES, asked))
    return _content(_load(der.signed(info, _NO_SIGNATURE)), check=False)[0]


def _content(request: x509.CertificateSigningRequest, *, check: bool = True) -> tuple[CertificationRequest, bool]:
    """Return what a request says, and whether its own signature proves its key."""
    try:
        key = _strong_key(request)
        proved = check and request.is_signature_valid
        extensions = list(request.extensions)
        # Decoded when it is first asked for: ask here, where what cannot be read is refused.
        subject = request.subject
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature, x509.DuplicateExtension) as error:
        raise BadRequest(f"the request cannot be read: {error}") from error
    hosts, addresses, identifiers = _names(extensions)
    read = CertificationRequest(
        subject=subject,
        key=key,
        spki=key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        hosts=hosts,
        addresses=addresses,
        identifiers=identifiers,
        extensions=tuple(one.oid.dotted_string for one in extensions if not _is_harmless(one)),
    )
    return read, proved


def normalise(content: bytes) -> bytes:
    """Return a request in the one PEM spelling, whatever stands around it. Raises ``BadRequest``."""
    return _load(content).public_bytes(Encoding.PEM)


def check_content(
    request: CertificationRequest,
    holder: Holder,
    *,
    allowed_hosts: Sequence[str] = (),
    allowed_addresses: Sequence[str] = (),
) -> None:
    """Raise unless the request says only what the register says of ``holder``.

    Names in the certificate come from the register in any case; a request that says otherwise is a mistake or worse,
    and is told so. Raises ``WildcardName``, ``ForeignName``, ``ForbiddenExtension``.
    """
    if request.extensions:
        raise ForbiddenExtension(f"the request asks for extension {request.extensions[0]}", hint="ask without it")
    names.check_subject(holder, request.subject, hosts=allowed_hosts)
    names.check_hosts(holder, request.hosts)
    for host in request.hosts:
        if host not in allowed_hosts:
            raise ForeignName(f"the request names the host `{host}`, which was not asked for", hint="give --dns-name")
    for address in request.addresses:
        if address not in allowed_addresses:
            raise ForeignName(f"the request names the address `{address}`, which was not asked for")
    for identifier in request.identifiers:
        if identifier != names.urn(holder):
            raise ForeignName(f"the request names `{identifier[:200]}`, which only the register can say")


def _load(content: bytes) -> x509.CertificateSigningRequest:
    try:
        if content.lstrip().startswith(b"-----BEGIN"):
            return x509.load_pem_x509_csr(content)
        return x509.load_der_x509_csr(content)
    except (ValueError, TypeError, x509.InvalidVersion) as error:
        raise BadRequest("the request cannot be read as PEM or DER", hint="see `guosuo cert csr --help`") from error


def _strong_key(request: x509.CertificateSigningRequest) -> PublicKey:
    key = request.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < SHORTEST_RSA:
            raise WeakKey(f"an RSA key of {key.key_size} bits is too short", hint=f"at least {SHORTEST_RSA}, or P-256")
        if key.public_numbers().e < 65_537:
            raise WeakKey("the RSA exponent is too small", hint="use 65537")
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
        return key
    raise WeakKey(f"a key of kind {type(key).__name__} is not accepted", hint="use P-256, P-384 or RSA from 3072 bits")


def _names(extensions: "Sequence[x509.Extension[x509.ExtensionType]]") -> tuple[tuple[str, ...], ...]:
    """Return the host names, the addresses and the URIs of a request. Raises ``ForeignName`` for any other name."""
    hosts, addresses, identifiers = [], [], []
    for extension in extensions:
        if not isinstance(extension.value, x509.SubjectAlternativeName):
            continue
        for name in extension.value:
            if isinstance(name, x509.DNSName):
                hosts.append(name.value)
            elif isinstance(name, x509.IPAddress):
                addresses.append(str(name.value))
            elif isinstance(name, x509.UniformResourceIdentifier):
                identifiers.append(name.value)
            else:
                raise ForeignName(f"the request names `{name.value}`, which only the register can say")
    return tuple(hosts), tuple(addresses), tuple(identifiers)


def _is_harmless(extension: "x509.Extension[x509.ExtensionType]") -> bool:
    value = extension.value
    if isinstance(value, x509.BasicConstraints):
        return not value.ca
    harmless = (x509.SubjectAlternativeName, x509.KeyUsage, x509.ExtendedKeyUsage, x509.SubjectKeyIdentifier)
    return isinstance(value, harmless)
