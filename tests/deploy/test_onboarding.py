"""Enrolment, renewal and the pair of key and certificate, from the side of whoever holds them, over real TLS."""

import http.server
import json
import shutil
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from typer.testing import CliRunner

from core.errors import Conflict, Malformed, NotFound, Rejected, TrustError, Unavailable
from core.registry.credential import CredentialState
from deploy import anchor, onboarding, pkcs12, renewing
from deploy.cli.main import app
from deploy.onboarding import Asked, Waits
from deploy.pair import Pair, PairFolder
from deploy.renewing import Renewer, Wish
from deploy.request import make_key
from pki import revocation
from tests.clock import ManualClock
from tests.crash.nursery import Child
from tests.crash.pair_scenarios import renew_for_ever
from tests.deploy import enrolled
from tests.deploy.enrolled import Enrolled
from tests.pki.counter import decide
from tests.services import certificate
from tests.services.softhsm import Running


@pytest.fixture(scope="module")
def site(signer_process: Running, tables_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Enrolled]:
    with enrolled.serving(signer_process, tables_file, tmp_path_factory.mktemp("site")) as made:
        yield made


def asked(site: Enrolled, folder: Path, **more: object) -> Asked:
    code = str(more.pop("code", "")) or site.invite()
    return Asked(site.url, site.fingerprint, code, folder, **{"patience": 30.0, **more})  # type: ignore[arg-type]


def enrol(site: Enrolled, folder: Path, **more: object) -> Pair:
    with site.officer():
        return onboarding.enrol(asked(site, folder, **more), say=lambda _line: None)


def check_pair(folder: Path) -> str:
    """Key and certificate of ``current`` belong together: said by openssl. Return the serial number."""
    key, chain = folder / "current" / "key.pem", folder / "current" / "chain.pem"
    commands = (["pkey", "-in", str(key), "-pubout"], ["x509", "-in", str(chain), "-noout", "-pubkey"])
    told = [subprocess.run(["openssl", *one], capture_output=True, check=True).stdout for one in commands]
    assert told[0] == told[1]
    assert key.stat().st_mode & 0o777 == 0o600
    return f"{x509.load_pem_x509_certificates(chain.read_bytes())[0].serial_number:040x}"


def renewer(folder: Path, clock: ManualClock, **wish: object) -> Renewer:
    return Renewer(folder, Wish(**wish), clock=clock)  # type: ignore[arg-type]  # real fields


def later(pair: Pair, part: float = 0.7) -> ManualClock:
    begin, end = pair.span
    return ManualClock(begin + (end - begin) * part)


def test_a_code_brings_a_certificate_and_only_a_request_is_sent(site: Enrolled, tmp_path: Path) -> None:
    made = enrol(site, tmp_path / "li")
    assert check_pair(tmp_path / "li") == made.serial
    verified = ["openssl", "verify", "-CAfile", str(tmp_path / "li/trust.pem")]
    verified += ["-untrusted", str(made.chain), str(made.chain)]
    assert subprocess.run(verified, capture_output=True, check=False).returncode == 0
    key = (tmp_path / "li/current/key.pem").read_bytes()
    store = b"".join(one.read_bytes() for one in site.folder.glob("store.sqlite3*"))
    secret = load_pem_private_key(key, None).private_numbers().private_value.to_bytes(32, "big")  # type: ignore[union-attr]
    assert secret not in store
    assert not (tmp_path / "li/pending").exists()
    # Again: there is nothing to do, whatever the code.
    assert onboarding.enrol(asked(site, tmp_path / "li", code="x"), say=lambda _line: None).serial == made.serial


def test_who_is_interrupted_goes_on_with_the_same_key(site: Enrolled, tmp_path: Path) -> None:
    code, said = site.invite("sun-yue"), []
    with pytest.raises(Waits) as waits:
        onboarding.enrol(asked(site, tmp_path, code=code, patience=0.0), say=said.append)
    assert waits.value.told["waits_for"] == "a registration officer"
    request = (tmp_path / "pending/request.pem").read_bytes()
    spki = x509.load_pem_x509_csr(request).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    # The ticket got lost, as when the answer never came: the code itself goes on.
    (tmp_path / "pending/ticket").unlink()
    made = enrol(site, tmp_path, code=code)
    assert made.spki == spki
    assert "the officer sees the same" in said[0]


