"""From a one-time code to a lost token, on a site that is there: by command line, curl, openssl and a real token."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography import x509
from typer.testing import CliRunner

from core.errors import Forbidden
from core.ledger.entry import JsonValue
from deploy import login
from deploy.cli.main import app
from deploy.client import ServiceClient, items
from deploy.rehearsal.player import Player
from tests.services.card import Token
from tests.services.site import Site


def fingerprint(served: Site) -> str:
    """Return what the site tells by another way than the network."""
    command = ["openssl", "x509", "-in", str(served.trusted), "-noout", "-fingerprint", "-sha256"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().partition("=")[2]


def guosuo(home: Path, *arguments: str, token: Token | None = None) -> tuple[int, str, str]:
    """Run a command; with a token in a process of its own, for there the program begins anew."""
    if token is None:
        done = CliRunner(env={"GUOSUO_HOME": str(home), "COLUMNS": "200"}).invoke(app, arguments)
        # What `main` prints of an error.
        said = str(getattr(done.exception, "hint", "")) if done.exception else ""
        return done.exit_code, done.stdout, done.stderr + said
    environment = {**os.environ, **token.environment, "GUOSUO_HOME": str(home), "COLUMNS": "200"}
    command = [sys.executable, "-m", "deploy.cli", *arguments]
    run = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60
    )
    return run.returncode, run.stdout, run.stderr


def act(served: Site, name: str, path: str, body: dict[str, JsonValue] | None = None) -> dict[str, JsonValue]:
    """Do one thing as an officer, by the client that the commands use."""
    with ServiceClient(login.load(served.player(name).home)) as client:
        return client.get(path) if body is None else client.post(path, body)


def code_for(served: Site, holder: str, **more: JsonValue) -> str:
    return str(act(served, "he-sysadmin", "/api/v1/code", {"holder": holder, **more})["code"])


def approve(served: Site, request: str) -> None:
    shown = act(served, "zhao-ra", f"/api/v1/request/{request}")
    act(served, "zhao-ra", f"/api/v1/request/{request}/approval", {"digest": shown["digest"]})


def enroll(served: Site, folder: Path, code: str, *more: str, token: Token | None = None) -> Path:
    """Twice the same call: it ends with 3 until an officer has approved."""
    asked = [
        "cert",
        "enroll",
        "--url",
        served.url,
        "--fingerprint",
        fingerprint(served),
        "--code",
        code,
        "--dir",
        str(folder),
    ]
    status, out, said = guosuo(folder.parent, *asked, *more, "--wait", "0", "--json", token=token)
    assert status == 3, said
    told = json.loads(out)
    shown = act(served, "zhao-ra", f"/api/v1/request/{told['request']}")
    assert str(shown["key_sha256"]) in said
    approve(served, told["request"])
    status, out, said = guosuo(folder.parent, *asked, *more, "--json", token=token)
    assert status == 0, said
    return folder


def walk_by_command(served: Site, tmp_path: Path) -> None:
    """A person: the root pinned, a code, a login, a renewal, a daemon."""
    trusting = ["trust", served.url, "--fingerprint", fingerprint(served), "--install", str(tmp_path / "t")]
    assert guosuo(tmp_path, *trusting)[0] == 0
    folder = enroll(served, tmp_path / "li", code_for(served, "li-wen"))
    files = ["--cert", str(folder / "current/chain.pem"), "--key", str(folder / "current/key.pem")]
    assert guosuo(tmp_path, "login", served.url, *files, "--trust", str(tmp_path / "t/trust.pem"))[0] == 0
    asked = ["cert", "renew", "--dir", str(folder), "--now", "--exec", f"touch {tmp_path / 'ran'}", "--json"]
    status, out, said = guosuo(tmp_path, *asked)
    assert (status, json.loads(out)["renewed"], (tmp_path / "ran").exists()) == (0, True, True), said
    # The login follows the link, and so the new certificate.
    who = json.loads(guosuo(tmp_path, "whoami", "--json")[1])
    assert (who["id"], who["serial"]) == ("li-wen", json.loads(out)["serial"])
    listed = items(act(served, "zhao-ra", "/api/v1/code"))
    assert [one["state"] for one in listed if one["holder"] == "li-wen"] == ["used"]
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


def walk_by_curl(served: Site, tmp_path: Path) -> None:
    """A machine, with nothing of ours."""
    machine = Player("fin-budget-app", tmp_path)
    request = machine.make_request().read_text()
    host = "fin-budget.fin.beichen.example"
    code = code_for(served, "fin-budget-app", profile="application", dns_names=[host])

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


def walk_by_token(served: Site, token: Token, tmp_path: Path) -> None:
    """A key that is made on a token, renewed there, and lost with it."""
    uri = token.uri().replace("object=signing", "object=fresh")
    more = ["--key", uri, "--make-key"]
    folder = enroll(served, tmp_path / "sun", code_for(served, "sun-yue"), *more, token=token)
    assert not list(folder.rglob("key.pem"))
    next_uri = uri.replace("object=fresh", "object=next")
    asked = ["cert", "renew", "--dir", str(folder), "--now", "--json"]
    status, _out, said = guosuo(tmp_path, *asked, token=token)
    assert (status, "--new-key" in said) == (1, True)
    status, out, said = guosuo(tmp_path, *asked, "--new-key", next_uri, token=token)
    assert (status, json.loads(out or "{}").get("key")) == (0, next_uri), said
    serial = json.loads(out)["serial"]
    with ServiceClient(login.load(served.player("lu-security").home)) as client:
        mine = items(client.get("/api/v1/certificate", holder="sun-yue", state="good"))
    lost = act(served, "lu-security", f"/api/v1/certificate/{serial}/loss", {"every": True})
    assert isinstance(lost["revoked"], list)
    assert ({*lost["revoked"]}, lost["purpose"]) == ({one["serial"] for one in mine}, "lost-token")
    assert serial in lost["revoked"]
    again = enroll(served, tmp_path / "again", str(lost["code"]))
    own = x509.load_pem_x509_certificates((again / "current/chain.pem").read_bytes())[0]
    assert "sun-yue" in own.subject.rfc4514_string()
    status, _out, said = guosuo(tmp_path, *asked, "--new-key", uri.replace("fresh", "third"), token=token)
    assert (status, "revoked" in said) == (1, True)


def be_refused(served: Site) -> None:
    """A registration officer may make codes, and not revoke: so not both in one act."""
    mine = items(act(served, "zhao-ra", "/api/v1/certificate"))[0]["serial"]
    with pytest.raises(Forbidden):
        act(served, "zhao-ra", f"/api/v1/certificate/{mine}/loss", {})
    with pytest.raises(Forbidden):
        act(served, "wei-auditor", "/api/v1/code", {"holder": "li-wen"})
