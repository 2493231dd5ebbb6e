"""Cross-certification with another installation: whoever relies on our root comes to rely on theirs, within bounds.

Their request is their root's certificate: its signature by itself shows that they hold the key (RFC 2986 shows no
more), and name, key and key identifier are taken from it. What bounds it is ours: path length, names, policies, days.
"""

import base64
import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlmodel import Session, select

from core.errors import Conflict, Malformed, NotFound, Rejected
from core.identity import Serial
from core.ledger import evidence
from core.registry import domain
from pki import events, issuer, otherroot, plan, planning, reason, revocation
from pki.errors import AlreadyRevoked
from pki.issuer import ROOT
from pki.models import Authority, IssuanceIntent, Revocation
from pki.namespace import NameSpace
from pki.plan import FOREIGN, Plan

#: Most names of one kind, and days.
MOST, LONGEST = 50, 5 * 365

_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_POLICY = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]{0,9})){1,20}")


@dataclass(frozen=True, slots=True)
class Crossing:
    """What is asked for: a name for it, the other root (PEM or DER in base64), and its bounds."""

    name: str
    root: str
    path_length: int
    hosts: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    days: int = 365


def plan_crossed(session: Session, asked: Crossing, at: datetime) -> Plan:
    """Return the plan of a cross-certificate. Raises ``Malformed``, ``Rejected``, ``Conflict``, ``BrokenProof``."""
    planning.check_name(asked.name)
    plans = plan.every(session)
    name = f"{FOREIGN}-{asked.name}"
    if any(one.name == name for one in plans):
        raise Conflict(f"there is a `{name}` already", hint="a later one has another name")
    planning.check_room(plans)
    _check_bounds(session, asked)
    parent = plan.newest(plan.serving(session), ROOT)
    above = x509.load_der_x509_certificate(issuer.get(session, parent.name).der)
    _check_length(asked.path_length, above)
    root = otherroot.read(asked.root)
    _check_stranger(session, root, above, at)
    space = NameSpace(asked.hosts, asked.addresses, asked.excluded)
    return Plan(
        name,
        parent.name,
        asked.path_length,
        space=space,
        root=base64.b64encode(root.public_bytes(Encoding.DER)).decode("ascii"),
        policies=asked.policies,
        days=asked.days,
    )


def consequences(made: Plan) -> list[str]:
    """Say what a cross-certificate would do."""
    other = otherroot.read(made.root)
    told = [
        f"`{made.parent}` certifies `{other.subject.rfc4514_string()}` as `{made.name}` for {made.days} days",
        f"whoever relies on our root relies on it, and on authorities below it {made.path_length} deep",
        f"for {', '.join((*made.space.hosts, *made.space.addresses))}, and for no other host or address",
        f"compare its fingerprint with what they tell you on another way: {otherroot.fingerprint(other)}",
        "it ends by itself, or with `guosuo ca revoke`",
    ]
    if made.space.excluded:
        told.append(f"not for {', '.join(made.space.excluded)}")
    return told


def find(session: Session, name: str) -> IssuanceIntent:
    """Return the intention of a cross-certificate that can be revoked. Raises ``NotFound``, ``AlreadyRevoked``."""
    row = session.get(Authority, name) if plan.kind_of(name) == FOREIGN else None
    if row is None:
        raise NotFound(f"there is no cross-certificate `{name[:40]}`", hint="see `guosuo ca list`")
    if session.get(Revocation, row.serial) is not None:
        raise AlreadyRevoked(f"`{name}` was revoked before")
    return session.get_one(IssuanceIntent, row.serial)


def revoke(session: Session, name: str, word: str, *, actor: str, at: datetime) -> None:
    """Revoke a cross-certificate, for ever. Raises ``NotFound``, ``AlreadyRevoked``, ``UnknownReason``."""
    reason.code(word)
    found = find(session, name)
    revocation.enter(session, Serial(found.serial), found.issuer, reason=word, at=at)
    evidence.append(session, events.revoked(found, word, since=None, actor=actor), at=at)


def _check_bounds(session: Session, asked: Crossing) -> None:
    if not 1 <= len(asked.hosts) <= MOST or len(asked.addresses) > MOST or len(asked.excluded) > MOST:
        raise Malformed(f"a cross-certificate permits 1 to {MOST} name spaces", hint="give --permit, or several")
    for host in (*asked.hosts, *asked.excluded):
        if len(host) > 253 or not _HOST.fullmatch(host):
            raise Malformed(f"`{host[:80]!a}` is no name space", hint="lower-case letters, digits, hyphens, and dots")
    for cidr in asked.addresses:
        try:
            ipaddress.ip_network(cidr)
        except ValueError as error:
            raise Malformed(f"`{cidr[:50]!a}` is no range of addresses") from error
    if len(asked.policies) > MOST or not all(_POLICY.fullmatch(one) for one in asked.policies):
        raise Malformed("a policy is an object identifier such as 1.2.156.1")
    if not 1 <= asked.days <= LONGEST:
        raise Malformed(f"a cross-certificate lasts from 1 to {LONGEST} days")
    for own in domain.domains(session):
        for host in asked.hosts:
            if _overlap(host, own.name_space):
                raise Rejected(f"`{host}` takes in `{own.name_space}`, which is ours", reason="foreign-name")


def _overlap(one: str, other: str) -> bool:
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def _check_length(wanted: int, above: x509.Certificate) -> None:
    most = above.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
    if wanted < 0 or wanted > 10 or (most is not None and wanted >= most):
        hint = "another generation of the root allows more" if most is not None and most < 3 else ""
        raise Rejected(f"the path below it may be {(most or 11) - 1} long at most", hint=hint, reason="path-too-long")


def _check_stranger(session: Session, root: x509.Certificate, above: x509.Certificate, at: datetime) -> None:
    """It is somebody else's: neither our name nor any key of ours."""
    if root.subject == above.subject:
        raise Rejected("the other root bears our name", reason="look-alike-issuer")
    if not root.not_valid_before_utc <= at < root.not_valid_after_utc - timedelta(days=1):
        raise Rejected("the other root is not valid now, or ends today", reason="expired")
    key = root.public_key()
    for row in session.exec(select(Authority).where(Authority.key != "")):
        if x509.load_der_x509_certificate(row.der).public_key() == key:
            raise Conflict(f"the key of the other root is that of `{row.name}`: it is ours")
