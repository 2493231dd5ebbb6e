"""From one thing back to everything that led there, and who answered for it: a bounded walk over the records.

What is asked for (a file's hash, a certificate, a person, an alert, a request, a record) is the root of a tree of
things. Each thing carries the records about it, in the order of time, and below it the things that those name. A thing
stands once, where it was met first. What a record names and nothing tells of is said, never left out silently.
"""

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session

from core.clock import from_rfc3339
from core.errors import Malformed
from core.ledger import reference
from core.ledger.entry import JsonValue
from core.ledger.lookup import Lookup
from core.ledger.models import EvidenceRow
from core.ledger.register import Register
from core.ledger.stub import parse_stub

#: Most things in a tree, and how far from its root one may be.
MOST_THINGS, DEEPEST = 120, 8

#: Most records of one thing; of a person or a domain there may be any number.
MOST_RECORDS = 20

#: What is followed from a thing of each kind. An alert leads to the request, that to the certificate, that to whoever
#: asked for it and issued it; from a person only to their department and offices, or the walk would never end.
FOLLOWED: Mapping[str, frozenset[str]] = {
    "alert": frozenset({"approval", "certificate", "domain", "person", "record", "request", "sha256"}),
    "approval": frozenset({"certificate", "domain", "person", "record"}),
    "case": frozenset({"alert", "person", "record"}),
    "certificate": frozenset({"approval", "domain", "person", "record", "request"}),
    "domain": frozenset({"post"}),
    "person": frozenset({"approval", "department"}),
    "post": frozenset({"approval", "person"}),
    "record": frozenset({"alert", "approval", "certificate", "domain", "person", "record", "request", "sha256"}),
    "request": frozenset({"certificate", "domain", "person"}),
    "sha256": frozenset({"alert", "certificate", "record", "request"}),
}

_ASKED = re.compile(r"[a-z][a-z0-9-]*:\S{1,160}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,14}", re.ASCII)
_HASHES = {40: ("certificate",), 64: ("sha256",), 32: ("alert", "request", "record", "approval")}


@dataclass(frozen=True, slots=True)
class Step:
    """One record on the way; ``number`` is empty for the moment until it has one."""

    number: int | None
    at: datetime
    type: str
    actor: str
    object: str
    domain: str
    result: str


@dataclass
class Thing:
    """One thing of the tree: ``said`` is what the register knows, ``more`` how many further records name it."""

    name: str
    depth: int = 0
    said: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    more: int = 0
    things: list["Thing"] = field(default_factory=list)
    unresolved: str = ""

    @property
    def kind(self) -> str:
        """Return what kind of thing it is."""
        return self.name.partition(":")[0]

    def walk(self) -> Iterator["Thing"]:
        """Yield this thing and all below it."""
        yield self
        for one in self.things:
            yield from one.walk()


@dataclass(frozen=True, slots=True)
class Trace:
    """A tree with its records in the order of time, what nothing tells of, and what was left out."""

    root: Thing
    steps: Sequence[Step]
    unresolved: Sequence[str]
    left_out: Sequence[str]


def trace(session: Session, register: Register, asked: str, *, at: datetime) -> Trace:
    """Return what led to ``asked``, as it was known ``at`` that time. Raises ``Malformed`` for what names nothing."""
    return _Walk(session, register, at).go(asked)


def names(asked: str) -> tuple[str, ...]:
    """Return what ``asked`` may mean, most likely first: ``kind:value``, a hash, a record's number, a person."""
    text = asked.strip()
    if _NUMBER.fullmatch(text) and len(text) < 16:
        return (f"record:{text}",)
    if re.fullmatch(r"[0-9a-f]+", text) and len(text) in _HASHES:
        return tuple(f"{kind}:{text}" for kind in _HASHES[len(text)])
    kind, _, value = text.partition(":")
    if kind == "serial" and value:
        return (f"certificate:{value}",)
    if _ASKED.fullmatch(text) and text.isprintable():
        return (text,)
    if re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,79}", text):
        return (f"person:{text}",)
    raise Malformed(
        f"`{asked[:80]}` names nothing that evidence knows",
        hint="give alert:ID, certificate:SERIAL, request:ID, person:ID, record:NUMBER or a SHA-256",
    )


