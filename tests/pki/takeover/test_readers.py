"""What an old authority leaves, read: each row, each fault with its line, and nothing that breaks a reader."""

import base64
import contextlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Malformed
from pki.takeover import export, indexfile, mapping, pem
from pki.takeover.row import Fault, Row

INDEX = "\n".join([
    "V\t301120080000Z\t\t1000\tunknown\t/CN=li-wen",
    "R\t301120080000Z\t251001120000Z\t1001\tunknown\t/CN=sun-yue",
    "R\t301120080000Z\t251001120000Z,keyCompromise\t1002\tunknown\t/CN=a",
    "R\t301120080000Z\t251001120000Z,certificateHold\t1003\tunknown\t/CN=b",
    "R\t301120080000Z\t251001120000Z,holdInstruction,holdInstructionReject\t1004\tunknown\t/CN=c",
    "R\t20501120080000Z\t251001120000Z,CAkeyTime,20250901120000Z\t1005\tunknown\t/CN=d",
    "E\t991120080000Z\t\t01\tunknown\t/CN=e",
    "",
])  # fmt: skip


def test_index_is_read() -> None:
    reading = indexfile.read(INDEX, "index.txt")
    assert reading.faults == []
    assert [(int(one.serial, 16), one.state, one.reason) for one in reading.rows] == [
        (0x1000, "good", ""),
        (0x1001, "revoked", "unspecified"),
        (0x1002, "revoked", "key-compromise"),
        (0x1003, "held", "certificate-hold"),
        (0x1004, "held", "certificate-hold"),
        (0x1005, "revoked", "key-compromise"),
        (1, "good", ""),
    ]
    assert reading.rows[1].at == datetime(2025, 10, 1, 12, 0, tzinfo=UTC)
    assert reading.rows[5].not_after == datetime(2050, 11, 20, 8, 0, tzinfo=UTC)
    assert reading.rows[6].not_after == datetime(1999, 11, 20, 8, 0, tzinfo=UTC)
    assert indexfile.read_number("1F\n", "crlnumber") == 31


@pytest.mark.parametrize(("line", "fault"), [
    ("V\t301120080000Z\t\t1000\tunknown", "5 cells"),
    ("X\t301120080000Z\t\t1000\tunknown\t/", "no state"),
    ("V\t301120080000Z\t\t\tunknown\t/", "no serial number"),
    ("V\t301120080000Z\t\t0\tunknown\t/", "between 1 and 20 octets"),
    (f"V\t301120080000Z\t\t{'f' * 40}\tunknown\t/", "between 1 and 20 octets"),
    ("V\t301320080000Z\t\t10\tunknown\t/", "no day of the calendar"),
    ("V\t３01120080000Z\t\t10\tunknown\t/", "no time"),
    ("V\t301120080000Z\t251001120000Z\t10\tunknown\t/", "a revoked certificate, and no other"),
    ("R\t301120080000Z\t\t10\tunknown\t/", "a revoked certificate, and no other"),
    ("R\t301120080000Z\t251001120000Z,because\t10\tunknown\t/", "no reason"),
    (f"V\t301120080000Z\t\t10\tunknown\t/{'x' * 5000}", "more than 4096"),
    ("V\t301120080000Z\t\t1000\tunknown\t/", "stands in index.txt:1 already"),
])  # fmt: skip
def test_each_fault_of_an_index_has_its_line(line: str, fault: str) -> None:
    first = "V\t301120080000Z\t\t1000\tunknown\t/"
    (found,) = indexfile.read(f"{first}\r\n\n{line}\n", "index.txt").faults
    assert found.startswith("index.txt:3: ")
    assert fault in found


@pytest.mark.parametrize("text", ["", "xyz", "1 2", "0x10", "１"])
def test_no_list_number(text: str) -> None:
    with pytest.raises(Fault, match="crlnumber:1: "):
        indexfile.read_number(text, "crlnumber")


HEAD = "serialNumber,status,revocationDate,revocationReason,expireDate,username,certificateProfileId,base64Cert"
EXPORT = f"""{HEAD}
4096,20,-1,-1,1921132800000,li-wen,77,AAEC
4097,40,1759320000000,4,1921132800000,sun-yue,77,
4098,40,1759320000000,6,1921132800000,"王, 演练样本",77,
4099,60,-1,-1,943920000000,x,77,
4100,20,-1,8,1921132800000,x,77,
"""


def test_export_is_read_from_csv_and_json_alike() -> None:
    reading = export.read_csv(EXPORT, "certificates.csv")
    assert reading.faults == []
    assert [(int(one.serial), one.state, one.reason, one.name) for one in map(_decimal, reading.rows)] == [
        (4096, "good", "", "li-wen"),
        (4097, "revoked", "superseded", "sun-yue"),
        (4098, "held", "certificate-hold", "王, 演练样本"),
        (4099, "good", "", "x"),
        (4100, "good", "", "x"),
    ]
    assert reading.rows[0].content == bytes([0, 1, 2])
    assert reading.rows[1].at == datetime(2025, 10, 1, 12, 0, tzinfo=UTC)
    objects = [
        {"serialNumber": "4096", "status": 20, "revocationDate": -1, "revocationReason": -1,
         "expireDate": 1921132800000, "username": "li-wen", "certificateProfileId": 77, "base64Cert": "AAEC"},
    ]  # fmt: skip
    (one,) = export.read_json(json.dumps(objects), "certificates.json").rows
    assert (one.serial, one.content, one.profile) == (reading.rows[0].serial, bytes([0, 1, 2]), "77")


