"""What two people may agree on about the hierarchy: another authority for domains, or another generation of a line.

Nothing is signed here: the plan is recorded, and the worker makes what it says (``hierarchy.make_planned``). What was
made once is never unmade, because somebody may rely on it.
"""

import re
from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, func, select

from core.errors import Conflict, Malformed, NotFound
from core.identity import DomainId
from core.ledger import evidence
from core.registry import domain
from core.registry.credential import Credential, CredentialState
from pki import events, making, namespace, plan
from pki.issuer import ISSUING, ROOT
from pki.models import AuthorityPlan
from pki.namespace import NameSpace
from pki.plan import Plan

#: Most plans of one installation: each has a key in the token and lists that never stop.
MOST = 64

_NAME = re.compile(r"[a-z]{2,12}(-[a-z]{2,10}){0,2}")

#: Names that mean something else in an address or in the store.
_TAKEN = frozenset({"root", "issuing", "ocsp", "tsa", "cross", "foreign"})


def plan_added(session: Session, name: str, domains: Sequence[str], algorithm: str) -> Plan:
    """Return the plan of a further issuing authority. Raises ``Malformed``, ``NotFound``, ``Conflict``."""
    check_name(name)
    if algorithm not in making.ALGORITHMS:
        known = ", ".join(making.ALGORITHMS)
        raise Malformed(f"no authority has a key of the kind `{algorithm[:20]}` yet", hint=f"one of {known}")
    if not domains or len(set(domains)) != len(domains):
        raise Malformed("an authority is for one or more domains, each named once", hint="see `guosuo register list`")
    plans = plan.every(session)
    full = f"{ISSUING}-{name}"
    if any(one.line == full for one in plans):
        raise Conflict(f"there is an authority `{full}` already", hint="another generation: `guosuo ca renew`")
    for one in domains:
        taken = next((other for other in plans if one in other.domains), None)
        if taken is not None:
            raise Conflict(f"the domain `{one}` has an authority already: `{taken.line}`")
    check_room(plans)
    space = _space(session, domains)
    return Plan(full, _parent(plans), 0, algorithm, tuple(sorted(domains)), space)


def check_name(name: str) -> None:
    """Raise ``Malformed`` for what an authority cannot be called."""
    if len(name) > 20 or not _NAME.fullmatch(name) or name in _TAKEN:
        raise Malformed(
            f"`{name[:40]}` is no name for an authority", hint="lower-case letters and hyphens, such as `finance`"
        )


def plan_renewed(session: Session, line: str) -> Plan:
    """Return the plan of a line's next generation. Raises ``NotFound``, ``Conflict``."""
    plans, waiting = plan.every(session), plan.unfinished(session)
    if not any(one.line == line and one.is_ours for one in plans):
        raise NotFound(f"there is no authority `{line[:40]}`", hint="see `guosuo ca list`")
    newest = plan.newest(plans, line)
    if any(one.line == line for one, _step in waiting):
        raise Conflict(f"`{newest.name}` is not made yet", hint="the worker makes it; see `guosuo ca list`")
    check_room(plans)
    name = f"{line}-{newest.generation + 1}"
    parent = newest.name if newest.kind == ROOT else _parent(plans)
    space = _space(session, newest.domains) if newest.domains else newest.space
    return Plan(name, parent, newest.path_length, newest.algorithm, newest.domains, space)


def record(session: Session, made: Plan, *, proposer: str, approver: str, basis: str, at: datetime) -> AuthorityPlan:
    """Record what was agreed on."""
    number = (session.exec(select(func.max(AuthorityPlan.number))).one() or 0) + 1
    row = enter(session, made, number, people=(proposer, approver), basis=basis, at=at)
    evidence.append(session, events.authority_planned(row), at=at)
    return row


def enter(
    session: Session, made: Plan, number: int, *, people: tuple[str, str], basis: str, at: datetime
) -> AuthorityPlan:
    """Enter a plan into the store."""
    row = AuthorityPlan(
        number=number,
        name=made.name,
        parent=made.parent,
        path_length=made.path_length,
        algorithm=made.algorithm,
        domains=plan.domains_text(made),
        space=made.space.to_json(),
        root=made.root,
        policies=plan.policies_text(made),
        days=made.days,
        proposer=people[0],
        approver=people[1],
        basis=basis,
        at=at,
    )
    session.add(row)
    session.flush()
    return row


def consequences(session: Session, made: Plan, at: datetime) -> list[str]:
    """Say what would happen."""
    told = [
        f"a new key `{made.key}` ({made.algorithm}) in the token, and `{made.name}` signed by `{made.signer}`",
        "this cannot be undone: whoever relies on the root relies on it from then on",
    ]
    if made.kind == ROOT:
        told += [
            f"`{made.parent}` and `{made.name}` certify each other (RFC 4210, 4.4): who knows one of them knows both",
            f"authorities made after this one are signed by `{made.name}`; those that are there go on",
            f"take the new root to whoever keeps a copy: `guosuo ca show {made.name} --pem`",
        ]
        return told
    for one in made.domains:
        held = _good(session, one, at)
        told.append(f"certificates of `{one}` are issued by it; {held} that are good stay as they are until they end")
    if not made.space.is_free:
        told.append(f"nothing else can stand below it: {', '.join((*made.space.hosts, *made.space.addresses))}")
    if made.generation > 1:
        told.append("the generation before it issues nothing more; its lists go on until its last certificate ends")
    return told


def _parent(plans: Sequence[Plan]) -> str:
    return plan.newest(plans, ROOT).name


def _space(session: Session, domains: Sequence[str]) -> NameSpace:
    found = [domain.get(session, DomainId(one)) for one in domains]
    addresses = [cidr for one in domains for cidr in domain.addresses(session, DomainId(one))]
    return namespace.of_domains([one.name_space for one in found], addresses)


def check_room(plans: Sequence[Plan]) -> None:
    """Raise ``Conflict`` when there are too many already."""
    if len(plans) >= MOST:
        raise Conflict(f"an installation has {MOST} authorities at most")


def _good(session: Session, domain_: str, at: datetime) -> int:
    statement = select(func.count()).where(
        Credential.domain == domain_, Credential.state == CredentialState.GOOD.value, Credential.not_after > at
    )
    return session.exec(statement).one()