def test_what_is_rejected_is_said_and_its_key_forgotten(site: Enrolled, tmp_path: Path) -> None:
    code = site.invite("chen-dev")
    with pytest.raises(Waits) as waits:
        onboarding.enrol(asked(site, tmp_path, code=code, patience=0.0), say=lambda _line: None)
    decide(site.pki, str(waits.value.told["request"]), "zhao-ra", "no such need")
    with pytest.raises(Rejected, match="no such need"):
        enrol(site, tmp_path, code=code)
    assert not (tmp_path / "pending").exists()
    assert PairFolder(tmp_path).current() is None


def test_nothing_is_believed_but_the_fingerprint(site: Enrolled, tmp_path: Path) -> None:
    with pytest.raises(Rejected) as other:
        anchor.fetch(site.url, "ab" * 32)
    assert (other.value.word, site.fingerprint in other.value.detail) == ("other-root", True)
    for text in ("", "ab", "zz" * 32, "ab" * 33):
        with pytest.raises(Malformed):
            anchor.fetch(site.url, text)
    colons = ":".join(site.fingerprint.upper()[at : at + 2] for at in range(0, 64, 2))
    found = anchor.fetch(site.url, colons)
    assert anchor.install(found, tmp_path).read_bytes() == found.pem
    assert anchor.install(found, tmp_path).exists()
    (tmp_path / "other").mkdir()
    other_root = certificate.make(tmp_path / "other").certificate
    shutil.copy(other_root, tmp_path / "trust.pem")
    with pytest.raises(Rejected, match="another root"):
        anchor.install(found, tmp_path)
    with pytest.raises(Unavailable):
        anchor.fetch("https://localhost:1", site.fingerprint)


