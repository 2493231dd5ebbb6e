"""Joins alerts with the HTTP transaction they happened in, whose headers name the request and the certificate.

Both records carry (flow_id, tx_id); either may come first. Several rules and encodings that match in one transaction
become one sighting. A sighting waits a moment for its transaction; when that comes too late (a long download is
recorded at its end), it is told at once without and amended afterwards, under the same id.
"""

import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime

from pydantic import ValidationError

from core.registry.level import Classification
from monitor import eve, markings
from monitor.errors import BadEve
from monitor.eve import Record
from monitor.reader import Batch, Line
from monitor.rules import LEVEL_WORDS
from monitor.sighting import LARGEST, Blind, Leak
from monitor.spool import AMENDABLE, TOLD, WAITING, Pending, Spool

#: Seconds without a further alert after which a joined sighting is told: rules for one body match together.
SETTLE = 0.1

#: Seconds that a sighting waits for the record of its transaction before it is told without.
PATIENCE = 3.0

#: Seconds that transactions and told sightings are remembered.
MEMORY = 3600.0

#: Controls (ends of lines, escape sequences), marks that turn the direction of writing, halves of characters.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
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
            unread = [line for line in batch.lines if not self._line(line, now)]
            if unread:
                self._blind("records-unreadable", unread[0], since=now, now=now)
            if batch.lost and batch.bookmark:
                before = self._spool.bookmark()
                since = before.modified / 1e9 if before else now
                self._blind("records-lost", Line(batch.bookmark.epoch, 0, b""), since=since, now=now)
            if batch.bookmark:
                self._spool.set_bookmark(batch.bookmark)
        # A crash before this point repeats the batch, after it goes on behind: sightings wait in the spool.

    def release(self, *, now: float) -> int:
        """Move what has waited enough into the outbox, in one transaction; return how many."""
        due = self._spool.due(now=now, settle=SETTLE)
        if not due:
            return 0
        with self._spool.transaction():
            # In the order of the wire: whoever reads what was told reads it as it happened.
            for entry in sorted(due, key=_moment):
                self._tell(entry)
        # A crash here leaves the sightings in the outbox, from which they are sent until acknowledged.
        return len(due)

    def prune(self, *, now: float) -> None:
        """Forget what is too old to be joined."""
        with self._spool.transaction():
            self._spool.prune(before=now - MEMORY)

    def _blind(self, cause: str, place: Line, *, since: float, now: float) -> None:
        """Tell that records were not read: what they may have said is unmonitored, never clean."""
        window = Blind(
            id=f"{self._name}:{cause}:{place.epoch}:{place.offset}",
            sensor=self._name,
            at=datetime.fromtimestamp(min(since, now), UTC),
            until=datetime.fromtimestamp(now, UTC),
            cause=cause,
        )
        self._spool.send(window)

    def _line(self, line: Line, now: float) -> bool:
        """Take one line; say whether it could be read."""
        if line.oversized:
            self._spool.count("eve-oversized")
            return False
        try:
            record = eve.parse_record(line.content)
            if record.event_type == "http":
                self._exchange(record, now)
            elif record.event_type == "alert":
                self._alert(record, line, now)
        except (BadEve, ValidationError):
            self._spool.count("eve-malformed")
            return False
        return True

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
            policy=_printed(said.get("policy", ""), 80),
            domain=_printed(said.get("domain", ""), 80),
            marking=_printed(text, 80),
            excerpt=_masked(text),
            encoding=_printed(encoding, 80),
            body_sha256=hashlib.sha256(body).hexdigest() if body else "",
            confirmed=governing is not None,
            transaction=f"{record.flow_id}:{record.tx_id}",
            direction=_printed(record.direction, 80),
            source=_printed(record.src_ip, 45),
            source_port=record.src_port,
            destination=_printed(record.dest_ip, 45),
            destination_port=record.dest_port,
            host=host,
            path=path,
        )

    def _tell(self, entry: Pending) -> None:
        headers = self._spool.find_exchange(entry.flow, entry.tx)
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
    counted = {"hits": min(known.leak.hits + 1, LARGEST), "last": max(known.leak.last, leak.last)}
    if level > known.level:
        shown = {
            name: getattr(leak, name) for name in ("marking", "excerpt", "encoding", "body_sha256", "sid", "confirmed")
        }
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
    return _printed(record.http.hostname, 255), _printed(record.http.url.partition("?")[0], 255)


def _masked(text: str) -> str:
    """Return the marking between marks for what stands around it, which is not stored."""
    return f"…{_printed(text, 80)}…"


def _printed(text: str, longest: int) -> str:
    """Return the beginning of ``text`` with U+FFFD for what is not printed, sent or stored."""
    return _CONTROL.sub("\ufffd", text[:longest])
