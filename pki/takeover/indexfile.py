"""OpenSSL's ``index.txt`` and ``crlnumber``, as ``openssl ca`` keeps them (openssl-ca(1), apps/ca.c). Pure.

Six cells, with tabs between: V, R or E · end of validity · revocation ``TIME[,REASON[,MORE]]`` · serial number in
hexadecimal digits · a file name that nobody fills · the subject.
"""

import re

from pki.reason import HOLD
from pki.takeover import row
from pki.takeover.row import GOOD, HELD, REVOKED, Fault, Reading, Row

#: OpenSSL's words, folded (it takes them in any spelling), and their codes of RFC 5280, 5.3.1.
_WORDS = {
    "unspecified": 0,
    "keycompromise": 1,
    "cacompromise": 2,
    "affiliationchanged": 3,
    "superseded": 4,
    "cessationofoperation": 5,
    "certificatehold": 6,
    "privilegewithdrawn": 9,
    "aacompromise": 10,
    # With more behind a comma: the instruction of a hold, the time from when on a key may have been known.
    "holdinstruction": 6,
    "keytime": 1,
    "cakeytime": 2,
}


def read(text: str, place: str) -> Reading:
    """Read a whole table; ``place`` is what its file is called in what is said of it."""
    reading = Reading()
    try:
        for number, line in row.lines(text):
            if line:
                _read_line(line, f"{place}:{number}", reading)
    except Fault as fault:
        reading.faults.append(f"{place}: {fault}")
    row.check_twice(reading)
    return reading


def read_number(text: str, place: str) -> int:
    """Read ``crlnumber``: the number that the next list will bear, in hexadecimal digits. Raises ``Fault``."""
    if not re.fullmatch(r"[0-9A-Fa-f]{1,40}\s*", text, re.ASCII):
        raise Fault(f"{place}:1: `{text[:45].strip()!a}` is no number in hexadecimal digits")
    return int(text.strip(), 16)


def _read_line(line: str, place: str, reading: Reading) -> None:
    try:
        reading.rows.append(_row(line, place))
    except Fault as fault:
        reading.faults.append(f"{place}: {fault}")


def _row(line: str, place: str) -> Row:
    cells = line.split("\t")
    if len(cells) != 6:
        raise Fault(f"{len(cells)} cells where there are 6, with tabs between")
    if any(len(cell) > row.LONGEST for cell in cells):
        raise Fault(f"a cell has more than {row.LONGEST} characters")
    word, end, revoked, digits, _file, _subject = cells
    if word not in ("V", "R", "E"):
        raise Fault(f"`{word[:10]!a}` is no state: V, R or E")
    if not re.fullmatch("[0-9A-Fa-f]{1,40}", digits, re.ASCII):
        raise Fault(f"`{digits[:45]!a}` is no serial number in hexadecimal digits")
    if (word == "R") != bool(revoked):
        raise Fault("a revoked certificate, and no other, has the time of its revocation")
    serial, not_after = row.serial(int(digits, 16)), row.asn1_time(end)
    if not revoked:
        return Row(place, serial, GOOD, not_after)
    time, _comma, more = revoked.partition(",")
    reason = _reason(more.partition(",")[0])
    return Row(place, serial, HELD if reason == HOLD else REVOKED, not_after, at=row.asn1_time(time), reason=reason)


def _reason(word: str) -> str:
    if not word:
        return "unspecified"
    if word.lower() not in _WORDS:
        raise Fault(f"`{word[:40]!a}` is no reason that openssl knows")
    return row.REASONS[_WORDS[word.lower()]]
