"""Requests in bulk: a table or a folder is read whole, or refused naming the line."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from core.errors import TrustError
from deploy import batchfile
from tests.pki.conftest import csr


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
        ("holder,csr,lifetime\nli-wen,li-wen.csr,-5\n", "line 2: `-5`"),
        ("holder,csr,lifetime\nli-wen,li-wen.csr,0\n", "line 2: `0`"),
        ("holder,csr,lifetime\nli-wen,li-wen.csr,3000000000\n", "line 2: `3000000000`"),
        ("holder,csr\nli-wen,li-wen.csr\nsun-yue,sun\0yue.csr\n", "line 3"),
        ("holder,csr\nli\0wen,li-wen.csr\n", "line 2"),
        ("holder,csr\nli-wen,li-wen.csr,more\n", "line 2: has more cells"),
        (f"holder,csr\n{'x' * 81},li-wen.csr\n", "line 2: a holder"),
        (f"holder,csr,profile\nli-wen,li-wen.csr,{'x' * 41}\n", "line 2: a profile"),
        (f"holder,csr,dns_names\nli-wen,li-wen.csr,{'a.b ' * 21}\n", "line 2: at most 20"),
        ("holder,csr\nli-wen,li-wen.csr\nsun-yue,li-wen.csr\n", "`li-wen` twice"),
        ('holder,csr\n"li-wen,li-wen.csr\n', "unexpected end"),
    ],
)
def test_a_faulty_table_is_refused_naming_the_line(place: Path, table: str, told: str) -> None:
    (place / "all.csv").write_text(table)
    with pytest.raises(TrustError, match=told):
        batchfile.read(place / "all.csv", profile="person")


def test_a_spreadsheets_table_is_read(place: Path) -> None:
    (place / "all.csv").write_text("holder,csr\nli-wen,li-wen.csr\n", encoding="utf-8-sig")
    assert [one.name for one in batchfile.read(place / "all.csv", profile="person")] == ["li-wen"]


def test_a_binary_request_is_sent_as_text(place: Path) -> None:
    pem = csr(ec.generate_private_key(ec.SECP256R1()), "li-wen", names={NameOID.COMMON_NAME: "x" * 40})
    (place / "li-wen.csr").write_bytes(x509.load_pem_x509_csr(pem).public_bytes(Encoding.DER))
    (place / "all.csv").write_text("holder,csr\nli-wen,li-wen.csr\n")
    for where in (place, place / "all.csv"):
        assert batchfile.read(where, profile="person")[0].body["csr"] == pem.decode()
