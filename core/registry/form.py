"""Forms of a field: how it is read from a reviewed file, what it refers to, how people are shown it. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import Field, dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar, cast

from core.clock import from_rfc3339, to_rfc3339
from core.registry.document import Entry
from core.registry.level import Classification

#: What a field may hold: it can be written as canonical JSON and read back.
Value = str | int | None | tuple["Value", ...]

#: Damages of a grading worksheet: (object, degree, reason).
Damages = tuple[tuple[str, str, str], ...]

#: Words for a classification.
CLASSIFICATIONS = {
    "public": 0, "公开": 0, "internal": 1, "内部": 1, "secret": 2, "秘密": 2,
    "confidential": 3, "机密": 3, "top-secret": 4, "绝密": 4,
}  # fmt: skip

#: Words of a grading worksheet (GB/T 22240-2020, chapter 5), Chinese or English; the first of a pair is kept.
OBJECTS = ("citizens", "public-order", "national-security")
DEGREES = ("general", "serious", "especially-serious")
_CHINESE = {
    "公民、法人和其他组织的合法权益": "citizens", "社会秩序、公共利益": "public-order", "国家安全": "national-security",
    "一般损害": "general", "严重损害": "serious", "特别严重损害": "especially-serious",
}  # fmt: skip

_ROLE = re.compile(r"[a-z][a-z0-9-]{0,79}")
_DNS = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

#: A date without a time begins in Beijing.
_BEIJING = timezone(timedelta(hours=8))

Held = TypeVar("Held")


@dataclass(frozen=True, slots=True)
class Form:
    """What every form can do."""

    def read(self, entry: Entry, name: str) -> Value:
        """Return the field's value, leaving a fault where it has not this form."""
        raise NotImplementedError

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

    def read(self, entry: Entry, name: str) -> Value:
        """Return the number."""
        if self.optional and not entry.has(name):
            return 0
        return entry.number(name, self.lowest, self.highest)


@dataclass(frozen=True, slots=True)
class Classified(Form):
    """A classification as its number."""

    default: int | None = None

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

    def read(self, entry: Entry, name: str) -> Value:
        """Return the name."""
        if self.optional and not entry.has(name):
            return None
        value = entry.text(name)
        if value and (len(value) > 253 or not _DNS.fullmatch(value)):
            entry.fault_in(name, f"`{value[:80]}` is not a DNS name", hint="write it like `fin.beichen.example`")
        return value


@dataclass(frozen=True, slots=True)
class Reference(Form):
    """The id of something else."""

    kind: str
    optional: bool = False

    def read(self, entry: Entry, name: str) -> Value:
        """Return the id."""
        return entry.optional(name) if self.optional else entry.text(name)

    def refers(self, value: Value) -> Iterator[tuple[str, str]]:
        """Return the one thing referred to."""
        if isinstance(value, str) and value:
            yield self.kind, value


@dataclass(frozen=True, slots=True)
class Officer(Form):
    """The post that answers: nothing may be without its 主管 and its 运行."""

    title: str

    def read(self, entry: Entry, name: str) -> Value:
        """Return the post's id."""
        if not entry.has(name):
            complaint = f"`{name}` is missing: nothing is without its {self.title} post"
            entry.fault(complaint, field=name, hint=f"add `{name}: POST`, the id of a post of this file")
            return ""
        return entry.text(name)

    def refers(self, value: Value) -> Iterator[tuple[str, str]]:
        """Return the post."""
        if isinstance(value, str) and value:
            yield "post", value


@dataclass(frozen=True, slots=True)
class Texts(Form):
    """A set of texts, kept in order."""

    least: int = 0

    def read(self, entry: Entry, name: str) -> Value:
        """Return the texts."""
        found = entry.texts(name)
        if len(found) < self.least:
            entry.fault_in(name, f"`{name}` is empty", hint=f"write at least {self.least}: `{name}: [one, two]`")
        return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class References(Form):
    """A set of ids of something else."""

    kind: str
    least: int = 0

    def read(self, entry: Entry, name: str) -> Value:
        """Return the ids."""
        return Texts(self.least).read(entry, name)

    def refers(self, value: Value) -> Iterator[tuple[str, str]]:
        """Return everything referred to."""
        for item in cast("tuple[str, ...]", value):
            yield self.kind, item


