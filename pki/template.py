"""The to-be-signed certificate by template: what every certificate of a profile has in common is encoded once. Pure.

Filling a template in is a dozen joins of octets, some hundredth of what a general encoder needs. ``cryptography``'s own
encoder stands beside it in the tests, octet for octet; and what comes out is read by ``cryptography`` again and
linted (``lint.py``) before anything is signed.
"""

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from core.identity import Serial
from pki import der, names, pointers
from pki.authorisation import Admitted
from pki.profile import Profile, Usage

_ALTERNATIVE_NAMES, _SUBJECT_KEY = der.object_identifier("2.5.29.17"), der.object_identifier("2.5.29.14")

#: TBSCertificate's version (RFC 5280, 4.1.2.1): v3; subjectPublicKeyInfo's neighbour, the extensions, has tag 3.
_VERSION_3, _EXTENSIONS = bytes.fromhex("a003020102"), 0xA3

#: GeneralName: dNSName, uniformResourceIdentifier, iPAddress (RFC 5280, 4.2.1.6).
_DNS, _URI, _IP = 0x82, 0x86, 0x87


@dataclass(frozen=True, slots=True)
class Template:
    """What the certificates of one profile under one authority share, encoded.

    ``fixed`` holds its extensions as ``cryptography`` has them, for the lint; status pointers are given by shard.
    """

    opening: bytes
    issuer: bytes
    first: bytes
    authority_key: bytes
    status: tuple[bytes, ...]
    fixed: Sequence[tuple[x509.ExtensionType, bool]]
    pointers: tuple[Sequence[tuple[x509.ExtensionType, bool]], ...]


@dataclass(frozen=True, slots=True)
class Filling:
    """What is a certificate's own."""

    serial: Serial
    not_before: datetime
    not_after: datetime
    admitted: Admitted


def compile_template(profile: Profile, authority: x509.Certificate, issuer: str, public_url: str) -> Template:
    """Return the template of ``profile`` under ``authority``, whose status is published under the name ``issuer``."""
    first = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (key_usage(profile), True),
        (x509.ExtendedKeyUsage(profile.oids), False),
    ]
    own = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    above = (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), False)
    access = (pointers.access(public_url, issuer), False)
    status = [[(pointers.distribution(public_url, issuer, shard), False), access] for shard in range(pointers.SHARDS)]
    return Template(
        opening=_VERSION_3,
        issuer=der.ECDSA_WITH_SHA256 + authority.subject.public_bytes(),
        first=_encoded(first),
        authority_key=_encoded([above]),
        status=tuple(_encoded(one) for one in status),
        fixed=(*first, above),
        pointers=tuple(status),
    )


def key_usage(profile: Profile) -> x509.KeyUsage:
    """Return the key usage of a profile: nothing of an authority's, whatever it says."""
    return x509.KeyUsage(
        digital_signature=Usage.DIGITAL_SIGNATURE in profile.usages,
        content_commitment=Usage.CONTENT_COMMITMENT in profile.usages,
        key_encipherment=Usage.KEY_ENCIPHERMENT in profile.usages,
        data_encipherment=False,
        key_agreement=Usage.KEY_AGREEMENT in profile.usages,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def fill(template: Template, filling: Filling) -> bytes:
    """Return the to-be-signed certificate (DER; RFC 5280, 4.1)."""
    admitted = filling.admitted
    spki = admitted.content.spki
    return der.encode(
        der.SEQUENCE,
        template.opening,
        der.encode(der.INTEGER, bytes.fromhex(filling.serial)),
        template.issuer,
        der.encode(der.SEQUENCE, der.time(filling.not_before), der.time(filling.not_after)),
        subject(admitted),
        spki,
        der.encode(
            _EXTENSIONS,
            der.encode(
                der.SEQUENCE,
                template.first,
                der.extension(_ALTERNATIVE_NAMES, alternative_names(admitted)),
                der.extension(_SUBJECT_KEY, der.encode(der.OCTET_STRING, key_identifier(spki))),
                template.authority_key,
                template.status[pointers.shard(filling.serial)],
            ),
        ),
    )


def subject(admitted: Admitted) -> bytes:
    """Return the subject's Name (RFC 5280, 4.1.2.6): a country as PrintableString, all else as UTF8String."""
    parts = (
        der.encode(der.SET, der.encode(der.SEQUENCE, oid, der.encode(_string(oid), value.encode())))
        for oid, value in (
            (_NAMES[name], value) for name, value in names.subject_attributes(admitted.holder, admitted.hosts)
        )
    )
    return der.encode(der.SEQUENCE, *parts)


def alternative_names(admitted: Admitted) -> bytes:
    """Return SubjectAltName (RFC 5280, 4.2.1.6): the holder's URN, then hosts and addresses that were checked."""
    return der.encode(
        der.SEQUENCE,
        der.encode(_URI, names.urn(admitted.holder).encode("ascii")),
        *(der.encode(_DNS, host.encode("ascii")) for host in admitted.hosts),
        *(der.encode(_IP, ipaddress.ip_address(address).packed) for address in admitted.addresses),
    )


def key_identifier(spki: bytes) -> bytes:
    """Return SHA-1 of the subject's public key, the BIT STRING's value (RFC 5280, 4.2.1.2, method 1)."""
    ((_, content),) = der.elements(spki)
    (_, _algorithm), (_, key) = der.elements(content)
    return hashlib.sha1(key[1:], usedforsecurity=False).digest()


def _string(oid: bytes) -> int:
    return der.PRINTABLE_STRING if oid == _NAMES[names.COUNTRY] else der.UTF8_STRING


def _encoded(extensions: Sequence[tuple[x509.ExtensionType, bool]]) -> bytes:
    return der.join(
        der.extension(der.object_identifier(value.oid.dotted_string), value.public_bytes(), critical=critical)
        for value, critical in extensions
    )


_NAMES = {name: der.object_identifier(name.dotted_string) for name in names.ATTRIBUTES}
