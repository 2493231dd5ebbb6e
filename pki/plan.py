"""Which authorities there are: those that every site is founded with, and those that two people added.

A *line* is an authority through its generations: ``issuing``, ``issuing-2`` …; ``issuing-finance``,
``issuing-finance-2`` …; ``root``, ``root-2`` …. Each generation has a key of its own. A plan is *made* when its own
certificate is there, and *serves* when everything that belongs to it is there too.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from sqlmodel import Session, col, func, select

from core.registry.credential import Credential
from pki import namespace
from pki.errors import NotEstablished
from pki.issuer import ISSUING, OCSP, ROOT
from pki.models import Authority, AuthorityPlan
from pki.namespace import NameSpace

#: Certificates by which the keys of two generations of the root vouch for each other (RFC 4210, 4.4).
CROSS = "cross"

#: Roots of other installations that ours certify (``crossing.py``).
FOREIGN = "foreign"

_KEYS = {ROOT: "root-ca", ISSUING: "issuing-ca"}
_GENERATION = re.compile(r"(?P<line>.*?)(?:-(?P<number>[0-9]+))?")


@dataclass(frozen=True, slots=True)
class Plan:
    """One authority as it was agreed on; ``domains`` are those whose certificates it issues (none: all others).

    ``root`` (DER in base64), ``policies`` and ``days`` are those of a cross-certificate for another installation.
    """

    name: str
    parent: str
    path_length: int
    algorithm: str = "p256"
    domains: tuple[str, ...] = ()
    space: NameSpace = field(default_factory=NameSpace)
    root: str = ""
    policies: tuple[str, ...] = ()
    days: int = 0

    @property
    def kind(self) -> str:
        """Return ``root``, ``issuing`` or ``foreign``."""
        return kind_of(self.name)

    @property
    def is_ours(self) -> bool:
        """Say whether its key is in our token."""
        return self.kind != FOREIGN

    @property
    def line(self) -> str:
        """Return the name without its generation."""
        return split(self.name)[0]

    @property
    def generation(self) -> int:
        """Return which generation of its line it is, from 1."""
        return split(self.name)[1]

    @property
    def key(self) -> str:
        """Return the label of its key in the token; empty when it is not ours."""
        return "" if not self.is_ours else _KEYS[self.kind] + self.name.removeprefix(self.kind)

    @property
    def signer(self) -> str:
        """Return whose key signs its own certificate: a root's own."""
        return self.name if self.kind == ROOT else self.parent

    @property
    def steps(self) -> tuple[str, ...]:
        """Return the certificates that belong to it, in the order in which they are made."""
        if self.kind == ISSUING:
            return self.name, responder(self.name)
        if self.generation == 1 or not self.is_ours:
            return (self.name,)
        # The old key vouches for the new one first: nobody ever sees a root that nothing leads to.
        return f"{CROSS}-{self.name}-new", self.name, f"{CROSS}-{self.name}-old"


#: What a site is founded with. Below a root there may be another generation of it (GnuTLS counts what bears the same
#: name, too, against RFC 5280, 6.1.4 (l)), a root of another installation, and its issuing authority.
FOUNDED = (Plan(ROOT, ROOT, path_length=3), Plan(ISSUING, ROOT, path_length=0))


def kind_of(name: str) -> str:
    """Return what kind of authority a name is of: of ``tsa-2`` it is ``tsa``."""
    return name.partition("-")[0]


def split(name: str) -> tuple[str, int]:
    """Return line and generation of a name."""
    found = _GENERATION.fullmatch(name)
    assert found is not None
    return found["line"], int(found["number"] or 1)


def responder(issuing: str) -> str:
    """Return the name of the responder for an issuing authority."""
    return OCSP + issuing.removeprefix(ISSUING)


def every(session: Session) -> list[Plan]:
    """Return every plan, made or not, in the order in which they were agreed on."""
    rows = session.exec(select(AuthorityPlan).order_by(col(AuthorityPlan.number)))
    return [*FOUNDED, *(_plan(row) for row in rows)]


def get(session: Session, name: str) -> Plan:
    """Return a plan; raises ``NotEstablished``."""
    for one in every(session):
        if one.name == name:
            return one
    raise NotEstablished(f"there is no authority `{name}`", hint="see `guosuo ca list`")


def made(session: Session) -> list[Plan]:
    """Return the plans whose own certificate is there."""
    known = set(session.exec(select(Authority.name)))
    return [one for one in every(session) if one.name in known]


def serving(session: Session) -> list[Plan]:
    """Return the plans that are made with everything that belongs to them; of the founding, as soon as they are."""
    known = set(session.exec(select(Authority.name)))
    return [one for one in every(session) if known.issuperset((one.name,) if one in FOUNDED else one.steps)]


def unfinished(session: Session) -> list[tuple[Plan, str]]:
    """Return what was agreed on and is not made yet: each plan with the certificates it lacks."""
    plans = [one for one in every(session) if one not in FOUNDED]
    known = set(session.exec(select(Authority.name))) if plans else set()
    return [(one, step) for one in plans for step in one.steps if step not in known]


def newest(plans: Sequence[Plan], line: str) -> Plan:
    """Return a line's newest generation among ``plans``; raises ``NotEstablished``."""
    of_line = [one for one in plans if one.line == line]
    if not of_line:
        raise NotEstablished(f"there is no authority `{line}`", hint="make the site with `guosuo init`")
    return max(of_line, key=lambda one: one.generation)


def for_domain(plans: Sequence[Plan], domain: str) -> Plan:
    """Return the authority that issues for a domain: its own, else the default one. Raises ``NotEstablished``."""
    line = next((one.line for one in plans if one.kind == ISSUING and domain in one.domains), ISSUING)
    return newest(plans, line)


def listed(session: Session, now: datetime) -> list[str]:
    """Return whose lists are published now: everybody's who is made and may still be asked about.

    A generation that has a successor goes on until the last certificate that it issued has ended.
    """
    plans = made(session)
    ours = [one for one in plans if one.is_ours]
    return [one.name for one in ours if one is newest(plans, one.line) or not _is_over(session, one.name, now)]


def _is_over(session: Session, name: str, now: datetime) -> bool:
    last = session.exec(select(func.max(Credential.not_after)).where(Credential.issuer == name)).one()
    if last is not None and last > now:
        return False
    below = session.exec(select(Authority).where(Authority.issuer == name, Authority.name != name))
    # A responder's own certificate is asked about by nobody (RFC 6960, 4.2.2.2.1).
    ends = [x509.load_der_x509_certificate(row.der).not_valid_after_utc for row in below if kind_of(row.name) != OCSP]
    return max(ends, default=now) <= now


def domains_text(one: Plan) -> str:
    """Return the domains as the store has them."""
    return json.dumps(one.domains)


def policies_text(one: Plan) -> str:
    """Return the policies as the store has them."""
    return json.dumps(one.policies)


def _plan(row: AuthorityPlan) -> Plan:
    domains, space = tuple(json.loads(row.domains)), namespace.parse(row.space)
    policies = tuple(json.loads(row.policies))
    return Plan(row.name, row.parent, row.path_length, row.algorithm, domains, space, row.root, policies, row.days)
