"""Reads YAML into nodes that remember their lines, and fields out of nodes, collecting every fault. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from core.registry.errors import Fault, RegisterRejected

#: Most octets of a province file, the deepest nesting, most entries of one list, and most characters of one text.
LARGEST, DEEPEST, MANY, LONGEST = 1_048_576, 8, 20_000, 1_000

#: Most texts of one list, and most characters of each.
_LISTED, _ITEM = 500, 200

_IDENTIFIER = re.compile(r"[a-z][a-z0-9-]{1,40}")


class Entry:
    """One mapping of the document; every read that fails leaves a fault and gives a harmless value."""

    def __init__(self, node: yaml.MappingNode, faults: list[Fault]) -> None:
        """Read the keys; a key that stands twice is a fault."""
        self.line = node.start_mark.line + 1
        self._faults = faults
        self._fields: dict[str, yaml.Node] = {}
        self._read: set[str] = set()
        self._inner: dict[str, Entry] = {}
        self._items: list[Entry] = []
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.fault("a field's name is not a text", key, hint="write `name: value`")
                continue
            name = str(key.value)
            if not name.isprintable():
                # Such a name is not repeated: a text may hold half a character, which no answer can be written with.
                hint = "write it again by hand, as plain text"
                self.fault("a field's name holds a character that cannot be printed", key, hint=hint)
                continue
            if name in self._fields:
                self.fault(f"`{name[:80]}` stands twice", key, field=name, hint="keep one of the two")
            self._fields[name] = value

    def fault(self, message: str, node: yaml.Node | None = None, *, field: str = "", hint: str) -> None:
        """Record a fault at ``node``, or at the entry itself."""
        line = self.line if node is None else node.start_mark.line + 1
        self._faults.append(Fault(line, message, field, hint))

    def fault_in(self, name: str, message: str, *, hint: str) -> None:
        """Record a fault in the line of a field."""
        self._faults.append(Fault(self.line_of(name), message, name, hint))

    def fault_item(self, name: str, item: str, message: str, *, hint: str) -> None:
        """Record a fault in the line of one text of a list."""
        self._faults.append(Fault(self.line_of(name, item), message, name, hint))

    def has(self, name: str) -> bool:
        """Return whether a field is given."""
        return name in self._fields

    def line_of(self, name: str, item: str = "") -> int:
        """Return the line of a field (of one ``item`` of its list), or of the entry when it has none."""
        if name not in self._fields:
            inner = (child for child in self._inner.values() if child.has(name))
            return next((child.line_of(name) for child in inner), self.line)
        node = self._fields[name]
        if item and isinstance(node, yaml.SequenceNode):
            found = [one for one in node.value if isinstance(one, yaml.ScalarNode) and one.value == item]
            # The last: of two that are the same the second is one too many.
            node = found[-1] if found else node
        return int(node.start_mark.line) + 1

    def line_of_nth(self, name: str, place: int) -> int:
        """Return the line of one entry of a list, here or inside."""
        node = self._fields.get(name)
        if isinstance(node, yaml.SequenceNode) and place < len(node.value):
            return int(node.value[place].start_mark.line) + 1
        inner = (child for child in self._inner.values() if child.has(name))
        return next((child.line_of_nth(name, place) for child in inner), self.line)

    def peek(self, name: str) -> str:
        """Return a field's text as it stands, whatever it says; empty when it is no text."""
        node = self._fields.get(name)
        return str(node.value) if isinstance(node, yaml.ScalarNode) else ""

    def listed(self, name: str) -> list[str]:
        """Return the texts of a list as they stand, whatever they say."""
        node = self._fields.get(name)
        found = node.value if isinstance(node, yaml.SequenceNode) else []
        return [str(item.value) for item in found if isinstance(item, yaml.ScalarNode)]

    def text(self, name: str, *, default: str | None = None, hint: str = "") -> str:
        """Return a text field; without a default it must be there and not be empty."""
        node = self._take(name)
        if node is None:
            if default is None:
                self.fault(f"`{name}` is missing", field=name, hint=hint or f"add `{name}: …` to the entry")
            return default or ""
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
            self.fault(f"`{name}` is not a text", node, field=name, hint=hint or f"write `{name}: …` with one value")
            return default or ""
        if not node.value.isprintable():
            complaint = f"`{name}` holds a character that cannot be printed"
            self.fault(complaint, node, field=name, hint="write it again by hand, as plain text")
            return default or ""
        if len(node.value) > LONGEST:
            complaint = f"`{name}` has {len(node.value)} characters, more than {LONGEST}"
            self.fault(complaint, node, field=name, hint="say it shorter")
            return default or ""
        return str(node.value)

    def optional(self, name: str) -> str | None:
        """Return a text field, or nothing."""
        return self.text(name) if name in self._fields else None

    def identifier(self, name: str = "id") -> str:
        """Return an id: a lower-case letter, then letters, digits and hyphens, 2 to 41 in all (ASCII)."""
        value = self.text(name)
        if value and not _IDENTIFIER.fullmatch(value):
            complaint = f"`{value[:80]}` is not an id: a lower-case letter, then letters, digits, hyphens"
            self.fault(complaint, self._fields[name], field=name, hint="write it like `fin-budget`, 2 to 41 characters")
        return value

    def number(self, name: str, lowest: int, highest: int) -> int:
        """Return a whole number between ``lowest`` and ``highest``."""
        value = self.text(name)
        if not re.fullmatch(r"[0-9]{1,9}", value) or not lowest <= int(value) <= highest:
            if value:
                complaint = f"`{name}` is `{value[:40]}`, not a number from {lowest} to {highest}"
                hint = f"write one digit from {lowest} to {highest}"
                self.fault(complaint, self._fields[name], field=name, hint=hint)
            return lowest
        return int(value)

    def choice(self, name: str, choices: Mapping[str, int] | Sequence[str]) -> str:
        """Return one of the words; an unknown word is a fault."""
        value = self.text(name)
        if value and value not in choices:
            complaint = f"`{name}` is `{value[:80]}`, none of {', '.join(choices)}"
            self.fault(complaint, self._fields[name], field=name, hint=f"write one of {', '.join(choices)}")
        return value if value in choices else next(iter(choices))

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; absent is empty."""
        found: dict[str, None] = {}
        for item in self._list(name, most=_LISTED):
            if not isinstance(item, yaml.ScalarNode) or not item.value.strip() or not item.value.isprintable():
                complaint = f"`{name}` holds something that is not a text"
                self.fault(complaint, item, field=name, hint=f"write `{name}: [one, two]`")
            elif len(item.value) > _ITEM:
                self.fault(f"`{name}` holds a text longer than {_ITEM}", item, field=name, hint="say it shorter")
            elif item.value in found:
                complaint = f"`{item.value[:80]}` stands twice in `{name}`"
                self.fault(complaint, item, field=name, hint="keep one of the two")
            else:
                found[str(item.value)] = None
        return tuple(found)

    def entries(self, name: str) -> "list[Entry]":
        """Return a list of mappings; absent is empty."""
        found = []
        for item in self._list(name):
            if isinstance(item, yaml.MappingNode):
                found.append(Entry(item, self._faults))
            else:
                complaint = f"`{name}` holds something that has no fields"
                self.fault(complaint, item, field=name, hint="write `- {id: …, name: …}`")
        self._items += found
        return found

    def inner(self, name: str) -> "Entry | None":
        """Return a mapping inside this one; absent is nothing."""
        if name in self._inner:
            return self._inner[name]
        node = self._take(name)
        if isinstance(node, yaml.MappingNode):
            self._inner[name] = Entry(node, self._faults)
        elif node is not None:
            self.fault(f"`{name}` has no fields", node, field=name, hint=f"write fields under `{name}:`")
        return self._inner.get(name)

    def close(self) -> None:
        """Report every field that nobody asked for, here and inside."""
        for name, node in self._fields.items():
            if name not in self._read:
                hint = f"known here: {', '.join(sorted(self._read))}" if self._read else "take it out"
                self.fault(f"`{name[:80]}` is not known here", node, field=name, hint=hint)
        self._read |= self._fields.keys()
        for child in (*self._inner.values(), *self._items):
            child.close()

    def _list(self, name: str, *, most: int = MANY) -> list[yaml.Node]:
        node = self._take(name)
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.fault(f"`{name}` is not a list", node, field=name, hint=f"write `{name}: [one, two]`")
            return []
        if len(node.value) > most:
            complaint = f"`{name}` has {len(node.value)} entries, more than {most}"
            self.fault(complaint, node, field=name, hint="load it in several change sets")
            return []
        return list(node.value)

    def _take(self, name: str) -> yaml.Node | None:
        self._read.add(name)
        return self._fields.get(name)


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that was read once: its text, its root, and the faults that reading the root leaves."""

    text: str
    root: Entry
    faults: list[Fault]


