"""The grammar of secret markings (保守国家秘密法; GB/T 9704-2012): `密级★保密期限`, and the wrong forms in the wild.

Pure. A *strong* marking has a star beside the level; a *weak* one is a level alone on one of the first lines. Words
such as 机密计算 or 秘密武器 are no marking, nor are the ratings and bullets that stars are used for as well.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from core.registry.level import Classification

#: What may stand for the star: ★ is right, the others are seen.
STARS = "★☆✩＊*"

#: The three levels of state secrets by their words.
LEVELS = {
    level.marking: level for level in (Classification.TOP_SECRET, Classification.CONFIDENTIAL, Classification.SECRET)
}

#: The character that every level ends with.
_COMMON = "密"

#: Longest term in years (保守国家秘密法 2024, Art. 20); what is marked without a term is kept for the longest.
LONGEST_TERM = {Classification.TOP_SECRET: 30, Classification.CONFIDENTIAL: 20, Classification.SECRET: 10}

#: Encodings that a text may be in, in the order in which they are tried.
ENCODINGS = ("utf-8", "gb18030", "utf-16-le", "utf-16-be")

_SPACE = r"[ \t\u00a0\u3000]{0,3}"
_STAR = "[★☆✩*]"  # after NFKC, which turns ＊ into *
_NUMBER = r"(?:[0-9]{1,4}|[〇零一二三四五六七八九十百]{1,5})"
_PERIOD = rf"(?:{_NUMBER}{_SPACE}(?:年|个月)(?![0-9〇零一二三四五六七八九十])|长期|永久)"
_DATE = r"(?:[0-9]{4}(?:年[0-9]{1,2}月(?:[0-9]{1,2}日)?|[-./][0-9]{1,2}[-./][0-9]{1,2}|[01][0-9][0-3][0-9]))"
# A condition is a short phrase that names a moment: `启用前`, `会议开始前`, `公布后`, `开标时解密`.
_CONDITION = r"[\u4e00-\u9fff]{1,16}(?:前|后|时|止|解密)"
_LEVEL = rf"(?P<level>绝{_SPACE}密|机{_SPACE}密|秘{_SPACE}密)"
# Trade secrets, work secrets and the like are not state secrets, whatever star stands beside them.
_NOT_OF_STATE = r"(?<!商业)(?<!工作)(?<!技术)(?<!个人)(?<!企业)"

_LEVEL_FIRST = re.compile(
    rf"{_NOT_OF_STATE}{_LEVEL}(?P<gap>{_SPACE})(?P<star>{_STAR})(?!{_SPACE}{_STAR})"
    rf"(?:(?P<space>{_SPACE})(?P<term>{_DATE}|{_PERIOD}|{_CONDITION}))?"
)
_STAR_FIRST = re.compile(
    rf"(?<!{_STAR})(?P<star>{_STAR})(?P<gap>{_SPACE}){_LEVEL}"
    rf"(?:{_SPACE}(?P<term>{_DATE}|{_PERIOD})|(?={_SPACE}(?:[\r\n)\]】）]|$)))"
)
_ALONE = re.compile(rf"^{_SPACE}[(\[【（]?{_SPACE}{_LEVEL}{_SPACE}(?P<term>{_PERIOD})?{_SPACE}[)\]】）]?{_SPACE}$")

#: How many lines from the top a weak marking may stand in (it belongs to the top left of the first page).
_FIRST_LINES = 5

_INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]")
_SPACES = re.compile(r"[ \t\u00a0\u3000]+")
_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"〇": 0}


@dataclass(frozen=True, slots=True)
class Marking:
    """One marking: its level, its term as written, and the whole ``text`` in normal form.

    ``malformed`` says it is not written as the standard wants, ``exceeds`` that its term is longer than the law allows;
    ``start`` is its place in the normalised text.
    """

    level: Classification
    term: str
    text: str
    strong: bool
    malformed: bool
    exceeds: bool
    start: int


def normalise(text: str) -> str:
    """Return ``text`` in NFKC without characters that cannot be seen."""
    return unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))


def find_markings(text: str) -> list[Marking]:
    """Return the markings in ``text`` in their order, weak ones only from its first lines."""
    normal = normalise(text)
    strong = sorted(_strong(normal), key=lambda marking: marking.start)
    taken = {marking.start for marking in strong}
    weak = [marking for marking in _weak(normal) if marking.start not in taken]
    return sorted([*strong, *weak], key=lambda marking: marking.start)


def highest(markings: list[Marking]) -> Marking | None:
    """Return the marking that governs: the highest level, of equals the one with the longest term."""
    return max(markings, key=lambda one: (one.level, _years(one.term) or 0, -one.start), default=None)


def decode(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield (encoding, text) for every encoding that ``content`` may carry a level in; broken places become U+FFFD.

    UTF-16 is tried at both alignments, because a window into a document may begin in the middle of a character.
    """
    for encoding in ENCODINGS:
        if _COMMON.encode(encoding) not in content:
            continue  # whole and quick: without this character there is no level in the text
        yield encoding, content.decode(encoding, errors="replace")
        if encoding.startswith("utf-16") or encoding == "gb18030":
            yield encoding, content[1:].decode(encoding, errors="replace")


