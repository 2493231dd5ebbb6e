"""Requests in bulk: read from a CSV file or a folder, sent in batches, in an order that a repetition keeps."""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import Malformed, NotFound
from core.ledger.entry import JsonValue
from deploy.client import ServiceClient, items
from deploy.file import read_text

#: Requests that are sent at once: few enough for an answer within seconds.
AT_ONCE = 128

_NEEDED, _KNOWN = ("holder", "csr"), ("holder", "csr", "profile", "dns_names", "lifetime")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; ``name`` is that of its file, without the ending."""

    name: str
    body: dict[str, JsonValue]


def read(place: Path, *, profile: str) -> list[Asked]:
    """Return every request that ``place`` names. Raises ``NotFound``, or ``Malformed`` naming file and line."""
    asked = list(_folder(place, profile) if place.is_dir() else _table(place, profile))
    if not asked:
        raise Malformed(f"`{place}` names no request", hint="see `guosuo cert request --help`")
    names = [one.name for one in asked]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Malformed(f"`{place}` names the request `{twice[0]}` twice", hint="their certificates would be one file")
    return asked


def send(
    client: ServiceClient, asked: Sequence[Asked], *, progress: Callable[[int, int], None]
) -> Iterator[dict[str, JsonValue]]:
    """Yield what became of each request, in their order."""
    for first in range(0, len(asked), AT_ONCE):
        part = asked[first : first + AT_ONCE]
        answer = client.post("/api/v1/certificate/batch", {"requests": [one.body for one in part]})
        progress(first + len(part), len(asked))
        yield from (dict(item) for item in items(answer))


def _folder(place: Path, profile: str) -> Iterator[Asked]:
    for path in sorted(place.glob("*.csr")):
        yield Asked(path.stem, {"holder": path.stem, "csr": read_text(path), "profile": profile})


def _table(place: Path, profile: str) -> Iterator[Asked]:
    rows = csv.DictReader(read_text(place).splitlines(), strict=True)
    try:
        named = rows.fieldnames or ()
        if not set(_NEEDED) <= set(named) or not set(named) <= set(_KNOWN):
            raise Malformed(f"`{place}`: the columns are {', '.join(_KNOWN)}; the first two are needed")
        for row in rows:
            yield _row(place, rows.line_num, {name: value or "" for name, value in row.items() if name}, profile)
    except csv.Error as error:
        raise Malformed(f"`{place}` line {rows.line_num}: {error}") from error


def _row(place: Path, line: int, row: dict[str, str], profile: str) -> Asked:
    if not row["holder"] or not row["csr"]:
        raise Malformed(f"`{place}` line {line}: a holder and the file of a request are needed")
    path = place.parent / row["csr"]
    try:
        body: dict[str, JsonValue] = {
            "holder": row["holder"],
            "csr": read_text(path),
            "profile": row.get("profile") or profile,
            "dns_names": list(row.get("dns_names", "").split()),
        }
        if lifetime := row.get("lifetime", ""):
            body["lifetime_seconds"] = int(lifetime)
    except (NotFound, Malformed) as error:
        raise Malformed(f"`{place}` line {line}: {error.detail}", hint=error.hint) from error
    except ValueError as error:
        raise Malformed(f"`{place}` line {line}: `{lifetime}` is no number of seconds") from error
    return Asked(path.stem, body)
