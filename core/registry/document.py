"""Reads YAML into nodes that remember their lines, and fields out of nodes, collecting every fault. Pure."""

import re
from collections.abc import Iterable, Mapping

import yaml

from core.registry.errors import Fault, RegisterRejected

#: Most octets of a province file, and the deepest nesting.
LARGEST, DEEPEST = 1_048_576, 8

_IDENTIFIER = re.compile(r"[a-z][a-z0-9-]{1,40}")


class Entry:
    """One mapping of the document; every read that fails leaves a fault and gives a harmless value."""

    def __init__(self, node: yaml.MappingNode, faults: list[Fault]) -> None:
        """Read the keys; a key that stands twice is a fault."""
        self.line = node.start_mark.line + 1
        self._faults = faults
        self._fields: dict[str, yaml.Node] = {}
        self._read: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.fault("a field's name is not a text", key)
                continue
            name = str(key.value)
            if name in self._fields:
                self.fault(f"`{name}` stands twice", key)
            self._fields[name] = value

    def fault(self, message: str, node: yaml.Node | None = None) -> None:
        """Record a fault at ``node``, or at the entry itself."""
        self._faults.append(Fault(self.line if node is None else node.start_mark.line + 1, message))

    def line_of(self, name: str) -> int:
        """Return the line of a field, or of the entry when it has none."""
        return self._fields[name].start_mark.line + 1 if name in self._fields else self.line

    def text(self, name: str, *, default: str | None = None) -> str:
        """Return a text field; without a default it must be there and not be empty."""
        node = self._take(name)
        if node is None:
            if default is None:
                self.fault(f"`{name}` is missing")
            return default or ""
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
            self.fault(f"`{name}` is not a text", node)
            return default or ""
        if not node.value.isprintable():
            self.fault(f"`{name}` holds a character that cannot be printed", node)
            return default or ""
        return str(node.value)

    def optional(self, name: str) -> str | None:
        """Return a text field, or nothing."""
        return self.text(name) if name in self._fields else None

    def identifier(self, name: str = "id") -> str:
        """Return an id: a lower-case letter, then letters, digits and hyphens, 2 to 41 in all (ASCII)."""
        value = self.text(name)
        if value and not _IDENTIFIER.fullmatch(value):
            self.fault(
                f"`{value}` is not an id: a lower-case letter, then letters, digits, hyphens", self._fields[name]
            )
        return value

    def number(self, name: str, lowest: int, highest: int) -> int:
        """Return a whole number between ``lowest`` and ``highest``."""
        value = self.text(name)
        if not re.fullmatch(r"[0-9]{1,9}", value) or not lowest <= int(value) <= highest:
            if value:
                self.fault(f"`{name}` is `{value[:40]}`, not a number from {lowest} to {highest}", self._fields[name])
            return lowest
        return int(value)

    def choice(self, name: str, choices: Mapping[str, int], *, default: int | None = None) -> int:
        """Return what a word stands for; an unknown word is a fault."""
        if name not in self._fields and default is not None:
            return default
        value = self.text(name)
        if value and value not in choices:
            self.fault(f"`{name}` is `{value}`, none of {', '.join(choices)}", self._fields[name])
        return choices.get(value, 0)

    def texts(self, name: str) -> tuple[tuple[str, int], ...]:
        """Return a list of texts with their lines; absent is empty."""
        node = self._take(name)
        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode):
            self.fault(f"`{name}` is not a list", node)
            return ()
        for item in node.value:
            if not isinstance(item, yaml.ScalarNode):
                self.fault(f"`{name}` holds something that is not a text", item)
        return tuple(
            (str(item.value), item.start_mark.line + 1) for item in node.value if isinstance(item, yaml.ScalarNode)
        )

    def entries(self, name: str) -> list["Entry"]:
        """Return a list of mappings; absent is empty."""
        node = self._take(name)
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.fault(f"`{name}` is not a list", node)
            return []
        return [entry for item in node.value if (entry := self._entry(name, item))]

    def close(self, allowed: Iterable[str] = ()) -> None:
        """Report every field that nobody asked for."""
        for name, node in self._fields.items():
            if name not in self._read and name not in allowed:
                self.fault(f"`{name}` is not known here", node)

    def _entry(self, name: str, node: yaml.Node) -> "Entry | None":
        if isinstance(node, yaml.MappingNode):
            return Entry(node, self._faults)
        self.fault(f"`{name}` holds something that has no fields", node)
        return None

    def _take(self, name: str) -> yaml.Node | None:
        self._read.add(name)
        return self._fields.get(name)


def read(text: str, faults: list[Fault]) -> Entry:
    """Return the document's root. Raises ``RegisterRejected`` when it is not one plain YAML mapping."""
    if len(text.encode("utf-8", "replace")) > LARGEST:
        raise RegisterRejected((Fault(1, f"the file is larger than {LARGEST} octets"),))
    try:
        _check_tokens(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RegisterRejected((Fault(line, f"not readable as YAML: {error.problem}"),)) from error
    except yaml.YAMLError as error:
        raise RegisterRejected((Fault(1, f"not readable as YAML: {error}"),)) from error
    if not isinstance(node, yaml.MappingNode):
        raise RegisterRejected((Fault(1, "the file is not a mapping"),))
    return Entry(node, faults)


def _check_tokens(text: str) -> None:
    """Refuse what a reviewed file has no need of, before a tree is built from it: aliases, tags, deep nesting."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise RegisterRejected((Fault(line, "anchors and aliases are not allowed"),))
        if getattr(event, "tag", None) is not None:
            raise RegisterRejected((Fault(line, "tags are not allowed"),))
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise RegisterRejected((Fault(line, f"nested deeper than {DEEPEST}"),))
