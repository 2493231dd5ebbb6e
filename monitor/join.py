"""Joins alerts with the HTTP transaction they happened in, whose headers name the request and the certificate.

Both records carry (flow_id, tx_id); either may come first. Several rules and encodings that match in one transaction
become one sighting. A sighting waits a moment for its transaction; when that comes too late (a long download is
recorded at its end), it is told at once without and amended afterwards, under the same id.
"""

import re
from dataclasses import replace
from datetime import datetime

from pydantic import ValidationError

from core.registry.level import Classification
from monitor import eve, markings
from monitor.errors import BadEve
from monitor.eve import Record
from monitor.reader import Batch, Line
from monitor.rules import LEVEL_WORDS
from monitor.sighting import Leak
from monitor.spool import AMENDABLE, TOLD, WAITING, Pending, Spool

#: Seconds without a further alert after which a joined sighting is told: rules for one body match together.
SETTLE = 0.1

#: Seconds that a sighting waits for the record of its transaction before it is told without.
PATIENCE = 3.0

#: Seconds that transactions and told sightings are remembered.
MEMORY = 3600.0

_HEADER = re.compile(r"x-guosuo-(request|serial)", re.IGNORECASE)
_LEVELS = {word: level for level, word in LEVEL_WORDS.items()}

#: What the gateway sets; libhtp joins repeated headers with a comma, and such a value has not this form.
_FORMS = {"request": re.compile(r"[0-9a-f]{32}"), "serial": re.compile(r"[0-9a-f]{40}")}


class Joiner:
    """Turns lines of EVE into sightings in the spool, for the sensor ``name``."""

    def __init__(self, *, name: str, spool: Spool) -> None:
        """Work on ``spool``; nothing is kept outside it."""
        self._name = name
        self._spool = spool

    def take(self, batch: Batch, *, now: float) -> None:
        """Commit what ``batch`` leads to together with its bookmark; ``now`` in seconds since 1970."""
        with self._spool.transaction():
            for line in batch.lines:
                self._line(line, now)
            for loss in batch.lost:
                self._spool.count("eve-lost")
                self._spool.set_note("eve-lost", loss)
            if batch.bookmark:
                self._spool.set_bookmark(batch.bookmark)
        # A crash before this point repeats the batch, after it goes on behind: sightings wait in the spool.

    def release(self, *, now: float) -> int:
        """Move what has waited enough into the outbox, in one transaction; return how many."""
        due = [entry for entry in self._spool.all_pending(WAITING) if self._is_due(entry, now)]
        amended = [entry for entry in self._spool.all_pending(AMENDABLE) if self._headers(entry) is not None]
        if not due and not amended:
            return 0
        with self._spool.transaction():
            # In the order of the wire: whoever reads what was told reads it as it happened.
            for entry in sorted([*due, *amended], key=_moment):
                self._tell(entry)
        # A crash here leaves the sightings in the outbox, from which they are sent until acknowledged.
        return len(due) + len(amended)

    def prune(self, *, now: float) -> None:
        """Forget what is too old to be joined."""
        with self._spool.transaction():
            self._spool.prune(before=now - MEMORY)

    def _line(self, line: Line, now: float) -> None:
        if line.oversized:
            self._spool.count("eve-oversized")
            return
        try:
            record = eve.parse_record(line.content)
            if record.event_type == "http":
                self._exchange(record, now)
            elif record.event_type == "alert":
                self._alert(record, line, now)
        except (BadEve, ValidationError):
            self._spool.count("eve-malformed")

    def _exchange(self, record: Record, now: float) -> None:
        if record.http is None or record.tx_id is None:
            return
        headers = [
            (header.name.lower(), header.value[:100])
            for header in record.http.request_headers
            if _HEADER.fullmatch(header.name)
        ]
        if headers:
            self._spool.add_exchange(record.flow_id, record.tx_id, headers[:8], now=now)

    def _alert(self, record: Record, line: Line, now: float) -> None:
        if record.alert is None or record.alert.metadata.get("owner") != ["guosuo"]:
            return
        level, leak = self._leak(record, line)
        if leak is None:
            self._spool.count("alert-unconfirmed")
            return
        tx = -1 if record.tx_id is None else record.tx_id
        known = self._spool.find_pending(record.flow_id, tx, leak.domain)
        if known is None or (known.state != WAITING and level > known.level):
            # Nothing is known of it, or a higher marking follows later in the same body: that is a sighting of its own.
            fresh = Pending(record.flow_id, tx, leak.domain, level, leak, now, now + PATIENCE, WAITING)
            self._spool.put_pending(fresh)
        elif known.state == WAITING:
            self._spool.put_pending(_merged(known, level, leak, now))

    def _leak(self, record: Record, line: Line) -> tuple[int, Leak | None]:
        """Return the level and the sighting of one alert; none when the grammar finds no marking in the body."""
        assert record.alert is not None
        said = {name: values[0] for name, values in record.alert.metadata.items() if values}
        claimed = _LEVELS.get(said.get("level", ""), Classification.SECRET)
        ceiling = _LEVELS.get(said.get("ceiling", ""), Classification.PUBLIC)
        body = _body(record)
        encoding, found = markings.find_in(body) if body else (said.get("encoding", ""), [])
        above = [marking for marking in found if marking.level > ceiling]
        governing = markings.highest(above)
        if body and governing is None:
            return 0, None
        level = governing.level if governing else claimed
        text = governing.text if governing else f"{claimed.marking}★"
        moment = eve.parse_time(record.timestamp)
        host, path = _place(record)
        return int(level), Leak(
            id=f"{self._name}:{line.epoch}:{line.offset}",
            sensor=self._name,
            at=moment,
            last=moment,
            sid=record.alert.signature_id,
            policy=said.get("policy", "")[:80],
            domain=said.get("domain", "")[:80],
            marking=text[:80],
            excerpt=_masked(text),
            encoding=encoding,
            confirmed=governing is not None,
            transaction=f"{record.flow_id}:{record.tx_id}",
            direction=record.direction[:80],
            source=record.src_ip[:45],
            source_port=record.src_port,
            destination=record.dest_ip[:45],
            destination_port=record.dest_port,
            host=host,
            path=path,
        )

    def _is_due(self, entry: Pending, now: float) -> bool:
        if now >= entry.deadline:
            return True
        return now - entry.touched >= SETTLE and self._headers(entry) is not None

    def _headers(self, entry: Pending) -> list[tuple[str, str]] | None:
        return self._spool.find_exchange(entry.flow, entry.tx)

    def _tell(self, entry: Pending) -> None:
        headers = self._headers(entry)
        leak = entry.leak
        if headers is not None:
            leak = leak.model_copy(update={"request_id": _only(headers, "request"), "serial": _only(headers, "serial")})
        if entry.state == AMENDABLE:
            leak = leak.model_copy(update={"revision": leak.revision + 1})
        self._spool.send(leak)
        self._spool.put_pending(replace(entry, leak=leak, state=AMENDABLE if headers is None else TOLD))