class Impostor:
    """Hands out the real certificates of the authorities over TLS of its own."""

    def __init__(self, site: Enrolled, folder: Path) -> None:
        trusted = ssl.create_default_context(cafile=str(site.folder / "trust.pem"))
        content = {
            path: urllib.request.urlopen(site.url + path, context=trusted).read()
            for path in ("/ca/root.cer", "/ca/issuing.cer", "/livez")
        }

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(content[self.path])

            def log_message(self, *_args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.server.socket = certificate.make(folder).server().wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.url = f"https://localhost:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def test_who_shows_the_root_and_cannot_prove_itself_gets_no_code(site: Enrolled, tmp_path: Path) -> None:
    """The root is public: whoever stands between can show it. The code goes only to who proves itself under it."""
    impostor = Impostor(site, tmp_path)
    try:
        with pytest.raises(Rejected) as refused:
            onboarding.enrol(
                Asked(impostor.url, site.fingerprint, site.invite(), tmp_path / "x"), say=lambda _line: None
            )
    finally:
        impostor.close()
    assert refused.value.word == "other-server"
    assert not (tmp_path / "x" / "trust.pem").exists()


def test_what_is_issued_for_another_key_is_not_kept(site: Enrolled) -> None:
    made, other = site.pki.issue(), site.pki.issue()
    root = anchor.load(site.folder / "root.pem")
    spki = x509.load_der_x509_certificate(made.der).public_key()
    own = spki.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert anchor.check_chain(made.chain_pem.encode(), root, own)
    foreign = certificate_of(site)
    for chain in (other.chain_pem, made.chain_pem.partition("-----END")[0], "", made.chain_pem + foreign):
        with pytest.raises(Rejected):
            anchor.check_chain(chain.encode(), root, own)


def certificate_of(site: Enrolled) -> str:
    return certificate.make(site.folder).certificate.read_text()


def test_renewal_is_due_at_two_thirds_and_changes_key_and_chain_together(site: Enrolled, tmp_path: Path) -> None:
    before = enrol(site, tmp_path)
    early = renewer(tmp_path, later(before, 0.66)).renew()
    assert (early.renewed, early.pair.serial) == (False, before.serial)
    done = renewer(tmp_path, later(before, 0.67)).renew()
    assert (done.renewed, check_pair(tmp_path)) == (True, done.pair.serial)
    assert done.pair.spki != before.spki
    assert before.folder.is_dir()
    again = renewer(tmp_path, later(before)).renew(now=True)
    assert not before.folder.exists()
    assert {one.name for one in (tmp_path / "pairs").iterdir()} == {done.pair.serial, again.pair.serial}


def test_the_command_is_run_once_for_each_pair_and_again_when_it_failed(site: Enrolled, tmp_path: Path) -> None:
    made = enrol(site, tmp_path / "li")
    log, clock = tmp_path / "log", later(made)
    script = tmp_path / "reload"
    script.write_text(f'#!/bin/sh\necho "$GUOSUO_SERIAL $GUOSUO_FOLDER" >> {log}\ntest -e {tmp_path}/ok\n')
    script.chmod(0o700)
    with pytest.raises(Rejected, match="ended with 1"):
        renewer(tmp_path / "li", clock, command=str(script)).renew(now=True)
    serial = check_pair(tmp_path / "li")
    assert serial != made.serial
    (tmp_path / "ok").touch()
    quiet = ManualClock(datetime.now(UTC))
    assert not renewer(tmp_path / "li", quiet, command=str(script)).renew().renewed
    assert not renewer(tmp_path / "li", quiet, command=str(script)).renew().renewed
    assert log.read_text().splitlines() == [f"{serial} {tmp_path}/li"] * 2
    with pytest.raises(Rejected, match="cannot be run"):
        renewer(tmp_path / "li", clock, command="/nowhere/x").renew(now=True)


def test_refusals_leave_the_pair_and_the_next_try_free(site: Enrolled, tmp_path: Path) -> None:
    made = enrol(site, tmp_path)
    with pytest.raises(Rejected) as refused:
        renewer(tmp_path, later(made), same_key=True).renew(now=True)
    assert refused.value.word == "same-key"
    with PairFolder(tmp_path).held(), pytest.raises(Conflict, match="another program"):
        renewer(tmp_path, later(made)).renew(now=True)
    with pytest.raises(TrustError) as ended:
        renewer(tmp_path, later(made, 1.1)).renew(now=True)
    assert (ended.value.word, check_pair(tmp_path)) == ("ended", made.serial)
    with site.pki.database.write() as session:
        revocation.revoke(session, made.serial, reason="superseded", actor="x", at=site.pki.clock.now())  # type: ignore[arg-type]
    with pytest.raises(TrustError) as revoked:
        renewer(tmp_path, later(made)).renew(now=True)
    assert (revoked.value.word, check_pair(tmp_path)) == (CredentialState.REVOKED.value, made.serial)
    with pytest.raises(NotFound):
        renewer(tmp_path / "none", later(made)).renew()


def test_a_machine_may_keep_its_key(site: Enrolled, tmp_path: Path) -> None:
    code = site.invite("fin-budget-app", "application", ("fin-budget.fin.beichen.example",))
    made = enrol(site, tmp_path, code=code)
    done = renewer(tmp_path, later(made), same_key=True).renew(now=True)
    assert (done.pair.spki, done.pair.serial == made.serial) == (made.spki, False)
    assert check_pair(tmp_path) == done.pair.serial
    assert not (tmp_path / "pending").exists()


def test_a_renewal_that_takes_two_officers_waits_and_goes_on(site: Enrolled, tmp_path: Path) -> None:
    made = enrol(site, tmp_path, code=site.invite("han-office"))
    waits = [renewer(tmp_path, later(made)).renew(now=True) for _ in range(2)]
    assert {(one.renewed, one.waits_for) for one in waits} == {(False, "a registration officer")}
    request = (tmp_path / "pending/request.pem").read_bytes()
    with site.officer():
        deadline = time.monotonic() + 30
        while not (done := renewer(tmp_path, later(made)).renew()).renewed:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert check_pair(tmp_path) == done.pair.serial
    assert done.pair.certificate.public_key() == x509.load_pem_x509_csr(request).public_key()


def test_another_certificate_takes_the_place_of_one_that_was_lost(site: Enrolled, tmp_path: Path) -> None:
    made = enrol(site, tmp_path)
    other = enrol(site, tmp_path, again=True)
    assert (check_pair(tmp_path), other.serial == made.serial) == (other.serial, False)


def test_the_daemon_renews_when_it_is_due_and_goes_on_after_failures(site: Enrolled, tmp_path: Path) -> None:
    made, said = enrol(site, tmp_path), []
    clock = later(made)
    moved = json.loads((tmp_path / "site.json").read_text())["url"]
    PairFolder(tmp_path).remember("https://localhost:1")

    class Impatient(threading.Event):
        """Waits in no time; repairs what was broken, and ends when it has heard of a renewal."""

        def __init__(self) -> None:
            super().__init__()
            self.waited: list[float] = []

        def wait(self, timeout: float | None = None) -> bool:
            self.waited.append(timeout or 0.0)
            PairFolder(tmp_path).remember(moved)
            if said and said[-1].startswith("renewed"):
                self.set()
            return self.is_set()

    stop = Impatient()
    renewing.keep_renewing(renewer(tmp_path, clock), clock=clock, chance=lambda: 0.0, stop=stop, say=said.append)
    assert [line.split(":")[0] for line in said] == ["not renewed", "renewed"]
    assert stop.waited[0] == 30.0
    assert check_pair(tmp_path) != made.serial


@pytest.mark.parametrize("number", range(4))
def test_key_and_certificate_are_a_pair_whenever_it_is_killed(site: Enrolled, tmp_path: Path, number: int) -> None:
    """kill -9 in the middle of renewals over the network, at no particular moment."""
    enrol(site, tmp_path)
    child = Child(renew_for_ever, tmp_path)
    child.hear()
    time.sleep(0.05 * number)
    child.kill()
    before = check_pair(tmp_path)
    site.pki.clock.advance(days=1, seconds=1)
    done = renewer(tmp_path, ManualClock(datetime.now(UTC))).renew(now=True)
    assert check_pair(tmp_path) == done.pair.serial != before
    assert not (tmp_path / "pending").exists()


def test_pkcs12_is_read_by_openssl_and_strongly_encrypted(site: Enrolled, tmp_path: Path) -> None:
    made = enrol(site, tmp_path / "li")
    (tmp_path / "secret").write_text("北辰省 演练样本 1234\n")
    out = tmp_path / "li.p12"
    arguments = ["cert", "pkcs12", "--dir", str(tmp_path / "li"), "--out", str(out)]
    done = CliRunner().invoke(app, [*arguments, "--password-file", str(tmp_path / "secret"), "--json"])
    assert done.exit_code == 0, done.output
    assert out.stat().st_mode & 0o777 == 0o600
    command = ["openssl", "pkcs12", "-in", str(out), "-passin", f"file:{tmp_path / 'secret'}"]
    read = subprocess.run([*command, "-info", "-nodes"], capture_output=True, check=True)
    assert read.stderr.count(b"AES-256-CBC, Iteration 600000, PRF hmacWithSHA256") == 2
    assert b"MAC: sha256, Iteration 600000" in read.stderr
    keys = read.stdout
    assert keys.count(b"BEGIN CERTIFICATE") == 2
    own = load_pem_private_key(keys[keys.index(b"-----BEGIN PRIVATE KEY") :], None).public_key()
    assert own.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == made.spki
    again = CliRunner().invoke(app, [*arguments, "--password-file", str(tmp_path / "secret")])
    assert isinstance(again.exception, Conflict)
    for bad in ("", "short", "a" * 201, "twelve\ncharacters"):
        with pytest.raises(Rejected):
            pkcs12.pack(made, bad)


def test_a_damaged_folder_is_said(site: Enrolled, tmp_path: Path) -> None:
    made = enrol(site, tmp_path)
    (tmp_path / "site.json").write_text("[")
    with pytest.raises(Malformed, match="damaged"):
        renewer(tmp_path, later(made)).renew(now=True)
    made.chain.write_text("x")
    with pytest.raises(Malformed, match="no certificate"):
        renewer(tmp_path, later(made)).renew(now=True)


def test_codes_are_not_heard_without_end(site: Enrolled) -> None:
    context = ssl.create_default_context(cafile=str(site.folder / "trust.pem"))
    site.pki.clock.advance(minutes=2)
    request = site.folder / "x.csr"
    request.write_bytes(make_key(site.folder / "x.key"))
    body = json.dumps({"code": "0" * 24, "csr": request.read_text()}).encode()
    heard = []
    for _ in range(12):
        asked_ = urllib.request.Request(f"{site.url}/api/v1/enrolment", body, {"content-type": "application/json"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(asked_, context=context)
        heard.append(refused.value.code)
        refused.value.close()
    assert heard == [401] * 10 + [429] * 2
    site.pki.clock.advance(minutes=2)
