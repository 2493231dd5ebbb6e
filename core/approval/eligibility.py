"""Who may propose or decide on an act: resolved from the register at the very moment, never from what was once true."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from core.approval.acts import Concern, Ruling
from core.approval.errors import NotYours
from core.identity import SITE, PersonId, Serial
from core.registry import credential, history, person, responsibility, role
from core.registry.credential import CredentialState
from core.registry.province import DomainEntry
from core.rule import APPROVER, DISJOINT, OUTGOING, OWN_ACT, PROPOSER, Rule

_ROLE = "role:"
_IN_CHARGE = "officer:in-charge"


@dataclass(frozen=True, slots=True)
class Eligible:
    """A person who may act, and as what (``role:auditor``, ``officer:in-charge``)."""

    person: str
    name: str
    capacity: str


@dataclass(frozen=True, slots=True)
class Case:
    """One act at one moment: its rule, what it concerns, whose proposal it is, and its name in a refusal."""

    ruling: Ruling
    concern: Concern
    proposer: str
    about: str
    at: datetime


def proposers(session: Session, case: Case) -> list[Eligible]:
    """Return who may propose the act now."""
    return [one for one in _named(session, case, case.ruling.propose) if one.person not in case.concern.barred]


def approvers(session: Session, case: Case) -> list[Eligible]:
    """Return who may decide on the act now."""
    barred = {case.proposer, *case.concern.excluded, *case.concern.barred}
    return [one for one in _named(session, case, case.ruling.approve) if one.person not in barred]


def check_proposer(session: Session, case: Case, serial: str) -> None:
    """Raise ``NotYours`` unless the proposer may propose the act now, with a certificate that was not revoked."""
    who = case.proposer
    if who in case.concern.barred:
        detail = f"`{who}` is concerned by this act and takes no part in it"
        raise NotYours(detail, hint="let two others propose and decide", rule=str(OUTGOING), about=case.about)
    _check_certificate(session, case, who, serial, PROPOSER)
    if who not in {one.person for one in proposers(session, case)}:
        _refuse_conflict(session, case, who)
        raise NotYours(
            f"`{who}` may not propose `{case.ruling.act}` at this time: it takes {', '.join(case.ruling.propose)}",
            rule=str(PROPOSER),
            about=case.about,
        )


def check_approver(session: Session, case: Case, who: str, serial: str) -> None:
    """Raise ``NotYours`` unless ``who`` may decide on the act now: another person, named for it, still certified."""
    if who == case.proposer:
        raise NotYours("nobody decides on their own act", rule=str(OWN_ACT), about=case.about)
    if who in case.concern.excluded | case.concern.barred:
        detail = f"`{who}` is concerned by this act and does not decide on it"
        raise NotYours(detail, rule=str(OUTGOING), about=case.about)
    _check_certificate(session, case, who, serial, APPROVER)
    able = approvers(session, case)
    if who not in {one.person for one in able}:
        _refuse_conflict(session, case, who)
        raise NotYours(
            f"`{who}` may not decide on `{case.ruling.act}` at this time: it takes {', '.join(case.ruling.approve)}",
            hint=f"ask {', '.join(f'{one.name} (`{one.person}`)' for one in able)}" if able else "",
            rule=str(APPROVER),
            about=case.about,
        )


def _named(session: Session, case: Case, wanted: Iterable[str]) -> list[Eligible]:
    domain, at = case.concern.domain, case.at
    barred = {one for who in case.ruling.exclude for one in _holders(session, who, domain, at)}
    found: dict[str, Eligible] = {}
    for who in wanted:
        for identifier in _holders(session, who, domain, at):
            human = person.find(session, identifier)
            if identifier in barred or identifier in found or human is None:
                continue
            if human.suspended or human.left_at is not None:
                continue
            if role.conflict(role.on_site(session, PersonId(identifier), at)) is None:
                found[identifier] = Eligible(identifier, human.name, who)
    return [found[identifier] for identifier in sorted(found)]


def _holders(session: Session, who: str, domain: str, at: datetime) -> list[str]:
    if who.startswith(_ROLE):
        name = who.removeprefix(_ROLE)
        return [one for one, where, held in role.held(session, at) if (where, held) == (SITE, name)]
    entry = history.find(session, "domain", domain, at) if domain != SITE else None
    if not isinstance(entry, DomainEntry):
        return []
    held = responsibility.find_holding(session, entry.in_charge if who == _IN_CHARGE else entry.operating, at)
    # A vacant post names nobody; whoever else is named can still act.
    return [] if held is None else [held.person]


def _check_certificate(session: Session, case: Case, who: str, serial: str, rule: Rule) -> None:
    # Held, so that it cannot be revoked between this look and the end of the act.
    held = credential.hold(session, Serial(serial))
    if held is None or held.holder != who or held.state != CredentialState.GOOD:
        detail = f"the certificate that `{who}` signed with is revoked"
        raise NotYours(detail, rule=str(rule), about=case.about)


def _refuse_conflict(session: Session, case: Case, who: str) -> None:
    both = role.conflict(role.on_site(session, PersonId(who), case.at))
    if both is not None:
        raise NotYours(
            f"`{who}` holds {both[0]} and {both[1]}, which exclude each other: neither can be used",
            hint="have one of them withdrawn",
            rule=str(DISJOINT),
            about=case.about,
        )