def _moment(entry: Pending) -> tuple[datetime, int]:
    """Return when a leak was seen first, and of those at the same moment its place in the EVE file."""
    return entry.leak.at, int(entry.leak.id.rpartition(":")[2])


def _merged(known: Pending, level: int, leak: Leak, now: float) -> Pending:
    """Count one more alert of a transaction; the higher level's marking governs, the first alert's id stays."""
    counted = {"hits": known.leak.hits + 1, "last": max(known.leak.last, leak.last)}
    if level > known.level:
        shown = {name: getattr(leak, name) for name in ("marking", "excerpt", "encoding", "sid", "confirmed")}
        counted |= shown
    merged = known.leak.model_copy(update=counted)
    return replace(known, level=max(level, known.level), leak=merged, touched=now)


def _only(headers: list[tuple[str, str]], name: str) -> str:
    """Return the header's value when it is there exactly once: a second one was not set by the gateway."""
    values = [value for key, value in headers if key == f"x-guosuo-{name}"]
    return values[0] if len(values) == 1 and _FORMS[name].fullmatch(values[0]) else ""


def _body(record: Record) -> bytes:
    if record.http is None:
        return b""
    request, response = record.http.http_request_body, record.http.http_response_body
    return eve.parse_body(request if record.direction == "to_server" else response)


def _place(record: Record) -> tuple[str, str]:
    """Return host and path of the request; a query may carry anything and is left out."""
    if record.http is None:
        return "", ""
    return record.http.hostname[:255], record.http.url.partition("?")[0][:255]


def _masked(text: str) -> str:
    """Return the marking between marks for what stands around it, which is not stored."""
    return f"…{text[:80]}…"
