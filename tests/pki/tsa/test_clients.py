"""Real clients: openssl, curl and rfc3161-client ask over HTTP, and verify what they get."""

import hashlib
import subprocess
from pathlib import Path

import httpx2
import pytest
import rfc3161_client
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from core.ledger import timestamp
from pki import issuer
from tests.pki.tsa.conftest import Tsa, info, openssl

DATA = "演练样本 · what is to be stamped\n".encode()


@pytest.fixture
def place(tmp_path: Path, lasting: Tsa) -> Path:
    (tmp_path / "data").write_bytes(DATA)
    lasting.trust(tmp_path)
    with lasting.database.read() as session:
        for name in ("tsa-1", "issuing"):
            pem = x509.load_der_x509_certificate(issuer.get(session, name).der).public_bytes(serialization.Encoding.PEM)
            (tmp_path / f"{name}.pem").write_bytes(pem)
    both = (tmp_path / "tsa-1.pem").read_bytes() + (tmp_path / "issuing.pem").read_bytes()
    (tmp_path / "chain.pem").write_bytes(both)
    return tmp_path


def ask(place: Path, url: str, *options: str) -> None:
    """Make a question with openssl and send it with curl."""
    assert openssl("-query", "-data", "data", *options, "-out", "q.tsq", cwd=place).returncode == 0
    command = ["curl", "-sS", "--fail", "-H", "Content-Type: application/timestamp-query"]
    command += ["--data-binary", "@q.tsq", "-o", "r.tsr", "-w", "%{http_code} %{content_type}", f"{url}/tsa"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=True)
    assert done.stdout == "200 application/timestamp-reply"


def verified(place: Path, *options: str) -> bool:
    return "Verification: OK" in openssl("-verify", "-in", "r.tsr", *options, "-CAfile", "root.pem", cwd=place).stdout


@pytest.mark.parametrize("digest", ["-sha256", "-sha384", "-sha512"])
@pytest.mark.parametrize("nonce", [(), ("-no_nonce",)])
def test_openssl_verifies_with_the_certificates_in_the_token(
    place: Path, url: str, digest: str, nonce: tuple[str, ...]
) -> None:
    ask(place, url, digest, "-cert", *nonce)
    assert verified(place, "-data", "data")
    assert verified(place, "-queryfile", "q.tsq")
    (place / "data").write_bytes(DATA + b"!")
    assert not verified(place, "-data", "data")


def test_openssl_verifies_with_certificates_of_its_own(place: Path, url: str) -> None:
    ask(place, url, "-sha512")
    assert verified(place, "-queryfile", "q.tsq", "-untrusted", "chain.pem")
    assert not verified(place, "-queryfile", "q.tsq")


def test_openssl_prints_what_the_token_says(place: Path, url: str, lasting: Tsa) -> None:
    ask(place, url, "-sha256", "-cert", "-tspolicy", lasting.settings.policy)
    text = openssl("-reply", "-in", "r.tsr", "-text", cwd=place).stdout
    for line in (
        "Status: Granted.",
        f"Policy OID: {lasting.settings.policy}",
        "Hash Algorithm: sha256",
        "Accuracy: 0x01 seconds, unspecified millis, unspecified micros",
        "Ordering: yes",
        "TSA: DirName:/C=CN/O=",
    ):
        assert line in text, text


def test_a_foreign_root_is_not_convinced(place: Path, url: str) -> None:
    ask(place, url, "-sha256", "-cert")
    done = openssl("-verify", "-in", "r.tsr", "-data", "data", "-CAfile", "tsa-1.pem", cwd=place)
    assert done.returncode == 1


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA512"])
@pytest.mark.parametrize("nonce", [True, False])
def test_rfc3161_client_verifies(lasting: Tsa, url: str, tmp_path: Path, algorithm: str, nonce: bool) -> None:
    kind = getattr(rfc3161_client.HashAlgorithm, algorithm)
    asked = rfc3161_client.TimestampRequestBuilder().data(DATA).hash_algorithm(kind).nonce(nonce=nonce).build()
    headers = {"Content-Type": "application/timestamp-query"}
    got = httpx2.post(f"{url}/tsa", content=asked.as_bytes(), headers=headers)
    root = x509.load_pem_x509_certificate(lasting.trust(tmp_path).read_bytes())
    read = rfc3161_client.decode_timestamp_response(got.content)
    verifier = rfc3161_client.VerifierBuilder(roots=[root], nonce=asked.nonce).build()
    verifier.verify(read, hashlib.new(algorithm.lower(), DATA).digest())
    with pytest.raises(rfc3161_client.VerificationError):
        verifier.verify(read, hashlib.new(algorithm.lower(), DATA + b"!").digest())
    assert read.tst_info.nonce == asked.nonce


def test_our_own_verifier_reads_it(lasting: Tsa, tmp_path: Path) -> None:
    lasting.clock.advance(milliseconds=1230)
    asked = timestamp.ask(DATA)
    root = x509.load_pem_x509_certificate(lasting.trust(tmp_path).read_bytes())
    got = lasting.authority().respond(asked.as_bytes())
    stamp = timestamp.verify_answer(got, note=DATA, roots=[root], nonce=asked.nonce)
    assert stamp.serial == info(got)["serial_number"].native
    said = info(got)["gen_time"].native
    assert said.microsecond % 1000 == 0 != said.microsecond
    # rfc3161-client leaves fractions of a second away.
    assert stamp.at == said.replace(microsecond=0)
    assert abs(said - lasting.clock.now()).total_seconds() <= 1


def test_the_certificate_is_one_for_stamping_alone(place: Path) -> None:
    text = subprocess.run(
        ["openssl", "x509", "-in", "tsa-1.pem", "-noout", "-text", "-purpose"],
        cwd=place,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "Extended Key Usage: critical\n                Time Stamping\n" in text
    assert "Time Stamp signing : Yes" in text
    command = ["openssl", "verify", "-purpose", "timestampsign", "-CAfile", "root.pem", "-untrusted", "issuing.pem"]
    assert subprocess.run([*command, "tsa-1.pem"], cwd=place, capture_output=True, check=False).returncode == 0