def find_in(content: bytes) -> tuple[str, list[Marking]]:
    """Return the strong markings in ``content``, of all encodings, and that of the highest; ("", []) without any.

    A form may carry several documents, each in an encoding of its own.
    """
    found: list[tuple[str, Marking]] = []
    for encoding, text in decode(content):
        found += [(encoding, marking) for marking in find_markings(text) if marking.strong]
    governing = highest([marking for _encoding, marking in found])
    return next((encoding for encoding, one in found if one is governing), ""), [one for _encoding, one in found]


def exceeds_legal_maximum(level: Classification, term: str) -> bool:
    """Say whether ``term`` is longer than the law allows for ``level``; dates and conditions never are."""
    years = _years(term)
    return years is not None and level in LONGEST_TERM and years > LONGEST_TERM[level]


def _strong(text: str) -> Iterator[Marking]:
    for match in _LEVEL_FIRST.finditer(text):
        if match["star"] == "*" and not match["term"]:
            continue  # an asterisk is emphasis or a footnote, unless a term follows it
        yield _marking(match, strong=True, malformed=match["star"] != "★" or _loose(match))
    for match in _STAR_FIRST.finditer(text):
        if match["star"] == "*" and not match["term"]:
            continue
        if not _LEVEL_FIRST.match(text, match.start("level")):
            yield _marking(match, strong=True, malformed=True)


def _loose(match: re.Match[str]) -> bool:
    return (
        match["gap"] != ""
        or bool(match["space"])
        or bool(re.search(r"[〇零一二三四五六七八九十百]", match["term"] or ""))
    )


def _weak(text: str) -> Iterator[Marking]:
    offset = 0
    for line in text.splitlines(keepends=True)[:_FIRST_LINES]:
        match = _ALONE.match(line.rstrip("\r\n"))
        if match:
            yield _marking(match, strong=False, malformed=True, offset=offset)
        offset += len(line)


def _marking(match: re.Match[str], *, strong: bool, malformed: bool, offset: int = 0) -> Marking:
    level = LEVELS[_SPACES.sub("", match["level"])]
    term = _SPACES.sub("", match["term"] or "")
    return Marking(
        level=level,
        term=term,
        text=_SPACES.sub(" ", match[0]).strip(),
        strong=strong,
        malformed=malformed,
        exceeds=exceeds_legal_maximum(level, term),
        start=match.start() + offset,
    )


def _years(term: str) -> float | None:
    match = re.fullmatch(r"(.+?)(年|个月)", term)
    if not match:
        return None
    number = _number(match[1])
    if number is None:
        return None
    return number if match[2] == "年" else number / 12


def _number(text: str) -> int | None:
    """Return the value of Arabic or simple Chinese figures (up to 百), or nothing."""
    if text.isdecimal():
        return int(text)
    total, digit = 0, -1
    for character in text:
        if character in _DIGITS:
            digit = _DIGITS[character]
        elif character in "十百":
            total += (10 if character == "十" else 100) * (1 if digit < 0 else digit)
            digit = -1
        else:
            return None
    return total + max(digit, 0)
