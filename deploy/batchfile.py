"""Requests in bulk: read from a CSV file or a folder, sent in batches, in an order that a repetition keeps."""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import Malformed, NotFound
from core.ledger.entry import JsonValue
from deploy.client import ServiceClient, items
from deploy.csrfile import read_request
from deploy.file import read_text

#: Requests that are sent at once: few enough for an answer within seconds.
AT_ONCE = 128

_NEEDED, _KNOWN = ("holder", "csr"), ("holder", "csr", "profile", "dns_names", "lifetime")

#: Most host names of one request.
_HOSTS = 20


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
        yield Asked(path.stem, {"holder": path.stem, "csr": read_request(path), "profile": profile})


def _table(place: Path, profile: str) -> Iterator[Asked]:
    # Spreadsheets begin a file with a byte order mark.
    rows = csv.DictReader(read_text(place).removeprefix("\ufeff").splitlines(), strict=True)
    try:
        named = rows.fieldnames or ()
        if not set(_NEEDED) <= set(named) or not set(named) <= set(_KNOWN):
            raise Malformed(f"`{place}`: the columns are {', '.join(_KNOWN)}; the first two are needed")
        for row in rows:
            where = f"`{place}` line {rows.line_num}"
            if None in row:
                raise Malformed(f"{where}: has more cells than the first line", hint="put what holds a comma in quotes")
            yield _row(place, where, {name: value or "" for name, value in row.items()}, profile)
    except csv.Error as error:
        raise Malformed(f"`{place}` line {rows.line_num}: {error}") from error


def _row(place: Path, where: str, row: dict[str, str], profile: str) -> Asked:
    if complaint := _complaint(row):
        raise Malformed(f"{where}: {complaint}")
    path = place.parent / row["csr"]
    try:
        body: dict[str, JsonValue] = {
            "holder": row["holder"],
            "csr": read_request(path),
            "profile": row.get("profile") or profile,
            "dns_names": list(row.get("dns_names", "").split()),
        }
    except (NotFound, Malformed) as error:
        raise Malformed(f"{where}: {error.detail}", hint=error.hint) from error
    if lifetime := row.get("lifetime", ""):
        body["lifetime_seconds"] = int(lifetime)
    return Asked(path.stem, body)


def _complaint(row: Mapping[str, str]) -> str:
    """Say what the service would not even read in a row; empty when there is nothing."""
    lifetime, hosts = row.get("lifetime", ""), row.get("dns_names", "").split()
    faults = {
        "holds a character that cannot be printed": not all(cell.isprintable() for cell in row.values()),
        "a holder and the file of a request are needed": not row["holder"] or not row["csr"],
        "a holder has at most 80 characters": len(row["holder"]) > 80,
        "a profile has at most 40 characters": len(row.get("profile", "")) > 40,
        f"at most {_HOSTS} host names": len(hosts) > _HOSTS,
        "a host name has at most 253 characters": any(len(host) > 253 for host in hosts),
        f"`{lifetime[:20]}` is no number of seconds": lifetime != "" and not _is_lifetime(lifetime),
    }
    return next((complaint for complaint, holds in faults.items() if holds), "")


def _is_lifetime(text: str) -> bool:
    return re.fullmatch("[0-9]{1,10}", text) is not None and 1 <= int(text) < 2**31