def _decimal(one: Row) -> Row:
    return Row(one.place, str(int(one.serial, 16)), one.state, None, reason=one.reason, name=one.name)  # type: ignore[arg-type]


@pytest.mark.parametrize(("line", "fault"), [
    ("xx,20,-1,-1,1,u,1,", "no serial number"),
    ("5,10,-1,-1,1,u,1,", "no status"),
    ("5,40,-1,1,1,u,1,", "no `revocationDate`"),
    ("5,40,1759320000000,-1,1,u,1,", "without a reason"),
    ("5,40,1759320000000,7,1,u,1,", "no reason"),
    ("5,20,-1,-1,yesterday,u,1,", "no time"),
    ("5,20,-1,-1,999999999999999,u,1,", "beyond the calendar"),
    ("5,20,-1,-1,1,u,1,%%", "no base64"),
    ("5,20,-1,-1,1,u\x07,1,", "cannot be printed"),
    ("5,20,-1,-1", "a cell too few"),
    (",20,-1,-1,1,u,1,", "there is no `serialnumber`"),
    ("5,20,-1,-1,1,u,1,,x", "a cell too few or too many"),
])  # fmt: skip
def test_each_fault_of_an_export_has_its_line(line: str, fault: str) -> None:
    (found,) = export.read_csv(f"{HEAD}\n9,20,-1,-1,1,u,1,\n{line}\n", "c.csv").faults
    assert found.startswith("c.csv:3: ")
    assert fault in found


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", HEAD + ",status\n", HEAD + '\n"5'])
def test_no_export(text: str) -> None:
    assert export.read_csv(text, "c.csv").faults


@pytest.mark.parametrize("text", ["", "{}", "[1]", "[" * 100_000, '[{"serialNumber": true}]', "[" + "9" * 5000 + "]"])
def test_no_json(text: str) -> None:
    assert export.read_json(text, "c.json").faults


MAPPING = "what,is\nserial:1000,person:li-wen\nname:web.finance,service:fin-web\nname:old,-\nprofile:77,person\n"


def test_mapping_is_read() -> None:
    found = mapping.parse(MAPPING, "m.csv")
    assert found.holder(next(iter(found.serials)), ("web.finance",)) == "person:li-wen"
    assert found.holder("x", ("nobody", "old")) == mapping.NOBODY  # type: ignore[arg-type]
    assert (found.profile("77"), found.profile("78")) == ("person", mapping.FOREIGN)


@pytest.mark.parametrize("line", [
    "serial:1000", "serial:xyz,person:a", "name:a,king:b", "name:a,person:", "profile:77,Not A Name", "x:a,person:b",
    "name:old,person:li-wen", 'name:"a', "name:a,bootstrap:bootstrap", "name:a\x00,person:b",
])  # fmt: skip
def test_faulty_mapping_names_its_line(line: str) -> None:
    with pytest.raises(Malformed, match=r"`m.csv` line [67]"):
        mapping.parse(f"{MAPPING}{line}\n", "m.csv")


def test_certificates_are_found_in_a_text() -> None:
    block = f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(b'one').decode()}\n-----END CERTIFICATE-----\n"
    assert list(pem.certificates(f"Certificate:\n  Data\n{block}{block}")) == [(3, b"one"), (6, b"one")]
    for bad in (block.replace("END", "MID"), block.replace("b25l", "%%")):
        with pytest.raises(Fault, match="line 1: "):
            list(pem.certificates(bad))


CELLS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["V", "R", "E", "", "301120080000Z", "251001120000Z,keyCompromise", "1000", "01", "unknown", "20", "40", "-1"]
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(CELLS, max_size=9), max_size=6), st.text(max_size=200))
def test_no_table_breaks_a_reader(table: list[list[str]], text: str) -> None:
    """Each line is a row or a fault that names it, and never both."""
    for given_ in ("\n".join("\t".join(cells) for cells in table), text):
        reading = indexfile.read(given_, "f")
        told = [one.place for one in reading.rows] + [one.split(": ")[0] for one in reading.faults]
        assert set(told) == {f"f:{n}" for n, line in enumerate(given_.split("\n"), 1) if line.removesuffix("\r")}
    body = f"{HEAD}\n" + "\n".join(",".join(cells) for cells in table)
    for reading in (export.read_csv(body, "f"), export.read_csv(text, "f"), export.read_json(text, "f")):
        assert all(one.startswith("f") for one in reading.faults)
    for parse in (lambda: mapping.parse("what,is\n" + text, "f"), lambda: list(pem.certificates(text))):
        with contextlib.suppress(Malformed, Fault):
            parse()