class PlainLoader(yaml.SafeLoader):
    """Composes only what a reviewed file has need of, in one pass: no aliases, no tags, no deep nesting."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Look at what comes next before a node is made of it."""
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it out
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            _refuse(line, "anchors and aliases are not allowed", "write the value out where it is needed")
        if getattr(event, "tag", None) is not None:
            _refuse(line, "tags are not allowed", "take out what begins with `!`")
        inside = isinstance(event, yaml.CollectionStartEvent)
        if self._depth + inside > DEEPEST:
            _refuse(line, f"nested deeper than {DEEPEST}", "look at the brackets and the indentation")
        self._depth += inside
        node = super().compose_node(parent, index)
        self._depth -= inside
        return node

    def scan_flow_scalar_non_spaces(self, double: bool, start_mark: yaml.Mark) -> list[str]:
        """Refuse an escape that stands for no character at all, where PyYAML only fails."""
        line = self.get_mark().line + 1
        try:
            return super().scan_flow_scalar_non_spaces(double, start_mark)
        except (OverflowError, ValueError):
            _refuse(line, "an escape stands for no character", "write the character itself")
            raise


def read(text: str) -> Reading:
    """Read a document. Raises ``RegisterRejected`` when it is not one plain YAML mapping."""
    if len(text.encode("utf-8", "replace")) > LARGEST:
        hint = "load the province first and the rest as change sets"
        raise RegisterRejected((Fault(1, f"the file is larger than {LARGEST} octets", hint=hint),))
    try:
        node = yaml.compose(text, Loader=PlainLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        hint = "look at the indentation, the brackets and the quotes there"
        raise RegisterRejected((Fault(line, f"not readable as YAML: {error.problem}", hint=hint),)) from error
    except yaml.YAMLError as error:
        fault = Fault(_line_of(error, text), f"not readable as YAML: {_reason(error)}", hint="save it as plain UTF-8")
        raise RegisterRejected((fault,)) from error
    if not isinstance(node, yaml.MappingNode):
        raise RegisterRejected((Fault(1, "the file is not a mapping", hint="begin with `province: NAME`"),))
    faults: list[Fault] = []
    return Reading(text, Entry(node, faults), faults)


def _line_of(error: yaml.YAMLError, text: str) -> int:
    """Return the line of a character that YAML cannot hold."""
    position = getattr(error, "position", 0)
    return text.count("\n", 0, position) + 1 if isinstance(position, int) else 1


def _reason(error: yaml.YAMLError) -> str:
    return str(getattr(error, "reason", error)).replace("\n", " ")[:200]


def _refuse(line: int, message: str, hint: str) -> None:
    raise RegisterRejected((Fault(line, message, hint=hint),))
