"""Certificate data as EJBCA keeps it: rows of its table CertificateData, in CSV or JSON. Pure.

Columns by their names there, in any order and spelling of letters: ``serialNumber`` (decimal digits), ``status``,
``revocationDate`` and ``expireDate`` (milliseconds since 1970, -1 for none), ``revocationReason`` (RFC 5280, -1 for
none), ``username``, ``certificateProfileId`` or ``profile``, ``base64Cert``. The first five are needed, others are
passed over. Status: 20, 21 and 30 to 60 of CertificateConstants; what was never issued has no other.
"""

import base64
import binascii
import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from core.clock import LATEST
from core.identity import Serial
from pki.takeover import row
from pki.takeover.row import GOOD, HELD, REVOKED, Fault, Reading, Row

_NEEDED = ("serialnumber", "status", "revocationdate", "revocationreason", "expiredate")

#: Active (also when its holder was told that it ends) · blocked for a while · revoked · expired · archived.
_ACTIVE, _BLOCKED, _REVOKED, _ENDED = ("20", "21"), "30", "40", ("50", "60")

_START = datetime(1970, 1, 1, tzinfo=UTC)

#: Most characters of a certificate in base64.
_LONGEST_CERTIFICATE = 90_000

Cells = Mapping[str, str]


def read_csv(text: str, place: str) -> Reading:
    """Read a CSV file whose first line names the columns."""
    if len(text) > row.LARGEST:
        return Reading(faults=[f"{place}: more than {row.LARGEST} characters"])
    return _read(_csv_rows(text.removeprefix("\ufeff"), place), place)


def read_json(text: str, place: str) -> Reading:
    """Read a JSON list of objects; a place is then a number in the list, from 1."""
    if len(text) > row.LARGEST:
        return Reading(faults=[f"{place}: more than {row.LARGEST} characters"])
    return _read(_json_rows(text, place), place)


def _read(rows: Iterator[tuple[str, Cells]], place: str) -> Reading:
    reading = Reading()
    try:
        for where, cells in rows:
            _read_row(where, cells, reading)
    except Fault as fault:
        reading.faults.append(f"{place}: {fault}")
    row.check_twice(reading)
    return reading


def _read_row(where: str, cells: Cells, reading: Reading) -> None:
    try:
        reading.rows.append(_row(where, cells))
    except Fault as fault:
        reading.faults.append(f"{where}: {fault}")


def _csv_rows(text: str, place: str) -> Iterator[tuple[str, Cells]]:
    found = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [name.strip().lower() for name in found.fieldnames or ()]
        if missing := sorted(set(_NEEDED) - set(names)):
            raise Fault(f"the first line names no column `{missing[0]}`")
        if len(set(names)) != len(names):
            raise Fault("the first line names a column twice")
        for count, one in enumerate(found, 1):
            _check_count(count)
            where = f"{place}:{found.line_num}"
            if None in one or None in one.values():
                yield where, {}
                continue
            yield where, {name: value.strip() for name, value in zip(names, one.values(), strict=True)}
    except csv.Error as error:
        raise Fault(f"line {found.line_num}: {error}") from error


def _json_rows(text: str, place: str) -> Iterator[tuple[str, Cells]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Fault(f"no JSON: {str(error)[:100]}") from error
    if not isinstance(found, list):
        raise Fault("a list of objects is wanted")
    for count, one in enumerate(found, 1):
        _check_count(count)
        cells = one if isinstance(one, dict) else {}
        plain = {str(name).lower(): value for name, value in cells.items() if not isinstance(value, bool)}
        yield f"{place}[{count}]", {name: str(it) for name, it in plain.items() if isinstance(it, str | int)}


def _check_count(count: int) -> None:
    if count > row.MOST_ROWS:
        raise Fault(f"more than {row.MOST_ROWS} rows")


def _row(place: str, cells: Cells) -> Row:
    if missing := [name for name in _NEEDED if not cells.get(name)]:
        raise Fault(f"there is no `{missing[0]}`" if cells else "a cell too few or too many, or no object")
    if any(len(cell) > row.LONGEST for name, cell in cells.items() if name != "base64cert"):
        raise Fault(f"a cell has more than {row.LONGEST} characters")
    if any(not cell.isprintable() for name, cell in cells.items() if name != "base64cert"):
        raise Fault("a cell holds a character that cannot be printed")
    serial, not_after = _serial(cells["serialnumber"]), _moment(cells["expiredate"])
    state, reason = _state(cells["status"], cells["revocationreason"])
    at = _moment(cells["revocationdate"]) if state != GOOD else None
    if state != GOOD and at is None:
        raise Fault("it is revoked, and there is no `revocationDate`")
    return Row(
        place=place,
        serial=serial,
        state=state,
        not_after=not_after,
        at=at,
        reason=reason,
        name=cells.get("username", "")[:80],
        profile=(cells.get("profile") or cells.get("certificateprofileid", ""))[:80],
        content=_certificate(cells.get("base64cert", "")),
    )


def _serial(text: str) -> Serial:
    if not re.fullmatch("[0-9]{1,49}", text, re.ASCII):
        raise Fault(f"`{text[:50]!a}` is no serial number in decimal digits")
    return row.serial(int(text))


def _state(status: str, code: str) -> tuple[str, str]:
    if status not in (*_ACTIVE, _BLOCKED, _REVOKED, *_ENDED):
        raise Fault(f"`{status[:10]!a}` is no status of a certificate that was issued")
    if not re.fullmatch("-1|[0-9]{1,2}", code, re.ASCII) or int(code) not in (-1, 8, *row.REASONS):
        raise Fault(f"`{code[:10]!a}` is no reason of RFC 5280")
    # 8 is what a certificate has that was on hold and no longer is (removeFromCRL).
    if status in _ACTIVE or (status in _ENDED and code in ("-1", "8")):
        return GOOD, ""
    if code in ("-1", "8"):
        raise Fault(f"status {status} without a reason")
    reason = row.REASONS[int(code)]
    return (HELD if status == _BLOCKED or int(code) == 6 else REVOKED), reason


def _moment(text: str) -> datetime | None:
    if not re.fullmatch("-1|[0-9]{1,15}", text, re.ASCII):
        raise Fault(f"`{text[:20]!a}` is no time in milliseconds since 1970")
    if text == "-1":
        return None
    try:
        found = _START + timedelta(milliseconds=int(text))
    except OverflowError as error:
        raise Fault(f"`{text}` lies beyond the calendar") from error
    if found >= LATEST:
        raise Fault(f"`{text}` lies beyond the calendar")
    return found


def _certificate(text: str) -> bytes:
    if len(text) > _LONGEST_CERTIFICATE:
        raise Fault("`base64Cert` is longer than any certificate")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (ValueError, binascii.Error) as error:
        raise Fault("`base64Cert` is no base64") from error
