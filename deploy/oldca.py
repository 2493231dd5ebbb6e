"""A folder that an old authority left, read whole: what ``openssl ca`` keeps, or what is taken out of an EJBCA.

OpenSSL: ``index.txt``, ``cacert.pem``, ``crlnumber``, ``newcerts/*.pem``. EJBCA: rows of CertificateData as
``certificates.csv`` or ``.json``, ``ca.pem``, ``certificates.pem`` or ``certificates/*``, and for the report
``profiles/certprofile_*.xml``. Both: the newest list as ``crl.pem`` or ``crl.der``. Only what stands in the table comes
over, and what the list alone revokes.
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from core.errors import Malformed, NotFound, TrustError
from core.identity import Serial
from deploy.file import read_bytes
from pki.reason import HOLD
from pki.takeover import authority, export, indexfile, material, pem
from pki.takeover.authority import OldList
from pki.takeover.errors import UnreadableTable
from pki.takeover.mapping import FOREIGN, Mapped
from pki.takeover.material import Item
from pki.takeover.row import GOOD, HELD, LARGEST, REVOKED, Fault, Reading, Row
from pki.validation import certificate

#: How many faults are told at once.
_TOLD = 20

_AUTHORITY, _LISTS = ("ca.pem", "cacert.pem", "ca.crt"), ("crl.pem", "crl.der", "ca.crl")

_NAMES = (NameOID.USER_ID, NameOID.COMMON_NAME)


@dataclass(slots=True)
class OldFolder:
    """What a folder holds; ``notes`` say what is passed over, ``profiles`` which of theirs stand for none of ours."""

    certificate: bytes
    number: int
    items: list[Item]
    notes: list[str] = field(default_factory=list)
    profiles: list[str] = field(default_factory=list)


def read(place: Path, mapped: Mapped, now: datetime) -> OldFolder:
    """Read a folder. Raises ``NotFound``, ``UnreadableTable`` naming files and lines, ``UnfitAuthority``."""
    found = OldFolder(_authority(place), 0, [])
    old = authority.read(found.certificate, now)
    newest = next((place / one for one in _LISTS if (place / one).exists()), None)
    listed = authority.read_list(read_bytes(newest, largest=LARGEST), old) if newest else None
    numbers = [one for one in (listed.number if listed else None, _number(place)) if one is not None]
    if not numbers:
        hint = "add `crlnumber`, or the newest list as `crl.pem`"
        raise NotFound(f"`{place}` does not say which number the newest list bears", hint=hint)
    found.number = max(numbers)
    reading = _table(place)
    if reading.faults:
        more = len(reading.faults) - _TOLD
        told = "\n".join([*reading.faults[:_TOLD], *([f"and {more} more"] if more > 0 else [])])
        raise UnreadableTable(told, hint="mend the table where it was made; nothing was taken over")
    rows = _with_list(reading.rows, listed, newest.name if newest else "")
    certificates = dict(_certificates(place, found.notes))
    found.items = [_item(row, certificates.pop(row.serial, b"") or row.content, mapped) for row in rows]
    found.notes += [f"the certificate {one} is in no row of the table: it is passed over" for one in certificates]
    theirs = {row.profile for row in rows if row.profile} | set(_profiles(place))
    found.profiles = sorted(one for one in theirs if mapped.profile(one) == FOREIGN)
    return found


def _authority(place: Path) -> bytes:
    path = next((place / one for one in _AUTHORITY if (place / one).exists()), None)
    if path is None:
        raise NotFound(f"`{place}` holds no certificate of an authority", hint=f"one of {', '.join(_AUTHORITY)}")
    try:
        return next(der for _where, der in _in_file(path))
    except (StopIteration, Fault) as error:
        raise Malformed(f"`{path}` holds no certificate") from error


def _number(place: Path) -> int | None:
    """Return the number of the last list: the file has that of the next."""
    path = place / "crlnumber"
    try:
        return max(indexfile.read_number(_text(path), path.name) - 1, 0) if path.exists() else None
    except Fault as fault:
        raise UnreadableTable(str(fault)) from fault


def _table(place: Path) -> Reading:
    readers = {"index.txt": indexfile.read, "certificates.csv": export.read_csv, "certificates.json": export.read_json}
    there = [name for name in readers if (place / name).exists()]
    if len(there) != 1:
        told = "no table" if not there else f"{len(there)} tables"
        raise NotFound(f"`{place}` holds {told}", hint=f"exactly one of {', '.join(readers)}")
    return readers[there[0]](_text(place / there[0]), there[0])


def _text(path: Path) -> str:
    try:
        return read_bytes(path, largest=LARGEST).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"`{path.name}` is not UTF-8 text") from error


def _with_list(rows: Sequence[Row], listed: OldList | None, name: str) -> list[Row]:
    """Return the rows as the list tells them, and what the list tells and the table does not."""
    entries = dict(listed.entries) if listed else {}
    made = []
    for row in rows:
        entry = entries.pop(row.serial, None)
        made.append(_listed(row, *entry) if entry and row.state == GOOD else row)
    return made + [_listed(Row(name, serial, GOOD, None), *entry) for serial, entry in entries.items()]


def _listed(row: Row, at: datetime, reason: str) -> Row:
    return replace(row, state=HELD if reason == HOLD else REVOKED, at=at, reason=reason)


def _certificates(place: Path, notes: list[str]) -> Iterator[tuple[Serial, bytes]]:
    """Yield every certificate of the folder by its serial number; what cannot be read is noted."""
    files = [place / "certificates.pem"] if (place / "certificates.pem").exists() else []
    for folder in ("newcerts", "certs", "certificates"):
        files += sorted(path for path in (place / folder).glob("*") if path.suffix in (".pem", ".der", ".crt", ".cer"))
    for path in files:
        try:
            for where, der in _in_file(path):
                try:
                    yield Serial(f"{certificate.parse(der).serial_number:040x}"), der
                except TrustError as error:
                    notes.append(f"{path.relative_to(place)}{where}: {error.detail}")
        except (TrustError, Fault) as error:
            notes.append(f"{path.relative_to(place)}: {error}")


def _in_file(path: Path) -> Iterator[tuple[str, bytes]]:
    content = read_bytes(path, largest=LARGEST)
    if content[:1] == b"\x30":
        yield "", content
        return
    for line, der in pem.certificates(content.decode("utf-8", "replace")):
        yield f":{line}", der


def _item(row: Row, der: bytes, mapped: Mapped) -> Item:
    if len(der) > material.LARGEST:
        der = b""
    names = tuple(name for name in (row.name, *_names(der)) if name)
    return Item(
        place=row.place,
        serial=row.serial,
        state=row.state,
        not_after=row.not_after,
        at=row.at,
        reason=row.reason,
        holder=mapped.holder(row.serial, names),
        name=row.name,
        profile=mapped.profile(row.profile),
        certificate=base64.b64encode(der).decode("ascii"),
    )


def _names(der: bytes) -> list[str]:
    """Return user's and common name, for the mapping; what cannot be read has none, and the service says why."""
    try:
        subject = x509.load_der_x509_certificate(der).subject
        return [str(one.value) for kind in _NAMES for one in subject.get_attributes_for_oid(kind)]
    except ValueError:
        return []


def _profiles(place: Path) -> Iterator[str]:
    """Yield the names of EJBCA's exported certificate profiles: ``certprofile_NAME-ID.xml``."""
    for path in sorted((place / "profiles").glob("certprofile_*.xml")):
        yield path.stem.removeprefix("certprofile_").rpartition("-")[0]
