"""Where in a file something stands: entries and fields to lines; a change set holds only a part. Pure."""

from collections.abc import Sequence

from core.registry.document import Entry


class Places:
    """Lines of one file. What does not stand in it has line 0."""

    def __init__(self) -> None:
        """Begin without any entry."""
        self._entries: dict[tuple[str, str], Entry] = {}
        self._ends: dict[tuple[str, str], int] = {}

    def note(self, kind: str, identifier: str, entry: Entry) -> None:
        """Remember where an entry stands."""
        self._entries.setdefault((kind, identifier), entry)

    def has(self, kind: str, identifier: str) -> bool:
        """Return whether an entry stands in the file."""
        return (kind, identifier) in self._entries

    def note_end(self, kind: str, identifier: str, line: int) -> None:
        """Remember where the file ends something."""
        self._ends[kind, identifier] = line

    def is_ending(self, kind: str, identifier: str) -> bool:
        """Return whether the file ends it."""
        return (kind, identifier) in self._ends

    def line_of_end(self, kind: str, identifier: str) -> int:
        """Return the line in which it is ended."""
        return self._ends[kind, identifier]

    def line(self, kind: str, identifier: str, field: str = "", item: str = "") -> int:
        """Return the line of an entry's field (of one item of its list), or of the entry itself."""
        entry = self._entries.get((kind, identifier))
        if entry is None:
            return 0
        return entry.line_of(field, item) if field else entry.line

    def line_of_nth(self, kind: str, identifier: str, field: str, place: int) -> int:
        """Return the line of one entry of a list of an entry, 0 when it does not stand in the file."""
        entry = self._entries.get((kind, identifier))
        return entry.line_of_nth(field, place) if entry is not None else 0

    def first(self, *candidates: tuple[str, str, str]) -> int:
        """Return the line of the first candidate (kind, id, field) that stands in the file."""
        return next((line for kind, name, field in candidates if (line := self.line(kind, name, field))), 0)

    def items(self, kind: str, identifier: str, field: str) -> Sequence[str]:
        """Return the texts of a list as they stand in the file."""
        entry = self._entries.get((kind, identifier))
        return entry.listed(field) if entry is not None else ()
