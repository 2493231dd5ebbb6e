"""Response: revoke, and see that revoked means out at every door, while nobody else is hurt."""

import ssl
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.rehearsal.access import GATEWAY_DEVICE
from deploy.rehearsal.bystander import Bystander
from deploy.rehearsal.doors import Connection, Door, Identity, Page
from deploy.rehearsal.stage import Stage
from deploy.rehearsal.step import Journal, Step, wait_for
from deploy.rehearsal.trust import CIVIL_SERVANT, COLLEAGUE, RECOVERY, SECURITY, issuing_certificate

#: Most seconds from the answer of the revocation to the refusal, at every door.
TARGET = 5.0

_PAGE = "/budget/report"


@dataclass
class Resumable:
    """A session that was shown to resume: the context that holds it, and the session."""

    context: ssl.SSLContext
    session: ssl.SSLSession | None


def play(stage: Stage) -> None:
    """Run the scene."""
    journal = stage.journal
    with journal.step(
        "制作恢复点 · make a recovery point", "store, evidence, token and configuration in one encrypted cut, read back"
    ) as step:
        point = stage.player(RECOVERY).act("backup", "run")
        stage.notes["point"] = str(point["id"])
        step.check(point["state"] == "sealed", f"point {point['id']} is {point['state']}, {point['size']} octets")
    prepared = _prove_resumption(stage, journal)
    _revoke(stage, journal, prepared)


def _prove_resumption(stage: Stage, journal: Journal) -> dict[str, Resumable]:
    prepared: dict[str, Resumable] = {}
    with journal.step(
        "逐门核验：均开放，缓存处会话可恢复 · every door is open, and sessions resume where the cache is on",
        "OCSP good, not on the CRL, decision allow; TLS 1.2 by session id and TLS 1.3 resume at the control listener, "
        "and never at the gateway's own",
        vital=True,
    ) as step:
        identity = stage.player(CIVIL_SERVANT).identity
        step.check(": good" in ocsp(stage, identity.certificate), "OCSP says good")
        step.check(not on_crl(stage, stage.notes[CIVIL_SERVANT]), "the CRL verifies and does not list the certificate")
        step.check(evaluate(stage, stage.notes[CIVIL_SERVANT]), "the decision API allows")
        for name, version in (("TLS 1.2 session id", ssl.TLSVersion.TLSv1_2), ("TLS 1.3", ssl.TLSVersion.TLSv1_3)):
            prepared[name] = _resume(step, stage.door(control=True), identity, name, version, expected=True)
            prepared[f"{name} at the gateway"] = _resume(
                step, stage.door(), identity, f"{name} at the gateway", version, expected=False
            )
    return prepared


def _resume(
    step: Step, door: Door, identity: Identity, name: str, version: ssl.TLSVersion, *, expected: bool
) -> Resumable:
    context = door.context(identity, version)
    with door.connect(context) as connection:
        first = connection.get(_PAGE)
    with door.connect(context, first.session) as connection:
        second = connection.get(_PAGE)
    step.check(
        second.status == 200 and second.resumed is expected,
        f"{name}: {'resumed' if second.resumed else 'not resumed'}, {second.status}",
    )
    return Resumable(context, second.session or first.session)


def _revoke(stage: Stage, journal: Journal, prepared: dict[str, Resumable]) -> None:
    with journal.step(
        "撤销：各门均拒绝 · revoke: out at every door",
        "after `guosuo cert revoke` every door refuses within 5 s; a colleague notices nothing",
        vital=True,
    ) as step:
        servant = stage.player(CIVIL_SERVANT)
        bystander = Bystander(stage.door(), stage.player(COLLEAGUE).identity, _PAGE)
        bystander.start()
        with stage.door().connect(stage.door().context(servant.identity)) as kept:
            step.check(kept.get(_PAGE).status == 200, "an open connection works")
            serial = stage.notes[CIVIL_SERVANT]
            stage.player(SECURITY).act("cert", "revoke", serial, "--reason", "key-compromise", "--yes")
            revoked = time.monotonic()
            for door, look in doors(stage, prepared, kept).items():
                _await_refusal(step, door, look, revoked)
        time.sleep(0.5)
        bystander.stop()
        told = f"{COLLEAGUE} made {bystander.requests} requests meanwhile, {len(bystander.failures)} failed"
        step.check(bystander.requests > 5 and not bystander.failures, told)


