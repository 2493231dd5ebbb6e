"""Rules for Suricata from what the register says: a marking above a domain's ceiling must not cross the domain's wire.

Pure and deterministic. For every domain, level above its ceiling, star, encoding and order there is one rule on the
bodies of HTTP (``file.data``: responses and uploads, after chunked and gzip are undone). A domain whose ceiling allows
a level has no rule for it.

Signature ids: ``1_000_000_000 + slot * 1000 + combination``. ``slot`` (0 to 999,999) is taken from the SHA-256 of the
domain's id, the next free one when two domains fall together; ``combination`` numbers (level, star, encoding, order).
So a rule keeps its id when domains come and go, and all ids lie above those of public rule sets.
"""

import hashlib
import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from core.registry.level import Classification
from monitor import markings
from monitor.errors import BadPlan

FIRST_SID = 1_000_000_000
_SLOTS = 1_000_000
_PER_DOMAIN = 1000

#: How Suricata's metadata, which is ASCII, calls levels and stars.
LEVEL_WORDS = {level: level.name.lower().replace("_", "-") for level in Classification}
STAR_WORDS = dict(zip(markings.STARS, ("black", "white", "outlined", "fullwidth", "asterisk"), strict=True))

#: Octets that may lie between level and star: one wide space or a few narrow ones. The grammar decides afterwards.
_GAP = {"utf-8": 3, "gb18030": 2, "utf-16-le": 4, "utf-16-be": 4}
_ORDERS = ("level-first", "star-first")

_DOMAIN_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")


@dataclass(frozen=True, slots=True)
class Boundary:
    """One domain to watch: the ceiling that nothing in it may exceed, and its address ranges (CIDR)."""

    domain: str
    ceiling: Classification
    ranges: tuple[str, ...]


def render(boundaries: Sequence[Boundary]) -> str:
    """Return the rules file. Raises ``BadPlan`` for a domain that no rule can be made of, or one named twice."""
    ordered = sorted(boundaries, key=lambda boundary: boundary.domain)
    names = [boundary.domain for boundary in ordered]
    if len(set(names)) != len(names):
        raise BadPlan("a domain is named twice in the sensor's plan")
    version = policy_version(ordered)
    slots = _slots(names)
    lines = [f"# Markings above the ceiling of their domain. Policy {version}. Generated; changes are lost."]
    for boundary in ordered:
        lines += _rules(boundary, slots[boundary.domain], version)
    return "\n".join(lines) + "\n"


def policy_version(boundaries: Sequence[Boundary]) -> str:
    """Return 16 hexadecimal digits that change with whatever the rules are made of."""
    digest = hashlib.sha256()
    for boundary in sorted(boundaries, key=lambda one: one.domain):
        _check(boundary)
        digest.update(f"{boundary.domain}\0{int(boundary.ceiling)}\0{' '.join(sorted(boundary.ranges))}\n".encode())
    return digest.hexdigest()[:16]


def _check(boundary: Boundary) -> None:
    if not _DOMAIN_ID.fullmatch(boundary.domain):
        raise BadPlan(f"`{boundary.domain}` is no domain id", hint="lower-case letters, digits, `.`, `_` and `-`")
    for text in boundary.ranges:
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            raise BadPlan(f"`{text}` of domain `{boundary.domain}` is no address range: {error}") from error


def _slots(names: Sequence[str]) -> dict[str, int]:
    taken: dict[int, str] = {}
    for name in names:
        slot = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % _SLOTS
        while slot in taken:
            slot = (slot + 1) % _SLOTS
        taken[slot] = name
    return {name: slot for slot, name in taken.items()}


def _rules(boundary: Boundary, slot: int, version: str) -> Iterator[str]:
    if not boundary.ranges:
        yield f"# {boundary.domain} has no address range: nothing on the wire can be told to be in it."
        return
    ranges = ",".join(sorted(str(ipaddress.ip_network(text)) for text in boundary.ranges))
    combinations = product(sorted(markings.LONGEST_TERM), markings.STARS, markings.ENCODINGS, _ORDERS)
    for combination, (level, star, encoding, order) in enumerate(combinations):
        if level > boundary.ceiling:
            sid = FIRST_SID + slot * _PER_DOMAIN + combination
            yield _rule(boundary, level, star, encoding, order, ranges=f"[{ranges}]", sid=sid, version=version)


def _rule(
    boundary: Boundary,
    level: Classification,
    star: str,
    encoding: str,
    order: str,
    *,
    ranges: str,
    sid: int,
    version: str,
) -> str:
    word, mark = level.marking.encode(encoding), star.encode(encoding)
    first, second = (word, mark) if order == "level-first" else (mark, word)
    ceiling = LEVEL_WORDS[boundary.ceiling]
    metadata = (
        f"owner guosuo, domain {boundary.domain}, level {LEVEL_WORDS[level]}, ceiling {ceiling}, "
        f"star {STAR_WORDS[star]}, encoding {encoding}, order {order}, policy {version}"
    )
    # `<>` and no flow direction: the domain may be the server's or the client's, the text a response or an upload.
    return (
        f"alert http {ranges} any <> any any "
        f'(msg:"guosuo marking {LEVEL_WORDS[level]} above ceiling {ceiling} of {boundary.domain}"; '
        f'file.data; content:"|{first.hex(" ")}|"; '
        f'content:"|{second.hex(" ")}|"; distance:0; within:{len(second) + _GAP[encoding]}; '
        f"sid:{sid}; rev:1; metadata:{metadata};)"
    )
