"""OCSP over HTTP with clients that are none of ours: openssl, ocsptool, and plain HTTP with all that can be wrong."""

import base64
import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from sqlmodel import SQLModel

from core.database import Database
from tests.clock import ManualClock
from tests.pki.conftest import build
from tests.pki.served import Served, fetch, served
from tests.pki.test_responder import question
from tests.services.softhsm import Running

NAMES = {"good": "good", "revoked": "revoked", "held": "revoked"}


@pytest.fixture(scope="module")
def status(signer_process: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("status")
    database = Database(f"sqlite:///{folder}/store.sqlite3")
    SQLModel.metadata.create_all(database.engine)
    with served(build(database, ManualClock(), signer_process, folder)) as made:
        yield made
    database.close()


def asked(made: Served, name: str) -> bytes:
    return question(made.pki, int(made.certificates[name].serial, 16))


@pytest.mark.parametrize("more", [(), ("-no_nonce",), ("-sha256",)])
@pytest.mark.parametrize("name", NAMES)
def test_openssl_asks(status: Served, name: str, more: tuple[str, ...]) -> None:
    command = ["openssl", "ocsp", "-issuer", "issuing.pem", *more, "-cert", status.path(name), "-CAfile", "trust.pem"]
    said = status.run(*command, "-url", f"{status.url}/ocsp/issuing")
    assert "Response verify OK" in said.stderr
    assert f": {NAMES[name]}" in said.stdout
    assert ("Reason: certificateHold" in said.stdout) == (name == "held")
    assert ("no nonce in response" in said.stderr) is False


def test_openssl_asks_about_many_at_once(status: Served) -> None:
    command = ["openssl", "ocsp", "-issuer", "issuing.pem", "-CAfile", "trust.pem"]
    for name in NAMES:
        command += ["-cert", status.path(name)]
    said = status.run(*command, "-serial", "0x77", "-url", f"{status.url}/ocsp/issuing")
    assert "Response verify OK" in said.stderr
    assert [line.split(": ")[1] for line in said.stdout.splitlines() if ": " in line and "\t" not in line] == [
        "good",
        "revoked",
        "revoked",
        "unknown",
    ]


@pytest.mark.parametrize("more", [(), ("--nonce",)])
@pytest.mark.parametrize("name", NAMES)
def test_gnutls_asks(status: Served, name: str, more: tuple[str, ...]) -> None:
    command = ["ocsptool", f"--ask={status.url}/ocsp/issuing", "--load-cert", status.path(name), *more]
    said = status.run(*command, "--load-issuer", "issuing.pem", "--load-trust", "trust.pem")
    assert "Success" in said.stdout + said.stderr
    assert f"Certificate Status: {NAMES[name]}" in said.stdout


def test_get_and_post_say_the_same_and_a_cache_knows_for_how_long(status: Served) -> None:
    content = asked(status, "good")
    posted = fetch(f"{status.url}/ocsp/issuing", content, content_type="application/ocsp-request")
    place = f"{status.url}/ocsp/issuing/{quote(base64.b64encode(content).decode(), safe='')}"
    found, headers, got = fetch(place)
    assert (posted[0], found, got) == (200, 200, posted[2])
    assert headers["content-type"] == "application/ocsp-response"
    for word in ("max-age=60", "public", "no-transform", "must-revalidate"):
        assert word in headers["cache-control"]
    assert (bool(headers["last-modified"]), bool(headers["expires"])) == (True, True)
    again, later, nothing = fetch(place, if_none_match=headers["etag"])
    assert (again, nothing, later["etag"]) == (304, b"", headers["etag"])
    assert fetch(place, if_none_match='"other"')[0] == 200


def test_what_is_signed_for_one_alone_is_kept_by_nobody(status: Served) -> None:
    read = ocsp.load_der_ocsp_request(asked(status, "good"))
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        read.issuer_name_hash, read.issuer_key_hash, read.serial_number, hashes.SHA256()
    )
    content = builder.add_extension(x509.OCSPNonce(b"n" * 32), critical=False).build().public_bytes(Encoding.DER)
    first, second = (fetch(f"{status.url}/ocsp/issuing", content) for _ in range(2))
    assert first[1]["cache-control"] == "no-store"
    assert first[2] != second[2]


@pytest.mark.parametrize("content", [b"", b"\x30\x00", b"\x30" * 5000, b"x" * 3_000_000], ids=len)
def test_whatever_is_posted_gets_an_ocsp_answer(status: Served, content: bytes) -> None:
    found, headers, got = fetch(f"{status.url}/ocsp/issuing", content)
    assert (found, headers["cache-control"]) == (200, "no-store")
    assert ocsp.load_der_ocsp_response(got).response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


@pytest.mark.parametrize("path", ["", "/", "/%%%", "/AAAA", "/Zm9v%00", "/" + "A" * 8000, "/..%2f..%2fetc"])
def test_whatever_is_in_the_path_gets_an_ocsp_answer(status: Served, path: str) -> None:
    found, _headers, got = fetch(f"{status.url}/ocsp/issuing{path}")
    assert found == 200
    assert ocsp.load_der_ocsp_response(got).response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


@pytest.mark.parametrize(("method", "path", "expected"), [
    ("PUT", "/ocsp/issuing", 405), ("DELETE", "/ocsp/issuing/x", 405), ("GET", "/ocsp/root/AAAA", 404),
    ("GET", "/ocsp/issuingx", 404), ("GET", "/ocsp", 404),
])  # fmt: skip
def test_other_methods_and_responders(status: Served, method: str, path: str, expected: int) -> None:
    parts = urlsplit(status.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 0, timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == expected


def test_an_answer_ready_is_told_without_the_store(status: Served) -> None:
    """Once the feed looks, the same question is answered from memory: the same octets, whatever the store does."""
    content = asked(status, "good")
    status.feed.look()
    first = fetch(f"{status.url}/ocsp/issuing", content)[2]
    assert status.feed.ready(content) is not None
    assert fetch(f"{status.url}/ocsp/issuing", content)[2] == first
