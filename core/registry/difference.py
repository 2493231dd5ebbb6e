"""What one whole says that another does not: added, changed (field by field, old and new), missing. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.registry import content
from core.registry.province import KINDS, Entry, PostEntry, Province


@dataclass(frozen=True, slots=True)
class Change:
    """What applying a file changes (or changed): ``kind:id`` each, in the order of the file.

    ``missing`` is in the register and not in a province file; ``ended`` is what a change set ends; ``fields`` has for
    each changed entry the old and the new value of each field, as people read them.
    """

    added: tuple[str, ...]
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    ended: tuple[str, ...] = ()
    fields: Mapping[str, Mapping[str, tuple[str, str]]] = field(default_factory=dict, compare=False)

    @property
    def is_empty(self) -> bool:
        """Whether the register already says what the file says."""
        return not self.added and not self.changed and not self.ended


def compare(present: Province, wanted: Province) -> Change:
    """Return what must happen for the register to say ``wanted``."""
    held = {(kind, entry.id): entry for kind, entry in present.entries()}
    asked = {(kind, entry.id): entry for kind, entry in wanted.entries()}
    fields = {
        f"{kind}:{name}": differs
        for (kind, name), entry in asked.items()
        if (kind, name) in held and (differs := _differences(held[kind, name], entry))
    }
    return Change(
        added=tuple(f"{kind}:{name}" for kind, name in asked if (kind, name) not in held),
        changed=tuple(fields),
        missing=tuple(sorted(f"{kind}:{name}" for kind, name in held if (kind, name) not in asked)),
        fields=fields,
    )


def _differences(held: Entry, entry: Entry) -> Mapping[str, tuple[str, str]]:
    differs = content.differences(held, entry)
    if isinstance(entry, PostEntry) and entry.basis == "-" and "holder" not in differs:
        # The act that appointed is left out: of who holds the post already that says nothing new.
        return {name: pair for name, pair in differs.items() if name != "basis"}
    return differs


def parents_first(kind: str, entries: tuple[Entry, ...]) -> list[Entry]:
    """Order entries so that each comes after its parent; there are no cycles in a checked whole."""
    if "parent" not in KINDS[kind].forms():
        return list(entries)
    waiting, ordered = {entry.id: entry for entry in entries}, list[Entry]()
    for entry in entries:
        branch: list[Entry] = []
        above: Entry | None = waiting.get(entry.id)
        while above is not None:
            branch.append(waiting.pop(above.id))
            above = waiting.get(getattr(above, "parent", None) or "")
        ordered += reversed(branch)
    return ordered
