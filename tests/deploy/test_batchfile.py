"""Requests in bulk: a table or a folder is read whole, or refused naming the line."""

from pathlib import Path

import pytest

from core.errors import TrustError
from deploy import batchfile


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("li-wen", "sun-yue"):
        (tmp_path / f"{name}.csr").write_text(f"request of {name}")
    (tmp_path / "notes.txt").write_text("not a request")
    return tmp_path


def test_a_folder_is_its_requests_by_name(place: Path) -> None:
    assert [(one.name, one.body) for one in batchfile.read(place, profile="person")] == [
        (name, {"holder": name, "csr": f"request of {name}", "profile": "person"}) for name in ("li-wen", "sun-yue")
    ]


def test_a_table_names_files_beside_it(place: Path) -> None:
    (place / "all.csv").write_text(
        "holder,csr,profile,dns_names,lifetime\n"
        "li-wen,li-wen.csr,,,\n"
        "x,sun-yue.csr,application,a.example b.example,60\n"
    )
    first, second = batchfile.read(place / "all.csv", profile="person")
    assert (first.name, first.body["profile"], first.body["dns_names"]) == ("li-wen", "person", [])
    assert "lifetime_seconds" not in first.body
    assert (second.name, second.body["holder"], second.body["profile"]) == ("sun-yue", "x", "application")
    assert (second.body["dns_names"], second.body["lifetime_seconds"]) == (["a.example", "b.example"], 60)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("", "columns"),
        ("holder,csr\n", "names no request"),
        ("holder,name\nli-wen,x\n", "columns"),
        ("holder,csr,colour\nli-wen,li-wen.csr,red\n", "columns"),
        ("holder,csr\nli-wen,\n", "line 2"),
        ("holder,csr\nli-wen,li-wen.csr\nsun-yue,none.csr\n", "line 3"),
        ("holder,csr,lifetime\nli-wen,li-wen.csr,long\n", "line 2: `long`"),
        ("holder,csr\nli-wen,li-wen.csr\nsun-yue,li-wen.csr\n", "`li-wen` twice"),
        ('holder,csr\n"li-wen,li-wen.csr\n', "unexpected end"),
    ],
)
def test_a_faulty_table_is_refused_naming_the_line(place: Path, table: str, told: str) -> None:
    (place / "all.csv").write_text(table)
    with pytest.raises(TrustError, match=told):
        batchfile.read(place / "all.csv", profile="person")
