"""Tables of people and devices: encodings, headers, rows refused with line and field, and nothing that runs."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.registry import loader, table
from core.registry.errors import RegisterRejected
from core.registry.province import PersonEntry
from tests.core.registry.files import SOUND

PRESENT = loader.parse_province(SOUND)

GOOD = """\
标识,姓名,单位,安全域,涉密等级,可进入域,角色
li-wen,李文,fin,outer-fin,秘密,,
zhang-san,张三,fin,outer-fin,内部,outer-fin; outer-pub,outer-fin:reader
"""


def people(text: str) -> dict[str, PersonEntry]:
    return {one.id: one for one in table.parse_table(text, "person", PRESENT).people}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_table_is_read_in_each_encoding(encoding: str) -> None:
    found = people(table.decode(GOOD.encode(encoding)))
    assert (found["zhang-san"].name, found["zhang-san"].clearance) == ("张三", 1)
    assert found["zhang-san"].member_of == ("outer-fin", "outer-pub")
    assert found["zhang-san"].roles == (("outer-fin", "reader"),)
    # Of somebody known only what is given changes.
    assert found["li-wen"].clearance == 2
    assert found["li-wen"].member_of == ("outer-fin",)
    assert set(found) == {"li-wen", "wang-fang", "sun-jing", "zhang-san"}


def test_a_mark_before_the_header_is_not_part_of_it() -> None:
    assert people("\ufeff" + GOOD) == people(GOOD)


def test_english_headers_and_devices() -> None:
    text = "id,kind,name,system\r\ngate,sensor,门,budget\r\n\r\nnew-gate,gateway,新,budget\r\n"
    devices = {one.id: (one.kind, one.name) for one in table.parse_table(text, "device", PRESENT).devices}
    assert devices == {"gate": ("sensor", "门"), "new-gate": ("gateway", "新")}


#: name: (text, line, field, word)
BAD = {
    "empty": ("", 1, "", "the file is empty"),
    "unknown column": ("id,name,shoe\na,b,c\n", 1, "shoe", "is no column of a person"),
    "column twice": ("id,标识,name\na,b,c\n", 1, "id", "stands twice"),
    "no id": ("name,organisation\na,b\n", 1, "id", "the column `id` is missing"),
    "too many cells": ("id,name\nli-wen,a,b\n", 2, "", "the row has 3 cells"),
    "bad id": ("id,name,organisation,domain\nLi,a,fin,outer-fin\n", 2, "id", "is not an id"),
    "missing cell": ("id,name,organisation,domain\nli-si,a,fin,\n", 2, "domain", "`domain` is missing"),
    "unknown organisation": (
        "id,name,organisation,domain\nli-si,a,xxx,outer-fin\n",
        2,
        "organisation",
        "no organisation",
    ),
    "unknown clearance": ("id,clearance\nli-wen,很高\n", 2, "clearance", "none of public"),
    "id twice": ("id,contact\nli-wen,a\nwang-fang,b\nli-wen,c\n", 4, "id", "stands already in line 2"),
    "line after a long cell": ('id,contact\nli-wen,"a b"\nnobody-x,c\n', 3, "name", "`name` is missing"),
    "open quote": ('id,contact\nli-wen,"a\n', 2, "", "not readable as CSV"),
    "NUL": ("id,contact\nli-wen,a\nwang-fang,b\0\n", 3, "", "holds a NUL"),
    "role": ("id,roles\nli-wen,reader\n", 2, "roles", "not written `domain:role`"),
    "control character": ("id,contact\nli-wen,a\x1bb\n", 2, "contact", "cannot be printed"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_is_named_and_the_table_refused(name: str) -> None:
    text, line, field, word = BAD[name]
    with pytest.raises(RegisterRejected) as refused:
        table.parse_table(text, "person", PRESENT)
    found = {(fault.line, fault.field) for fault in refused.value.faults if word in fault.message}
    assert (line, field) in found, refused.value.faults
    assert all(fault.hint for fault in refused.value.faults)


@pytest.mark.parametrize(
    ("content", "line"),
    [(b"id,name\nli-wen,a\nwang,\xff\xff\n", 3), (b"id\n" + b"x" * 1_100_000, 1), (b"\xff\xfeid,name\n", 1)],
)
def test_what_is_no_text_is_refused(content: bytes, line: int) -> None:
    with pytest.raises(RegisterRejected) as refused:
        table.decode(content)
    assert [fault.line for fault in refused.value.faults] == [line]


def test_other_kinds_come_as_change_sets() -> None:
    with pytest.raises(RegisterRejected, match="cannot be imported"):
        table.parse_table("id\na\n", "domain", PRESENT)


@pytest.mark.parametrize(
    "evil", ["=cmd|' /C calc'!A0", "+86 138", "-1", "@SUM(A1)", "=1+1", "'quoted", "'=1+1", "''-", "010-1, 010-2"]
)
def test_what_is_exported_runs_nothing_and_comes_back(evil: str) -> None:
    text = SOUND.replace("{id: sun-jing, name: 孙静,", f'{{id: sun-jing, name: "{evil}", contact: "{evil}",')
    whole = loader.parse_province(text)
    written = table.write_table("person", whole.people)
    cells = [cell for row in csv.reader(io.StringIO(written, newline="")) for cell in row]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells if cell != "-")
    assert table.parse_table(written, "person", PRESENT).people == whole.people


@settings(max_examples=80, deadline=None)
@given(text=st.text(max_size=200), head=st.sampled_from(["id,name\n", "标识,姓名,单位,安全域\n", ""]))
def test_any_text_is_read_or_refused(text: str, head: str) -> None:
    try:
        table.parse_table(head + text, "person", PRESENT)
    except RegisterRejected:
        return
