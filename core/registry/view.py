"""What people are shown of the register at a time: entries with what hangs on them, and the history of one."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlmodel import Session

from core.registry import agreement, content, grading, history
from core.registry.errors import NotInRegister
from core.registry.form import Value
from core.registry.models import Person, RegisterVersion, SecurityDomain
from core.registry.province import AgreementEntry, Entry, SystemEntry

Item = dict[str, str | int | bool | list[str] | None]


def entries(session: Session, kind: str, at: datetime, *, past: bool = False) -> list[Item]:
    """Return every entry of a kind that was in the register at a time, by id."""
    return [item(session, kind, entry, at, past=past) for entry in history.whole(session, at).of(kind)]


def entry(session: Session, kind: str, identifier: str, at: datetime, *, past: bool = False) -> Item:
    """Return one entry as it was at a time; of a person who had left by then, what was last known. Raises."""
    found = history.find(session, kind, identifier, at)
    if found is None and kind == "person":
        found = history.last(session, kind, identifier, at)
    if found is None:
        hint = f"see `guosuo register list {kind}`, or `guosuo register history {kind} {identifier[:80]}`"
        raise NotInRegister(f"no {kind} `{identifier[:80]}` is in the register", hint=hint)
    return item(session, kind, found, at, past=past)


def item(session: Session, kind: str, found: Entry, at: datetime, *, past: bool = False) -> Item:
    """Return an entry's fields, and what acts of their own say of it.

    Whether it is suspended is known of the present alone: of a time in the ``past`` only the evidence says that.
    """
    shown: Item = dict(content.shown(found))
    if isinstance(found, SystemEntry):
        graded = grading.grade(found.information, found.service)
        shown |= {"level": graded.level, "grade": str(graded)}
    elif isinstance(found, AgreementEntry):
        standing = agreement.standing(session, found.id, at)
        signers = [f"{side}: {person}" for side, person in standing.signers.items()]
        shown |= {"state": standing.state, "digest": standing.digest, "signers": signers}
    elif kind == "domain" and not past:
        shown["suspended"] = session.get_one(SecurityDomain, found.id).suspended
    elif kind == "person":
        row = session.get_one(Person, found.id)
        if not past:
            shown["suspended"] = row.suspended
        if row.left_at is not None and row.left_at <= at:
            shown["left_at"] = row.left_at.isoformat()
    return shown


def changes(session: Session, kind: str, identifier: str) -> list[Item]:
    """Return every version of an entry, oldest first: from when to when, by whom, what changed. Raises."""
    versions = history.versions(session, kind, identifier)
    if not versions:
        raise NotInRegister(f"the register never had a {kind} `{identifier[:80]}`", hint="see `guosuo register list`")
    told = [_version(kind, before, row) for before, row in zip([None, *versions], versions, strict=False)]
    if kind == "post":
        told += _holdings(session, identifier)
    if kind == "person" and (gone := session.get_one(Person, identifier).left_at) is not None:
        told.append(_line(gone, None, "", "", ["left"]))
    return sorted(told, key=lambda one: str(one["since"]))


def _version(kind: str, before: RegisterVersion | None, row: RegisterVersion) -> Item:
    now = content.read(kind, row.content, _nothing(kind))
    if before is None:
        what = ["entered"]
    else:
        differs = content.differences(content.read(kind, before.content, _nothing(kind)), now)
        what = [f"{name}: {old or '-'} → {new or '-'}" for name, (old, new) in differs.items()]
    return _line(row.since, row.until, row.actor, row.record, what)


def _nothing(kind: str) -> Mapping[str, Value]:
    """Return what has a history of its own as empty: it is told apart."""
    if kind == "post":
        return {"holder": "", "basis": "-"}
    return {"roles": ()} if kind == "person" else {}


def _holdings(session: Session, post: str) -> list[Item]:
    told, before = list[Item](), "-"
    for row in history.holdings(session, post):
        what = [f"holder: {before} → {row.person} ({row.basis})"]
        told.append(_line(row.since, row.until, row.actor, row.record, what))
        before = row.person
    return told


def _line(since: datetime, until: datetime | None, actor: str, record: str, what: Sequence[str]) -> Item:
    return {
        "since": since.isoformat(),
        "until": until.isoformat() if until is not None else "",
        "actor": actor,
        "changed": list(what),
        "record": record,
    }
