"""Setting a domain's protection level: what becomes stricter or looser, for whom, and the change itself.

A change of level is an act of two people (``register.level.set``): the preview is what the second of them decides on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session

from core.clock import to_rfc3339
from core.errors import Conflict
from core.identity import DomainId, Serial
from core.registry import change, credential, history, levels, rules
from core.registry.errors import NotInRegister, RegisterRejected
from core.registry.holding import Holders
from core.registry.levels import Step
from core.registry.places import Places
from core.registry.province import DomainEntry, Province

#: Return (serial number, what its key is) of the good certificates of a domain whose keys are below these sizes.
WeakKeys = Callable[[Session, DomainId, int, int, datetime], Sequence[tuple[str, str]]]


@dataclass(frozen=True, slots=True, order=True)
class Affected:
    """Somebody or something that would not meet the new level as it is, and why."""

    kind: str
    identifier: str
    holder: str
    why: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What setting a level would mean; ``version`` is the table's."""

    domain: str
    old: int
    new: int
    version: str
    steps: tuple[Step, ...]
    affected: tuple[Affected, ...]
    members: int

    def sentences(self) -> list[str]:
        """Return the preview as people read it: parameter by parameter, and then for whom."""
        told = [f"domain `{self.domain}`: level {self.old} → {self.new} (level table {self.version})"]
        told += [str(step) for step in self.steps]
        told += [f"{one.kind} `{one.identifier}` of `{one.holder}`: {one.why}" for one in self.affected]
        if any(step.parameter.name == "factors" and step.is_stricter for step in self.steps):
            told.append(f"{self.members} members of the domain must show one factor more than until now")
        # One that lives too long and whose key is too weak is named twice, and counted once.
        count = len({one.identifier for one in self.affected})
        told.append(f"{count} certificates of the domain do not meet level {self.new} as they are")
        return told


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom to ask for whom a level becomes stricter: who holds what in the domain, and whose keys are too weak."""

    holders: Holders
    weak: WeakKeys


def preview(session: Session, asked: Asked, domain: DomainId, level: int, at: datetime) -> Preview:
    """Return what setting ``level`` would mean; changes nothing. Raises ``Malformed``, ``NotInRegister``, ``Conflict``.

    ``RegisterRejected`` when the register as a whole forbids it: a system of the domain is graded higher.
    """
    levels.check_level(level)
    entry = _domain(session, domain, at)
    if entry.level == level:
        raise Conflict(f"`{domain}` has level {level} already")
    if faults := rules.check(_with_level(history.whole(session, at), domain, level), Places()):
        raise RegisterRejected(faults)
    held = asked.holders.holdings(session, "domain", domain, at)
    serials = [one.identifier for one in held if one.kind == "certificate"]
    affected = [*_too_long(session, serials, level), *_too_weak(session, asked.weak, domain, level, at)]
    return Preview(
        domain=domain,
        old=entry.level,
        new=level,
        version=levels.table().version,
        steps=tuple(levels.compare(entry.level, level)),
        affected=tuple(sorted(affected)),
        members=sum(one.kind == "membership" for one in held),
    )


def set_level(session: Session, domain: DomainId, level: int, *, actor: str, basis: str, at: datetime) -> int:
    """Set a domain's level, with its version and record; return the level before. Raises as ``preview`` does."""
    change.lock(session)
    before = _domain(session, domain, at).level
    if before == level:
        raise Conflict(f"`{domain}` has level {level} already")
    wanted = _with_level(history.whole(session, at), domain, levels.check_level(level))
    if faults := rules.check(wanted, Places()):
        raise RegisterRejected(faults)
    change.apply(session, wanted, actor=actor, at=at, basis=basis)
    return before


def _domain(session: Session, domain: DomainId, at: datetime) -> DomainEntry:
    found = history.find(session, "domain", domain, at)
    if not isinstance(found, DomainEntry):
        raise NotInRegister(f"no security domain `{domain[:80]}` is in the register")
    return found


def _with_level(whole: Province, domain: str, level: int) -> Province:
    domains = tuple(replace(one, level=level) if one.id == domain else one for one in whole.domains)
    return replace(whole, domains=domains)


def _too_long(session: Session, serials: Sequence[str], level: int) -> list[Affected]:
    found = []
    for serial in serials:
        held = credential.find(session, Serial(serial))
        if held is None:
            continue
        most = levels.longest_life(held.holder_kind, level)
        if held.not_after - held.not_before >= most:
            why = f"lives until {to_rfc3339(held.not_after)}, longer than {most.days} days in all"
            found.append(Affected("certificate", serial, held.holder, why))
    return found


def _too_weak(session: Session, weak: WeakKeys, domain: DomainId, level: int, at: datetime) -> list[Affected]:
    sizes = levels.value("rsa_bits", level), levels.value("ec_bits", level)
    return [
        Affected("certificate", serial, credential.get(session, Serial(serial)).holder, f"its key is {what}")
        for serial, what in weak(session, domain, *sizes, at)
    ]
