"""A key on a real token: requests, TLS and signatures by it; a wrong PIN is shown to it once."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from core import signed
from core.errors import Malformed, NotFound, Unavailable
from core.signed import Statement
from deploy import login
from deploy.card import Card
from tests.services import card
from tests.services.card import Token

P521 = ec.generate_private_key(ec.SECP521R1())


@pytest.fixture(scope="module", params=["EC:prime256v1", "EC:secp384r1", "rsa:3072"])
def token(request: pytest.FixtureRequest) -> Iterator[Token]:
    made = card.make(request.param)
    yield made
    shutil.rmtree(made.folder.parent)


def run(token: Token, home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **token.environment, "GUOSUO_HOME": str(home)}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60
    )


def guosuo(token: Token, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(token, home, sys.executable, "-m", "deploy.cli", *arguments)


SIGN = """
import sys
from pathlib import Path
from deploy.card import Card
made = Card(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
made.prepare()
sys.stdout.buffer.write(made.sign(sys.stdin.buffer.read()))
"""


def certificate(token: Token, folder: Path) -> Path:
    """A certificate over the token's key, self-signed by openssl as anybody would."""
    found = folder / "own.pem"
    asked = folder / "own.csr"
    done = guosuo(token, folder, "cert", "csr", "li-wen", "--key", token.uri(), "--out", str(asked))
    assert done.returncode == 0, done.stderr
    configuration = next(folder.glob("card-*.cnf"))
    key = f"{token.uri().partition('?')[0]};type=private"
    command = ["openssl", "req", "-x509", "-new", "-key", key, "-subj", "/UID=li-wen", "-days", "9", "-out", str(found)]
    environment = {**os.environ, **token.environment, "OPENSSL_CONF": str(configuration)}
    pin = ["-passin", f"pass:{card.PIN}"]
    subprocess.run([*command, *pin], env=environment, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return found


def test_request_names_the_person_and_the_tokens_key(token: Token, tmp_path: Path) -> None:
    own = x509.load_pem_x509_certificate(certificate(token, tmp_path).read_bytes())
    request = x509.load_pem_x509_csr((tmp_path / "own.csr").read_bytes())
    assert request.is_signature_valid
    assert request.public_key() == own.public_key()
    assert request.subject.rfc4514_string() == "UID=li-wen"


def test_an_act_signed_on_the_token_verifies(token: Token, tmp_path: Path) -> None:
    own = certificate(token, tmp_path)
    now = datetime.now(UTC)
    statement = Statement("approval.approve", "approval:1", "ab" * 32, "li-wen", now, "origin")
    token.logins()
    environment = {**os.environ, **token.environment}
    command = [sys.executable, "-c", SIGN, token.uri(), str(tmp_path), str(own)]
    done = subprocess.run(command, env=environment, input=statement.text.encode(), capture_output=True, check=True)
    der = x509.load_pem_x509_certificate(own.read_bytes()).public_bytes(Encoding.DER)
    signed.verify_act(statement, done.stdout, der, now=now)
    assert token.logins() == 2


@pytest.mark.parametrize("wrong", ["999999", "1", ""])
def test_a_wrong_pin_is_shown_to_the_token_once_at_most(token: Token, tmp_path: Path, wrong: str) -> None:
    token.logins()
    uri = token.uri(pin=wrong)
    done = guosuo(token, tmp_path, "cert", "csr", "li-wen", "--key", uri, "--out", str(tmp_path / "x.csr"))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert token.logins() <= 1
    assert not (tmp_path / "x.csr").exists()


def test_nobody_to_ask_no_such_token_no_such_module(token: Token, tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "x.csr")]
    for uri, word in (
        (token.uri(pin=None), "nobody to ask for the PIN"),
        (token.uri(token="other"), "no such token"),
        (token.uri(module="/nowhere/module.so"), "no such token"),
        (token.uri().replace("135790", "246"), "cannot be read"),
        (f"{token.uri().partition('?')[0]}?pin-value={card.PIN}", "does not belong into a URI"),
    ):
        done = guosuo(token, tmp_path, "cert", "csr", "li-wen", "--key", uri, *out)
        assert (done.returncode, word in done.stderr) == (1, True), done.stderr
        assert "Traceback" not in done.stderr
        assert card.PIN not in done.stderr


def test_the_pin_stands_in_no_command_line_and_in_no_file_of_the_login(token: Token, tmp_path: Path) -> None:
    certificate(token, tmp_path)
    written = [path for path in tmp_path.iterdir() if path.is_file()]
    assert written
    assert [path.name for path in written if card.PIN.encode() in path.read_bytes()] == []


def test_another_token_than_the_login_kept_is_asked(token: Token, tmp_path: Path) -> None:
    """Each of the two begins the program again with a configuration of its own: once, and not for ever."""
    own, folder = certificate(token, tmp_path), tmp_path / "home"
    kept = token.uri().replace("object=signing", "object=other")
    login.save(login.Login("https://localhost:1", str(own), kept, str(own)), folder)
    asked = ["login", "https://localhost:1", "--cert", str(own), "--key", token.uri(), "--trust", str(own)]
    done = guosuo(token, folder, *asked)
    assert (done.returncode, "does not answer" in done.stderr) == (4, True), done.stderr


def test_files_that_stand_there_are_not_written_again(token: Token, tmp_path: Path) -> None:
    """Two commands at once would otherwise take each other's half-written file away."""
    made = Card(token.uri(), tmp_path)
    made.prepare()
    before = [path.stat().st_ino for path in (made.configuration, made.pem)]
    made.prepare()
    assert [path.stat().st_ino for path in (made.configuration, made.pem)] == before


def test_a_pin_file_that_cannot_be_one(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="PIN cannot be read"):
        Card("pkcs11:token=card;object=k?pin-source=/%00", tmp_path).pin()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="nothing can be kept"):
        Card("pkcs11:token=card;object=k", tmp_path / "file").prepare()


@pytest.mark.parametrize(
    ("key", "kind"),
    [(Ed25519PrivateKey.generate(), "Ed25519"), (Ed448PrivateKey.generate(), "Ed448"), (P521, "secp521r1")],
)
def test_a_key_that_signs_nothing_here_is_named_before_the_pin_is_asked_for(
    tmp_path: Path, key: CertificateIssuerPrivateKeyTypes, kind: str
) -> None:
    name, now = x509.Name([x509.NameAttribute(NameOID.USER_ID, "li-wen")]), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    made = builder.sign(key, SHA512() if key is P521 else None)
    (tmp_path / "own.pem").write_bytes(made.public_bytes(Encoding.PEM))
    with pytest.raises(Malformed, match=f"of the kind {kind} ") as refused:
        Card("pkcs11:token=card;object=k?pin-source=/nowhere", tmp_path, tmp_path / "own.pem").sign(b"text")
    assert "P-256" in refused.value.hint
