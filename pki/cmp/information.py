"""What is told to a genm (RFC 9483, 4.3): authorities' certificates, lists, and what a request should have.

All of it is public, or the asker's own.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from cryptography import x509
from sqlmodel import Session

from core.registry import levels
from pki import chain, crl, der, issuer, names, plan, profileset
from pki.cmp.answer import Info
from pki.cmp.errors import BadMessage, BadRequest, WrongAuthority
from pki.device.asker import Asker
from pki.errors import RefusedPath
from pki.issuer import ISSUING, ROOT
from pki.pointers import SHARDS
from pki.profile import KeyKind
from pki.tbslist import FULL
from pki.validation import element
from pki.validation.element import GENERALIZED_TIME, SEQUENCE, UTC_TIME, Fields, octets_of

CA_CERTS, ROOT_UPDATE, TEMPLATE = (octets_of(f"1.3.6.1.5.5.7.4.{arc}") for arc in (17, 18, 19))
ROOT_CERT, LIST_STATUS, LISTS, CURRENT_LIST = (octets_of(f"1.3.6.1.5.5.7.4.{arc}") for arc in (20, 22, 23, 6))

#: Most lists that are asked for at once, and most octets of one that is told here: larger ones have addresses.
_MOST, _LARGEST = 16, 4_000_000

#: id-regCtrl-algId and id-regCtrl-rsaKeyLen (RFC 9480, 2.15).
_ALGORITHM, _RSA_LENGTH = der.object_identifier("1.3.6.1.5.5.7.5.1.11"), der.object_identifier("1.3.6.1.5.5.7.5.1.12")
_EC = der.object_identifier("1.2.840.10045.2.1")
_CURVES = {
    KeyKind.P256: (256, der.object_identifier("1.2.840.10045.3.1.7")),
    KeyKind.P384: (384, der.object_identifier("1.3.132.0.34")),
}

#: CertTemplate's subject and extensions (RFC 4211, 5).
_SUBJECT, _EXTENSIONS = 0xA5, 0xA9

#: Where lists are published (``pki/pointers.py``).
_ADDRESS = re.compile(rb"/crl/(root|issuing)/(?:0|(\d{1,4})/(\d{1,4}))\.crl")

Teller = Callable[[Session, Asker, bytes], Info]


def tell(session: Session, asker: Asker, asked: Sequence[Info]) -> list[Info]:
    """Answer each question. Raises ``BadRequest`` for one that is not answered here, ``BadMessage``."""
    if not asked:
        raise BadRequest("a general message asks for something")
    found = []
    for kind, value in asked:
        teller = _TELLERS.get(kind)
        if teller is None:
            raise BadRequest(f"`{element.dotted(kind)}` is not told here (RFC 9483, 4.3)")
        try:
            found.append(teller(session, asker, value))
        except RefusedPath as error:
            raise BadMessage(f"the question `{element.dotted(kind)}` cannot be read: {error.detail}") from error
    return found


def _authorities(session: Session, _asker: Asker, _value: bytes) -> Info:
    """The issuing authorities' certificates; the root's is trusted by other ways (RFC 9483, 4.3.1)."""
    return CA_CERTS, der.encode(SEQUENCE, *chain.issuing(session))


def _root(session: Session, _asker: Asker, value: bytes) -> Info:
    """No newer root than the present one, and nothing of others (RFC 9483, 4.3.2)."""
    if value and value != issuer.get(session, ROOT).der:
        raise WrongAuthority("the certificate is that of no root of ours")
    return ROOT_UPDATE, b""


def _template(session: Session, asker: Asker, _value: bytes) -> Info:
    """What a request of the asker should have: the register's names, and keys that its level takes (4.3.3)."""
    holder = asker.holder
    profile = profileset.active(session).get(holder.kind)
    subject = x509.Name(
        [x509.NameAttribute(oid, value) for oid, value in names.subject_attributes(holder, asker.hosts)]
    ).public_bytes()
    fields = [der.encode(_SUBJECT, subject)]
    if asker.hosts:
        named = x509.SubjectAlternativeName([x509.DNSName(one) for one in asker.hosts])
        oid = der.object_identifier(named.oid.dotted_string)
        fields.append(der.encode(_EXTENSIONS, der.extension(oid, named.public_bytes())))
    smallest, keys = levels.value("ec_bits", holder.level), []
    for kind in profile.keys:
        size, curve = _CURVES.get(kind, (0, b""))
        if size >= smallest:
            keys.append(der.encode(SEQUENCE, _ALGORITHM, der.encode(SEQUENCE, _EC, curve)))
        if kind is KeyKind.RSA:
            keys.append(der.encode(SEQUENCE, _RSA_LENGTH, der.integer(levels.value("rsa_bits", holder.level))))
    return TEMPLATE, der.encode(SEQUENCE, der.encode(SEQUENCE, *fields), der.encode(SEQUENCE, *keys))


def _current(session: Session, _asker: Asker, _value: bytes) -> Info:
    found = _list(session, ISSUING, FULL, None)
    return CURRENT_LIST, found


def _lists(session: Session, _asker: Asker, value: bytes) -> Info:
    """The lists that are newer than what the asker has (RFC 9483, 4.3.4)."""
    found = []
    for one in element.split(element.only(value, SEQUENCE).content, _MOST):
        fields = Fields(element.inside(one, SEQUENCE), 2)
        source, since = fields.take(0xA0, 0xA1), fields.find(UTC_TIME, GENERALIZED_TIME)
        fields.end()
        name, scope = _source(session, source.tag, source.content)
        found.append(_list(session, name, scope, element.time(since) if since else None))
    told = [one for one in found if one]
    return LISTS, der.encode(SEQUENCE, *told) if told else b""


def _source(session: Session, tag: int, content: bytes) -> tuple[str, str]:
    """Return authority and scope of a CRLSource: a list's address, or the name of who issues it."""
    if tag == 0xA0:
        found = _ADDRESS.search(element.only(content, 0xA0).content)
        if found is None or (found[2] is not None and not (int(found[2]) == SHARDS and int(found[3]) < SHARDS)):
            raise WrongAuthority("the address is that of no list of ours")
        return found[1].decode("ascii"), FULL if found[3] is None else str(int(found[3]))
    for one in element.split(element.only(content, SEQUENCE).content, 4):
        for name in (listed.name for listed in plan.made(session) if listed.is_ours):
            if one.content == issuer.name_of(session, name):
                return name, FULL
    raise WrongAuthority("the lists of this issuer are not published here")


def _list(session: Session, name: str, scope: str, since: datetime | None) -> bytes:
    """Return a list (DER); nothing when the asker has the newest."""
    known = crl.find(session, name, scope)
    if since is not None and known.this_update <= since:
        return b""
    _known, content = crl.newest(session, name, scope)
    if len(content) > _LARGEST:
        raise BadRequest("the list is too large for a message", hint="fetch it where certificates point to")
    return content


_TELLERS: Mapping[bytes, Teller] = {
    CA_CERTS: _authorities,
    ROOT_CERT: _root,
    TEMPLATE: _template,
    CURRENT_LIST: _current,
    LIST_STATUS: _lists,
}