@dataclass(frozen=True, slots=True)
class Roles(Form):
    """Pairs of domain and role, written ``domain:role``."""

    def read(self, entry: Entry, name: str) -> Value:
        """Return the pairs."""
        pairs = set()
        for text in entry.texts(name):
            domain, _, role = text.partition(":")
            if not _ROLE.fullmatch(role):
                complaint = f"`{text[:120]}` is not written `domain:role`"
                entry.fault_item(name, text, complaint, hint="write it like `outer-finance:budget-reader`")
            pairs.add((domain, role))
        return tuple(sorted(pairs))

    def refers(self, value: Value) -> Iterator[tuple[str, str]]:
        """Return the domains."""
        for domain, _role in cast("tuple[tuple[str, str], ...]", value):
            yield "domain", domain

    def show(self, value: Value) -> str:
        """Return them as they are written."""
        return ", ".join(f"{domain}:{role}" for domain, role in cast("tuple[tuple[str, str], ...]", value))


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
                return to_rfc3339(datetime.fromisoformat(text).replace(tzinfo=_BEIJING))
            return to_rfc3339(from_rfc3339(text))
        except (ValueError, OverflowError):
            hint = "write a date (2026-01-31) or a time with an offset (2026-01-31T09:00:00+08:00)"
            entry.fault_in(name, f"`{text[:40]}` is not a time", hint=hint)
            return ""


@dataclass(frozen=True, slots=True)
class Worksheet(Form):
    """One half of a grading worksheet, under ``grading:``; ``part`` is information (S) or service (A)."""

    part: str

    def read(self, entry: Entry, name: str) -> Value:
        """Return the damages, with the words kept in English."""
        sheet = entry.inner("grading")
        found = []
        for damage in sheet.entries(self.part) if sheet is not None else ():
            harmed = _word(damage, "object", OBJECTS)
            degree = _word(damage, "degree", DEGREES)
            reason = damage.text("reason", hint="say in a sentence why; the reviewers and the auditor read it")
            found.append((harmed, degree, reason))
        if sheet is not None and not found:
            complaint = f"the worksheet has no damage under `{self.part}`"
            sheet.fault(complaint, field=self.part, hint=f"add `{self.part}: [{{object: …, degree: …, reason: …}}]`")
        return tuple(found)

    def show(self, value: Value) -> str:
        """Return one line for each damage."""
        return "\n".join(f"{harmed}: {degree} ({reason})" for harmed, degree, reason in cast("Damages", value))


def own(form: Form, *, elsewhere: bool = False) -> Any:  # noqa: ANN401  # as dataclasses.field itself
    """Declare a field with its form; ``elsewhere``: its history is kept in a table of its own."""
    return field(metadata={"form": form, "elsewhere": elsewhere})


def of(declared: "Field[Any]") -> Form:
    """Return a field's form."""
    return cast("Form", declared.metadata["form"])


def is_elsewhere(declared: "Field[Any]") -> bool:
    """Return whether a field's history is kept in a table of its own."""
    return bool(declared.metadata["elsewhere"])


def pack(value: Value) -> Any:  # noqa: ANN401  # JSON
    """Return a value as JSON holds it."""
    return [pack(item) for item in value] if isinstance(value, tuple) else value


def unpack(value: object) -> Value:
    """Return what ``pack`` made as a value. Raises ``TypeError`` for anything else."""
    if isinstance(value, list):
        return tuple(unpack(item) for item in value)
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"a register entry holds no {type(value).__name__}")


def _word(entry: Entry, name: str, words: Sequence[str]) -> str:
    both = (*words, *(chinese for chinese, english in _CHINESE.items() if english in words))
    value = entry.choice(name, both)
    return _CHINESE.get(value, value)
