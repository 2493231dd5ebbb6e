"""An incremental change: single entries added, changed or ended against the present register. Pure.

``add:``, ``change:`` and ``end:`` hold the sections of a province file; a changed entry names its id and only what
differs. What results is checked as a whole, exactly as a province file is.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from core.registry import document, rules
from core.registry.document import Entry as Node
from core.registry.document import Reading
from core.registry.errors import Fault, RegisterRejected
from core.registry.loader import digest
from core.registry.places import Places
from core.registry.province import KINDS, Entry, Kind, Province, assemble, values

Held = dict[str, dict[str, Entry]]


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """The whole that results, what is ended (kind, id), and the act that orders the change."""

    wanted: Province
    ends: tuple[tuple[str, str], ...]
    basis: str


def is_change_set(root: Node) -> bool:
    """Return whether a file is a change set and no province."""
    return not root.has("province") and any(root.has(part) for part in ("add", "change", "end"))


def parse_change_set(text: str, present: Province) -> ChangeSet:
    """Return what ``text`` makes of ``present``. Raises ``RegisterRejected`` naming every fault with its line."""
    return change_set(document.read(text), present)


def change_set(reading: Reading, present: Province) -> ChangeSet:
    """Return what a file that was read makes of ``present``. Raises as ``parse_change_set`` does."""
    root, faults = reading.root, reading.faults
    basis = root.text("basis", hint="name the act that orders the change: `basis: 北辰信办〔2026〕1号`")
    held, places = hold(present), Places()
    ends = _end(root.inner("end"), held, places, faults)
    for node, work in ((root.inner("add"), _add), (root.inner("change"), _change)):
        for kind in KINDS.values() if node is not None else ():
            for entry in node.entries(kind.section) if node is not None else ():
                work(kind, entry, held, places)
    root.close()
    if not any(root.has(part) for part in ("add", "change", "end")):
        faults.append(Fault(root.line, "nothing is changed", "", "write `add:`, `change:` or `end:`"))
    return ChangeSet(complete(held, places, digest(reading.text), faults), ends, basis)


def hold(present: Province) -> Held:
    """Return the entries of a whole by kind and id, to be changed."""
    return {kind: {entry.id: entry for entry in present.of(kind)} for kind in KINDS}


def complete(held: Held, places: Places, text_digest: str, faults: list[Fault]) -> Province:
    """Return the whole, checked. Raises ``RegisterRejected``."""
    wanted = assemble({kind: tuple(found.values()) for kind, found in held.items()}, digest=text_digest, places=places)
    faults += rules.check(wanted, places)
    if faults:
        raise RegisterRejected(faults)
    return wanted


def _add(kind: Kind, node: Node, held: Held, places: Places) -> None:
    made = kind.make({name: form.read(node, name) for name, form in kind.forms().items()})
    if places.is_ending(kind.name, made.id):
        complaint = f"{kind.name} `{made.id}` ends in the same file, and an id is never used again"
        node.fault_in("id", complaint, hint="put it under `change:` alone, or give what is new an id of its own")
        return
    if places.has(kind.name, made.id):
        _stands_twice(kind, node, places, made.id)
        return
    if made.id and made.id in held[kind.name]:
        complaint = f"{kind.name} `{made.id}` is in the register already"
        node.fault_in("id", complaint, hint="put it under `change:`, with only what differs")
        return
    places.note(kind.name, made.id, node)
    held[kind.name][made.id] = made


def _change(kind: Kind, node: Node, held: Held, places: Places) -> None:
    identifier = node.identifier()
    before = held[kind.name].get(identifier)
    if before is None:
        complaint = f"there is no {kind.name} `{identifier}` to change"
        node.fault_in("id", complaint, hint="correct the id, or put the whole entry under `add:`")
        before = kind.make({name: form.empty for name, form in kind.forms().items()})
    elif places.has(kind.name, identifier):
        _stands_twice(kind, node, places, identifier)
    overlay(kind, node, before, held, places)


def _stands_twice(kind: Kind, node: Node, places: Places, identifier: str) -> None:
    complaint = f"{kind.name} `{identifier}` stands already in line {places.line(kind.name, identifier)}"
    node.fault_in("id", complaint, hint="say everything about it in one entry")


def overlay(kind: Kind, node: Node, before: Entry, held: Held, places: Places) -> None:
    """Hold the entry that ``node`` makes of ``before``."""
    kept = values(before)
    given: Mapping[str, object] = {name: form for name, form in kind.forms().items() if form.is_given(node, name)}
    made = kind.make(
        {name: form.read(node, name) if name in given else kept[name] for name, form in kind.forms().items()}
    )
    places.note(kind.name, made.id, node)
    if made.id in held[kind.name]:
        held[kind.name][made.id] = made


def _end(node: Node | None, held: Held, places: Places, faults: list[Fault]) -> tuple[tuple[str, str], ...]:
    ends: list[tuple[str, str]] = []
    for kind in KINDS.values() if node is not None else ():
        for identifier in node.texts(kind.section) if node is not None else ():
            line = node.line_of(kind.section, identifier) if node is not None else 0
            if held[kind.name].pop(identifier, None) is None:
                complaint = f"there is no {kind.name} `{identifier[:80]}` to end"
                faults.append(Fault(line, complaint, kind.section, "correct the id, or leave it out: it is gone"))
                continue
            places.note_end(kind.name, identifier, line)
            ends.append((kind.name, identifier))
    # What refers ends before what it refers to.
    order = list(KINDS)
    return tuple(sorted(ends, key=lambda end: -order.index(end[0])))
