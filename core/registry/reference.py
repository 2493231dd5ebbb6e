"""Forms of fields that name other entries, and of the roles that are held in a domain. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from core.registry.document import Entry
from core.registry.form import Form, Texts, Value

_ROLE = re.compile(r"[a-z][a-z0-9-]{0,79}")


@dataclass(frozen=True, slots=True)
class Reference(Form):
    """The id of something else."""

    kind: str
    optional: bool = False

    @property
    def empty(self) -> Value:
        """Return nothing."""
        return None if self.optional else ""

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
class References(Form):
    """A set of ids of something else."""

    kind: str
    least: int = 0

    @property
    def empty(self) -> Value:
        """Return nothing."""
        return ()

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

    @property
    def empty(self) -> Value:
        """Return nothing."""
        return ()

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
