"""Forms of a field: how it is read from a reviewed file, what it refers to, how people are shown it. Pure."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import Field, dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar, cast

from core.clock import bounded, parse_given, to_rfc3339
from core.ledger.entry import JsonValue
from core.registry.document import Entry
from core.registry.level import Classification

#: What a field may hold: it can be written as canonical JSON and read back.
Value = str | int | None | tuple["Value", ...]

#: Words for a classification.
CLASSIFICATIONS = {
    "public": 0, "公开": 0, "internal": 1, "内部": 1, "secret": 2, "秘密": 2,
    "confidential": 3, "机密": 3, "top-secret": 4, "绝密": 4,
}  # fmt: skip

_DNS = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

#: A date without a time begins in Beijing.
_BEIJING = timezone(timedelta(hours=8))

Held = TypeVar("Held")


@dataclass(frozen=True, slots=True)
class Form(ABC):
    """What every form can do."""

    @property
    def empty(self) -> Value:
        """Return what a field holds that nobody has filled."""
        return ""

    @abstractmethod
    def read(self, entry: Entry, name: str) -> Value:
        """Return the field's value, leaving a fault where it has not this form."""

    def is_given(self, entry: Entry, name: str) -> bool:
        """Return whether a file says anything about the field."""
        return entry.has(name)

    def refers(self, value: Value) -> Iterator[tuple[str, str]]:  # noqa: ARG002
        """Return (kind, id) of what a value refers to."""
        yield from ()

    def show(self, value: Value) -> str:
        """Return the value as people read it."""
        if isinstance(value, tuple):
            return ", ".join(self.show(item) for item in value)
        return "" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Identifier(Form):
    """The id; ``reserved`` are names that evidence and roles give to something else."""

    reserved: tuple[str, ...] = ()

    def read(self, entry: Entry, name: str) -> Value:
        """Return the id."""
        value = entry.identifier(name)
        if value in self.reserved:
            entry.fault_in(name, f"`{value}` means something else and cannot be an id here", hint="choose another id")
        return value


@dataclass(frozen=True, slots=True)
class Text(Form):
    """A text; it must be there unless it has a default."""

    default: str | None = None

    def read(self, entry: Entry, name: str) -> Value:
        """Return the text."""
        return entry.text(name, default=self.default)


@dataclass(frozen=True, slots=True)
class Word(Form):
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, entry: Entry, name: str) -> Value:
        """Return the word."""
        return entry.choice(name, self.words)


@dataclass(frozen=True, slots=True)
class Number(Form):
    """A whole number; 0 when it may be left out and was."""

    lowest: int
    highest: int
    optional: bool = False

    @property
    def empty(self) -> Value:
        """Return nothing."""
        return 0

    def read(self, entry: Entry, name: str) -> Value:
        """Return the number."""
        if self.optional and not entry.has(name):
            return 0
        return entry.number(name, self.lowest, self.highest)


@dataclass(frozen=True, slots=True)
class Classified(Form):
    """A classification as its number."""

    default: int | None = None

    @property
    def empty(self) -> Value:
        """Return nothing."""
        return 0

    def read(self, entry: Entry, name: str) -> Value:
        """Return the number that a word stands for."""
        if self.default is not None and not entry.has(name):
            return self.default
        return CLASSIFICATIONS[entry.choice(name, CLASSIFICATIONS)]

    def show(self, value: Value) -> str:
        """Return the marking."""
        return Classification(cast("int", value)).marking or "公开"


@dataclass(frozen=True, slots=True)
class DnsName(Form):
    """A DNS name in lower case."""

    optional: bool = False

    @property
    def empty(self) -> Value:
        """Return nothing."""
        return None if self.optional else ""

    def read(self, entry: Entry, name: str) -> Value:
        """Return the name."""
        if self.optional and not entry.has(name):
            return None
        value = entry.text(name)
        if value and (len(value) > 253 or not _DNS.fullmatch(value)):
            entry.fault_in(name, f"`{value[:80]}` is not a DNS name", hint="write it like `fin.beichen.example`")
        elif value.endswith(".invalid"):
            # RFC 2606, section 2: nobody's. What ends, or is about to get another name, is called so meanwhile.
            entry.fault_in(name, f"`{value[:80]}` is a name that nobody can have", hint="choose one of your own")
        return value


@dataclass(frozen=True, slots=True)
class Texts(Form):
    """A set of texts, kept in order."""

    least: int = 0

    @property
    def empty(self) -> Value:
        """Return nothing."""
        return ()

    def read(self, entry: Entry, name: str) -> Value:
        """Return the texts."""
        found = entry.texts(name)
        if len(found) < self.least:
            entry.fault_in(name, f"`{name}` is empty", hint=f"write at least {self.least}: `{name}: [one, two]`")
        return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class Moment(Form):
    """A time with an offset (RFC 3339), or a date, which begins in Beijing; kept in UTC."""

    def read(self, entry: Entry, name: str) -> Value:
        """Return the time in RFC 3339."""
        text = entry.text(name)
        if not text:
            return ""
        try:
            if _DATE.fullmatch(text):
                return to_rfc3339(bounded(datetime.fromisoformat(text).replace(tzinfo=_BEIJING)))
            return to_rfc3339(parse_given(text))
        except ValueError:
            hint = "write a date (2026-01-31) or a time with an offset (2026-01-31T09:00:00+08:00)"
            entry.fault_in(name, f"`{text[:40]}` is not a time", hint=hint)
            return ""


def own(form: Form, *, elsewhere: bool = False, personal: bool = False) -> Any:  # as dataclasses.field itself
    """Declare a field with its form.

    ``elsewhere``: its history is kept in a table of its own; ``personal``: the evidence never carries it.
    """
    return field(metadata={"form": form, "elsewhere": elsewhere, "personal": personal})


def of(declared: "Field[Any]") -> Form:
    """Return a field's form."""
    return cast("Form", declared.metadata["form"])


def is_elsewhere(declared: "Field[Any]") -> bool:
    """Return whether a field's history is kept in a table of its own."""
    return bool(declared.metadata["elsewhere"])


def is_personal(declared: "Field[Any]") -> bool:
    """Return whether the evidence never carries a field."""
    return bool(declared.metadata["personal"])


def pack(value: Value) -> JsonValue:
    """Return a value as JSON holds it."""
    return [pack(item) for item in value] if isinstance(value, tuple) else value


def unpack(value: object) -> Value:
    """Return what ``pack`` made as a value. Raises ``TypeError`` for anything else."""
    if isinstance(value, list):
        return tuple(unpack(item) for item in value)
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"a register entry holds no {type(value).__name__}")
