"""Evening: the store, the token and the local evidence are destroyed. Come back, and resurrect nobody."""

import json
import shutil
import time
from pathlib import Path

from core.ledger.entry import JsonValue
from deploy.client import items
from deploy.rehearsal.containment import ocsp
from deploy.rehearsal.leak import alerts
from deploy.rehearsal.player import Player
from deploy.rehearsal.stage import Stage
from deploy.rehearsal.step import Journal, Step, wait_for
from deploy.rehearsal.trust import AUDITOR, CIVIL_SERVANT, COLLEAGUE


def play(stage: Stage) -> None:
    """Run the scene."""
    journal = stage.journal
    before = _count(stage)
    fault = _destroy(stage, journal)
    _drill(stage, journal)
    _come_back(stage, journal, before, fault)


def _count(stage: Stage) -> dict[str, int]:
    auditor = stage.player(AUDITOR)
    with auditor.client() as client:
        evidence = items(client.get("/api/v1/evidence", limit=1000))
        certificates = items(client.get("/api/v1/certificate"))
        people = items(client.get("/api/v1/register/person"))
    # The newest records have no number until the sequencer gives them one, at the latest a second later.
    numbers = [number for row in evidence if isinstance(number := row["sequence"], int)]
    return {
        "certificates": len(certificates),
        "people": len(people),
        "alerts": len(alerts(stage)),
        "evidence": max(numbers) + 1,
    }


def _destroy(stage: Stage, journal: Journal) -> float:
    with journal.step(
        "灾难 · disaster", "the service is killed; store, token and local evidence are deleted", vital=True
    ) as step:
        stage.children["serve"].kill()
        fault = time.monotonic()
        # What the service had started ends with it; until then it may still answer over connections that are open.
        gone = wait_for(lambda: not stage.processes(), seconds=15)
        step.check(gone is not None, f"every process of the service is gone after {gone or 0:.1f} s")
        for name in ("store.sqlite3", "store.sqlite3-wal", "store.sqlite3-shm"):
            (stage.site / name).unlink(missing_ok=True)
        for name in ("tokens", "token-copy", "ledger", "secrets"):
            shutil.rmtree(stage.site / name)
        left = sorted(path.name for path in stage.site.iterdir())
        step.note(f"what is left of the site: {', '.join(left)}")
        page = stage.door().open("/budget/report", stage.player(COLLEAGUE).identity)
        step.check(page.status in (401, 403, 500, 502, 503), f"the gateway fails closed: {page.status}")
    return fault


def _drill(stage: Stage, journal: Journal) -> None:
    with journal.step(
        "在隔离处恢复并证明 · restore in isolation and prove it",
        "in a sandbox without network: counts, evidence, keys and revocations are checked; a damaged copy is noticed",
    ) as step:
        report = stage.out / "drill.html"
        done = _drill_command(stage, report)
        outcome = json.loads(done)
        for check in outcome["checks"]:
            row = {"check": check["name"], "seen": check["detail"], "": "PASS" if check["ok"] else "FAIL"}
            step.check_row(check["ok"], f"{check['name']}: {check['detail']}", row)
        failed = [check["name"] for check in outcome["checks"] if not check["ok"]]
        told = f"{len(outcome['checks'])} checks, failed: {', '.join(failed) or 'none'}"
        step.check(outcome["ok"] and not failed, told)
        step.note(f"RTO {outcome['rto_seconds']} s, RPO {outcome['rpo_seconds']} s in the sandbox")


def _drill_command(stage: Stage, report: Path) -> str:
    operator = Player("drill", stage.work / "people" / "drill")
    files = ["--repository", str(stage.repository), "--identity", str(stage.recovery_identity)]
    done = operator.run("drill", "run", *files, "--report", str(report), "--json")
    if not done.stdout.strip():
        raise ValueError(f"the drill gave no verdict: {done.stderr.strip()[-300:]}")
    return done.stdout


def _come_back(stage: Stage, journal: Journal, before: dict[str, int], fault: float) -> None:
    with journal.step(
        "恢复服务 · come back",
        "restored and reconciled with the mirrored evidence, the service serves again: same counts, the person revoked "
        "after the recovery point is still revoked",
        vital=True,
    ) as step:
        operator = Player("drill", stage.work / "people" / "drill")
        stage.site.rename(stage.work / "wreck")
        files = ["--repository", str(stage.repository), "--identity", str(stage.recovery_identity)]
        restored = operator.act("backup", "restore", "--into", str(stage.site), *files)
        step.note(f"restored: {_sentence(restored)}")
        stage.serve()
        page = stage.door().open("/budget/report", stage.player(COLLEAGUE).identity)
        seconds = time.monotonic() - fault
        step.check(page.status == 200, f"{COLLEAGUE} works again {seconds:.1f} s after the fault (RTO)")
        _compare(stage, step, before)


def _compare(stage: Stage, step: Step, before: dict[str, int]) -> None:
    page = stage.door().open("/budget/report", stage.player(CIVIL_SERVANT).identity)
    told = page.headers.get("x-guosuo-reason", "")
    step.check(page.status == 401 and told == "revoked", f"{CIVIL_SERVANT} at the gateway: {page.status}, `{told}`")
    answer = ocsp(stage, stage.player(CIVIL_SERVANT).certificate)
    step.check("revoked" in answer, f"{CIVIL_SERVANT} by OCSP: {'revoked' if 'revoked' in answer else answer[:80]}")
    after = _count(stage)
    for name in ("certificates", "people", "alerts"):
        step.check(after[name] == before[name], f"{name}: {before[name]} before, {after[name]} after")
    told = f"evidence: {before['evidence']} records before, {after['evidence']} after, none lost"
    step.check(after["evidence"] >= before["evidence"], told)


def _sentence(thing: dict[str, JsonValue]) -> str:
    return ", ".join(f"{name} {value}" for name, value in thing.items() if isinstance(value, str | int))[:400]