class _Walk:
    """One walk; remembers what it has met."""

    def __init__(self, session: Session, register: Register, at: datetime) -> None:
        self._session = session
        self._register = register
        self._at = at
        self._lookup = Lookup(session, at)
        self._met: set[str] = set()
        self._left_out: list[str] = []

    def go(self, asked: str) -> Trace:
        root = self._root(names(asked))
        waiting = deque([root])
        while waiting:
            thing = waiting.popleft()
            for name, since in self._next(thing):
                if name in self._met:
                    continue
                if len(self._met) >= MOST_THINGS or thing.depth >= DEEPEST:
                    self._left_out.append(name)
                    continue
                found = self._thing(name, thing.depth + 1, since)
                thing.things.append(found)
                waiting.append(found)
        steps = {step.number: step for thing in root.walk() for step in thing.steps}
        ordered = sorted(steps.values(), key=lambda step: (step.at, step.number or 0))
        unresolved = [f"{thing.name}: {thing.unresolved}" for thing in root.walk() if thing.unresolved]
        left_out = [*self._lookup.behind(), *dict.fromkeys(f"{name}: too far" for name in self._left_out)]
        return Trace(root, ordered, unresolved, left_out)

    def _root(self, candidates: Sequence[str]) -> Thing:
        found = [self._thing(name, 0, self._at) for name in candidates]
        known = next((thing for thing in found if not thing.unresolved), found[0])
        self._met = {known.name}
        # At the root also what the thing itself did or was used for: below it that would lead everywhere.
        rows, more = self._lookup.naming(self._own_name(known), MOST_RECORDS)
        steps = {step.number: step for step in (*known.steps, *map(_step, rows))}
        known.steps = sorted(steps.values(), key=lambda step: (step.at, step.number or 0))
        known.more += more
        if known.steps and known.kind != "record":
            known.unresolved = ""
        return known

    def _own_name(self, thing: Thing) -> str:
        """Return the name under which other records name the root: a record is named by its id, not by its number."""
        rows = self._lookup.rows([step.number for step in thing.steps]) if thing.kind == "record" else []
        return f"record:{rows[0].identifier}" if len(rows) == 1 else thing.name

    def _thing(self, name: str, depth: int, since: datetime) -> Thing:
        self._met.add(name)
        thing = Thing(name, depth)
        rows, thing.more = self._lookup.about(name, MOST_RECORDS)
        self._rows_of(thing, rows)
        if thing.kind == "domain":
            thing.said = self._answerable(thing, since)
        elif thing.kind == "person":
            thing.said = self._person(thing)
        if not thing.steps and not thing.said and not thing.unresolved:
            thing.unresolved = "no record tells of it"
        return thing

    def _rows_of(self, thing: Thing, rows: Sequence[EvidenceRow]) -> None:
        for row in rows:
            stub = parse_stub(row.content)
            if stub is None:
                thing.steps.append(_step(row))
            else:
                thing.unresolved = f"record {row.sequence} was purged, see record `{stub.by}`"

    def _person(self, thing: Thing) -> list[str]:
        known = self._register.person(self._session, thing.name.partition(":")[2])
        return [] if known is None else [f"{known.name}, {known.department}"]

    def _answerable(self, thing: Thing, since: datetime) -> list[str]:
        """Name both officers as of then, and put the records of their appointing acts below the domain."""
        told = []
        for one in self._register.answerable(self._session, thing.name.partition(":")[2], since):
            office = f"{one.duty} {one.name} ({one.organisation} {one.title})"
            told.append(f"{office}, since {one.since:%Y-%m-%d} by {one.basis or '—'}")
            post = f"post:{one.post}"
            if post not in self._met:
                self._met.add(post)
                acts, _more = self._lookup.about(post, MOST_RECORDS)
                filled = Thing(post, thing.depth + 1, [f"{one.person} · {one.title}"])
                self._rows_of(filled, [row for row in acts if row.at <= since])
                filled.unresolved = "" if filled.steps else "no record of the appointing act"
                thing.things.append(filled)
        return told

    def _next(self, thing: Thing) -> Iterator[tuple[str, datetime]]:
        """Yield what the records of a thing name, with the time as of which it is asked about."""
        follow = FOLLOWED.get(thing.kind, FOLLOWED["record"])
        for row in self._lookup.rows([step.number for step in thing.steps]):
            details = json.loads(row.content)["details"]
            since = _moment(details, row.at)
            named = [row.object, *reference.named_in(details), reference.actor_of(row.actor)]
            if row.domain and row.domain != "site":
                named.append(f"domain:{row.domain}")
            for name in named:
                if name != thing.name and name.partition(":")[0] in follow:
                    yield name, since


def _moment(details: Mapping[str, JsonValue], at: datetime) -> datetime:
    """Return when it happened: an alert says so itself, its record came later."""
    said = details.get("at")
    try:
        return from_rfc3339(said) if isinstance(said, str) else at
    except ValueError:
        return at


def _step(row: EvidenceRow) -> Step:
    return Step(row.sequence, row.at, row.type, row.actor, row.object, row.domain, row.result)