def _await_refusal(step: Step, door: str, look: "Look", revoked: float) -> None:
    last = Seen(False, "")

    def refuses() -> bool:
        nonlocal last
        last = look()
        return last.refused

    seconds = wait_for(refuses, seconds=TARGET)
    elapsed = time.monotonic() - revoked
    took = f"{elapsed:.2f}" if seconds is not None else "not refused"
    step.check_row(
        seconds is not None and elapsed <= TARGET,
        f"{door}: refused after {elapsed:.2f} s ({last.told})",
        {"door": door, "refused after (s)": took, "seen": last.told},
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at a door showed."""

    refused: bool
    told: str


Look = Callable[[], Seen]


def doors(stage: Stage, prepared: dict[str, Resumable], kept: Connection) -> dict[str, Look]:
    """Return every door with a function that looks whether it refuses the revoked certificate now."""
    identity = stage.player(CIVIL_SERVANT).identity
    found: dict[str, Look] = {
        "fresh handshake": lambda: _page(stage.door().open(_PAGE, identity)),
        "open keep-alive connection": lambda: _page(kept.get(_PAGE)),
    }
    for name, resumable in prepared.items():
        control = not name.endswith("at the gateway")
        found[f"resumption, {name}"] = _resumption(stage.door(control=control), resumable, resumes=control)
    found["OCSP"] = lambda: _answer("revoked" in ocsp(stage, identity.certificate), "revoked")
    found["CRL"] = lambda: _answer(on_crl(stage, stage.notes[CIVIL_SERVANT]), "listed")
    found["decision API"] = lambda: _answer(not evaluate(stage, stage.notes[CIVIL_SERVANT]), "deny")
    return found


def _page(page: Page) -> Seen:
    return Seen(page.status == 401, f"{page.status} {page.headers.get('x-guosuo-reason', '')}")


def _answer(refused: bool, word: str) -> Seen:
    return Seen(refused, word if refused else f"not {word}")


def _resumption(door: Door, resumable: Resumable, *, resumes: bool) -> Look:
    """Where the cache is on, the old session must still resume: only then does its refusal show anything."""

    def look() -> Seen:
        with door.connect(resumable.context, resumable.session) as connection:
            page = connection.get(_PAGE)
        told = f"{'resumed' if page.resumed else 'fresh'}, {page.status} {page.headers.get('x-guosuo-reason', '')}"
        return Seen(page.status == 401 and page.resumed is resumes, told)

    return look


def ocsp(stage: Stage, certificate: Path) -> str:
    """Ask the responder with openssl and return its answer, or its complaint."""
    issuer = issuing_certificate(stage)
    command = ["openssl", "ocsp", "-issuer", str(issuer), "-cert", str(certificate), "-CAfile", str(stage.trusted)]
    done = subprocess.run(
        [*command, "-url", f"{stage.status_url}/ocsp/issuing"], capture_output=True, text=True, check=False, timeout=15
    )
    return done.stdout + done.stderr


def on_crl(stage: Stage, serial: str) -> bool:
    """Fetch the CRL with curl, verify it with openssl, and look for the serial number.

    Raises ``ValueError`` when it cannot be fetched or verified: no CRL is not the same as not listed.
    """
    path = stage.work / "issuing.crl"
    fetch = ["curl", "-sSf", "-m", "10", "-o", str(path), f"{stage.status_url}/crl/issuing/0.crl"]
    command = ["openssl", "crl", "-inform", "DER", "-in", str(path), "-noout", "-text", "-CAfile", str(stage.trusted)]
    for part in (fetch, command):
        done = subprocess.run(part, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ValueError(f"{part[0]}: {done.stderr.strip()}")
    if "verify OK" not in done.stdout + done.stderr:
        raise ValueError(f"the CRL does not verify: {done.stderr.strip()}")
    return serial.upper().lstrip("0") in done.stdout.replace(":", "")


def evaluate(stage: Stage, serial: str) -> bool:
    """Ask the decision API (AuthZEN) as the gateway whether the holder of ``serial`` may read the budget."""
    body = {
        "subject": {"type": "certificate", "id": serial},
        "action": {"name": "budget:read"},
        "resource": {"type": "system", "id": "fin-budget"},
    }
    with stage.player(GATEWAY_DEVICE).client(stage.url) as client:
        return bool(client.post("/access/v1/evaluation", body)["decision"])
