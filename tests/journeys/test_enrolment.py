"""From a one-time code to a lost token, with the command line, curl, openssl and a real token."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from deploy.rehearsal.player import Player
from tests.services import card, site
from tests.services.card import Token
from tests.services.site import Site


@pytest.fixture(scope="module")
def served() -> Iterator[Site]:
    with site.made() as made:
        made.serve()
        made.appoint()
        yield made


@pytest.fixture(scope="module")
def token() -> Iterator[Token]:
    made = card.make("EC:prime256v1")
    yield made
    shutil.rmtree(made.folder.parent)


@pytest.fixture(scope="module")
def fingerprint(served: Site) -> str:
    command = ["openssl", "x509", "-in", str(served.trusted), "-noout", "-fingerprint", "-sha256"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().partition("=")[2]


def guosuo(home: Path, *arguments: str, token: Token | None = None, wait: int = 60) -> subprocess.CompletedProcess[str]:
    more = token.environment if token else {}
    environment = {**os.environ, **more, "GUOSUO_HOME": str(home), "COLUMNS": "200"}
    command = [sys.executable, "-m", "deploy.cli", *arguments]
    stdin = subprocess.DEVNULL
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, stdin=stdin, timeout=wait
    )


def code_for(served: Site, holder: str, *more: str) -> str:
    return str(served.player("he-sysadmin").act("code", "open", holder, *more)["code"])


def approve(served: Site, request: str) -> None:
    served.player("lu-security").act("request", "approve", request, "--yes")


def enroll(served: Site, fingerprint: str, folder: Path, code: str, *more: str, token: Token | None = None) -> Path:
    """Twice the same call: it ends with 3 until an officer has approved."""
    asked = ["cert", "enroll", "--url", served.url, "--fingerprint", fingerprint, "--code", code, "--dir", str(folder)]
    first = guosuo(folder.parent, *asked, *more, "--wait", "0", "--json", token=token)
    assert first.returncode == 3, first.stderr
    told = json.loads(first.stdout)
    shown = served.player("lu-security").act("request", "show", told["request"])
    assert str(shown["key_sha256"]) in first.stderr
    approve(served, told["request"])
    done = guosuo(folder.parent, *asked, *more, "--json", token=token)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_person_on_the_command_line(served: Site, fingerprint: str, tmp_path: Path) -> None:
    trusted = guosuo(tmp_path, "trust", served.url, "--fingerprint", fingerprint, "--install", str(tmp_path / "t"))
    assert trusted.returncode == 0, trusted.stderr
    assert guosuo(tmp_path, "trust", served.url, "--fingerprint", "0" * 64).returncode == 1
    code = code_for(served, "li-wen")
    folder = enroll(served, fingerprint, tmp_path / "li", code)
    files = ["--cert", str(folder / "current/chain.pem"), "--key", str(folder / "current/key.pem")]
    login = guosuo(tmp_path, "login", served.url, *files, "--trust", str(folder / "trust.pem"))
    assert login.returncode == 0, login.stderr
    after = f"touch {tmp_path / 'ran'}"
    renewed = guosuo(tmp_path, "cert", "renew", "--dir", str(folder), "--now", "--exec", after, "--json")
    assert (renewed.returncode, json.loads(renewed.stdout)["renewed"]) == (0, True), renewed.stderr
    assert (tmp_path / "ran").exists()
    # The login follows the link, and so the new certificate.
    who = json.loads(guosuo(tmp_path, "whoami", "--json").stdout)
    assert (who["id"], who["serial"]) == ("li-wen", json.loads(renewed.stdout)["serial"])
    listed = served.player("lu-security").act("code", "list", "--holder", "li-wen")["items"]
    assert isinstance(listed, list)
    assert [one["state"] for one in listed if isinstance(one, dict)] == ["used"]
    _ends_in_order(folder)


def _ends_in_order(folder: Path) -> None:
    """A daemon with nothing to do stays, and ends when it is told to."""
    command = [sys.executable, "-m", "deploy.cli", "cert", "renew", "--dir", str(folder), "--daemon"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as daemon:
        deadline = time.monotonic() + 30
        while not _catches_sigterm(daemon.pid):
            assert daemon.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(10) == 0


def _catches_sigterm(process: int) -> bool:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    caught = next(int(line.split()[1], 16) for line in lines if line.startswith("SigCgt"))
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def test_anybody_with_curl_and_openssl(served: Site, tmp_path: Path) -> None:
    machine = Player("fin-budget-app", tmp_path)
    request = machine.make_request().read_text()
    host = "fin-budget.fin.beichen.example"
    code = code_for(served, "fin-budget-app", "--profile", "application", "--dns-name", host)

    def curl(path: str, body: dict[str, str], *more: str) -> tuple[int, dict[str, str]]:
        command = ["curl", "-sS", "-m", "20", "--cacert", str(served.trusted), *more, "-w", "\n%{http_code}"]
        command += ["-H", "content-type: application/json", "-d", json.dumps(body), served.url + path]
        done = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        answer, _, status = done.rpartition("\n")
        return int(status), json.loads(answer)

    status, wrong = curl("/api/v1/enrolment", {"code": "0" * 24, "csr": request})
    assert (status, wrong["reason"]) == (401, "code-refused")
    status, told = curl("/api/v1/enrolment", {"code": code, "csr": request})
    assert (status, told["waits_for"]) == (200, "a registration officer")
    approve(served, told["request"])
    status, done = curl("/api/v1/enrolment/progress", {"ticket": told["ticket"]})
    assert status == 200
    machine.certificate.write_text(done["chain"])
    text = subprocess.run(
        ["openssl", "x509", "-in", str(machine.certificate), "-noout", "-text"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"DNS:{host}" in text
    shown = ["--cert", str(machine.certificate), "--key", str(machine.key)]
    status, renewed = curl("/api/v1/certificate/renewal", {"csr": request}, *shown)
    assert (status, renewed["state"]) == (200, "issued")
    status, refused = curl("/api/v1/certificate/renewal", {"csr": request})
    assert (status, refused["reason"]) == (401, "no-certificate")


def test_a_key_that_is_made_on_the_token_and_lost_with_it(
    served: Site, fingerprint: str, token: Token, tmp_path: Path
) -> None:
    uri = token.uri().replace("object=signing", "object=fresh")
    folder = enroll(
        served, fingerprint, tmp_path / "han", code_for(served, "sun-yue"), "--key", uri, "--make-key", token=token
    )
    assert not list(folder.rglob("key.pem"))
    next_uri = uri.replace("object=fresh", "object=next")
    asked = ["cert", "renew", "--dir", str(folder), "--now"]
    refused = guosuo(tmp_path, *asked, token=token)
    assert (refused.returncode, "--new-key" in refused.stderr) == (1, True)
    renewed = guosuo(tmp_path, *asked, "--new-key", next_uri, "--json", token=token)
    assert (renewed.returncode, json.loads(renewed.stdout or "{}").get("key")) == (0, next_uri), renewed.stderr
    serial = json.loads(renewed.stdout)["serial"]
    lost = served.player("lu-security").act("cert", "lost", serial, "--every", "--yes")
    assert isinstance(lost["revoked"], list)
    assert (len(lost["revoked"]), lost["purpose"]) == (2, "lost-token")
    again = enroll(served, fingerprint, tmp_path / "again", str(lost["code"]))
    own = x509.load_pem_x509_certificates((again / "current/chain.pem").read_bytes())[0]
    assert own.subject.rfc4514_string().startswith("UID=sun-yue") or "sun-yue" in own.subject.rfc4514_string()
    assert guosuo(tmp_path, *asked, "--new-key", next_uri, token=token).returncode == 1
