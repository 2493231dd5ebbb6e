"""The form of a grading worksheet: what would be damaged, how much, and why (GB/T 22240-2020, chapter 5). Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from core.registry.document import Entry
from core.registry.form import Form, Value

#: Damages of a grading worksheet: (object, degree, reason).
Damages = tuple[tuple[str, str, str], ...]

#: Words of a grading worksheet (GB/T 22240-2020, chapter 5), Chinese or English; the first of a pair is kept.
OBJECTS = ("citizens", "public-order", "national-security")
DEGREES = ("general", "serious", "especially-serious")
_CHINESE = {
    "公民、法人和其他组织的合法权益": "citizens", "社会秩序、公共利益": "public-order", "国家安全": "national-security",
    "一般损害": "general", "严重损害": "serious", "特别严重损害": "especially-serious",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Worksheet(Form):
    """One half of a grading worksheet, under ``grading:``; ``part`` is information (S) or service (A)."""

    part: str

    @property
    def empty(self) -> Value:
        """Return nothing."""
        return ()

    def read(self, entry: Entry, name: str) -> Value:  # noqa: ARG002  # it stands under `grading`
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

    def is_given(self, entry: Entry, name: str) -> bool:  # noqa: ARG002  # both halves are given together
        """Return whether a file has a worksheet."""
        return entry.has("grading")

    def show(self, value: Value) -> str:
        """Return one line for each damage."""
        return "\n".join(f"{harmed}: {degree} ({reason})" for harmed, degree, reason in cast("Damages", value))


def _word(entry: Entry, name: str, words: Sequence[str]) -> str:
    both = (*words, *(chinese for chinese, english in _CHINESE.items() if english in words))
    value = entry.choice(name, both)
    return _CHINESE.get(value, value)
