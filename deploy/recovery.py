"""Come back without a running service: all that is needed is the repository and the recovery identity.

A drill runs this module inside a sandbox (``python -m deploy.recovery POINT BEGAN``): the same restore as in earnest.
"""

import json
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from backup import drill as drills
from backup import examine, postgres, reconcile, sandbox
from backup import restore as restoring
from backup.examine import Scene
from backup.manifest import Manifest
from backup.mirror import Mirror
from backup.outsider import Outsider
from backup.reconcile import Outcome
from backup.repository import Repository
from backup.verdict import CheckRow, DrillOutcome, Examination
from core.clock import Clock, SystemClock
from core.database import Database
from core.errors import Malformed, Unavailable
from core.ledger.entry import JsonValue
from core.web import install_error_handlers
from deploy.children import Child, await_path
from deploy.settings import CONFIGURATION, Settings, load, render
from hsm import token
from hsm.client import SignerClient
from hsm.settings import HsmSettings
from pki import api as pki_api
from pki.crl import CrlPublisher
from pki.ocsp import OcspResponder
from pki.settings import PkiSettings


@dataclass(frozen=True, slots=True)
class Back:
    """A state that came back, and what was done for it."""

    point: str
    sha256: str
    settings: Settings
    manifest: Manifest
    outcome: Outcome
    mirror: Mirror


def restore(*, repository: Path, identity: Path, point: str, into: Path, store: str = "") -> Mapping[str, JsonValue]:
    """Restore ``point`` (the newest when empty) into ``into``, reconcile it, and return what was done.

    ``store`` is the empty PostgreSQL database that a PostgreSQL store goes into. Raises what is wrong; then nothing of
    the restored state is left in ``into``.
    """
    back = _come_back(repository, identity, point, into, lambda: _named(store))
    return {
        "point": back.point,
        "state": str(back.settings.state),
        "files": len(back.manifest.members),
        "evidence_key": back.manifest.key,
        **back.outcome.as_json(),
    }


def drill(*, repository: Path, identity: Path, point: str, report: Path) -> DrillOutcome:
    """Restore in a sandbox, check as an outsider would, write the report and keep the proof."""
    return drills.run(
        repository=Repository(repository.resolve()),
        identity=identity.resolve(),
        point=point,
        report=report,
        module=__name__,
        clock=SystemClock(),
    )


def check_rows(outcome: DrillOutcome) -> list[Mapping[str, JsonValue]]:
    """Return the checks of a drill as rows to print."""
    return [_row(check) for check in outcome["checks"]]


def _row(check: CheckRow) -> Mapping[str, JsonValue]:
    return {"name": check["name"], "ok": check["ok"], "detail": check["detail"]}


def _named(store: str) -> str:
    if not store:
        raise Malformed("this point holds a PostgreSQL store", hint="name an empty database with --store URL")
    return store


def _come_back(repository: Path, identity: Path, point: str, into: Path, postgresql: Callable[[], str]) -> Back:
    place = Repository(repository.resolve())
    mirror = Mirror(place.evidence)
    sealed = restoring.choose(place, mirror, point)
    with restoring.fresh(into):
        found = restoring.files(repository=place, sealed=sealed, mirror=mirror, identity=identity, into=into)
        url = restoring.store(found, into, postgresql)
        settings = _settle(into, place.path, url)
        restoring.mark_unreconciled(into)
        # A crash here leaves a state that is whole and may revive what was revoked: the service refuses it.
        database = Database(url)
        outcome = reconcile.reconcile(database, mirror, point=sealed.id, at=SystemClock().now())
        database.close()
        # A crash here leaves a reconciled state that still says it is not: restore again into a fresh folder.
        restoring.mark_ready(into)
    return Back(sealed.id, sealed.sha256, settings, found, outcome, mirror)


def _settle(into: Path, repository: Path, url: str) -> Settings:
    """Point the settings of the restored site, and those of its token, at where they are now."""
    old = load(into, {})
    settings = Settings(
        state=into.resolve(),
        site=old.site.model_copy(update={"store": url}),
        listen=old.listen,
        repository=old.repository.model_copy(update={"path": repository}),
    )
    (into / CONFIGURATION).write_text(render(settings), encoding="utf-8")
    for folder in ("run", "log", "ledger", "apps"):
        (into / folder).mkdir(exist_ok=True, mode=0o700)
    # With its inventory there the token is kept as it is, only its configuration is written for the new place.
    token.initialise(HsmSettings(state=settings.state), secrets.token_bytes)
    return settings


def _perform(point: str, began: float) -> DrillOutcome:
    """Do the drill inside the sandbox; ``began`` is the monotonic time at which it was declared."""
    found = Examination()
    phases: dict[str, float] = {}

    def reached(phase: str) -> None:
        phases[phase] = round(time.monotonic() - began, 3)

    outcome: DrillOutcome = {
        "ok": False,
        "verdict": "",
        "point": point,
        "sha256": "",
        "rto_seconds": 0.0,
        "rpo_seconds": 0.0,
        "checks": found.checks,
        "phases": phases,
        "not_rebuilt": {},
        "report": "",
    }
    examine.isolation(found)
    reached("sandbox 沙箱")
    with found.refusing("restore"), _scratch() as postgresql:
        back = _come_back(sandbox.REPOSITORY, sandbox.IDENTITY, point, sandbox.WORK / "site", postgresql)
        found.add("restore", ok=True, detail=f"{len(back.manifest.members)} files as the manifest says, point sealed")
        reached("restored and reconciled 已恢复并核对")
        outcome["point"], outcome["sha256"] = back.point, back.sha256
        outcome["not_rebuilt"] = back.outcome.not_rebuilt
        _examine(found, back, reached)
        outcome["rpo_seconds"] = round(_rpo(back), 3)
    outcome["rto_seconds"] = round(phases.get("served 可服务", time.monotonic() - began), 2)
    outcome["verdict"] = found.verdict.value
    outcome["ok"] = outcome["verdict"] == "passed"
    return outcome


def _examine(found: Examination, back: Back, reached: Callable[[str], None]) -> None:
    clock = SystemClock()
    database, state = Database(back.settings.site.store), back.settings.state
    with _signing(state) as keys:
        scene = Scene(
            repository=Repository(sandbox.REPOSITORY),
            identity=sandbox.IDENTITY,
            state=state,
            manifest=back.manifest,
            outcome=back.outcome,
            mirror=back.mirror,
            database=database,
            keys=keys,
            work=sandbox.WORK,
        )
        with found.refusing("evidence"):
            examine.counts(found, scene)
            examine.evidence(found, scene)
            examine.evidence_goes_on(found, scene, clock)
        examine.keys(found, scene)
        examine.revocations(found, scene)
        reached("checked inside 内部核对")
        with _serving(back.settings, database, keys, clock) as url:
            outsider = Outsider(url, back.settings.trusted, sandbox.WORK)
            examine.revocation_list(found, scene, outsider)
            examine.ocsp(found, scene, outsider)
            reached("served 可服务")
        examine.controls(found, scene)
        reached("controls 反证")
    database.close()


def _rpo(back: Back) -> float:
    database = Database(back.settings.site.store)
    seconds = examine.lost_seconds(back.mirror, database)
    database.close()
    return seconds


@contextmanager
def _scratch() -> Iterator[Callable[[], str]]:
    """Give a function that starts a PostgreSQL of the sandbox's own when the point needs one."""
    with ExitStack() as stack:
        folder = sandbox.WORK / "postgresql"

        def start() -> str:
            folder.mkdir(mode=0o700)
            return stack.enter_context(postgres.scratch(folder))

        yield start


@contextmanager
def _signing(state: Path) -> Iterator[SignerClient]:
    """Run the signer over the restored token; it holds every key of the inventory against the token first."""
    settings = HsmSettings(state=state)
    child = Child("signer", [sys.executable, "-m", "hsm.signerd", str(state)], log=state / "log" / "signer.log")
    client = SignerClient(settings.socket)
    try:
        await_path(settings.socket, child)
        yield client
    finally:
        client.close()
        child.stop()


@contextmanager
def _serving(settings: Settings, database: Database, keys: SignerClient, clock: Clock) -> Iterator[str]:
    """Serve certificate status over loopback from the restored state, under fresh revocation lists; give its URL."""
    names = PkiSettings(organisation=settings.site.name, public_url=settings.public_url)
    publisher = CrlPublisher(database=database, keys=keys, clock=clock, settings=names)
    publisher.refresh(force=True)
    app = FastAPI()
    app.state.provided = {
        Database: database,
        CrlPublisher: publisher,
        OcspResponder: OcspResponder(database=database, keys=keys, clock=clock),
    }
    install_error_handlers(app)
    app.include_router(pki_api.status)
    port = settings.listen.status_port
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise Unavailable("the restored service does not answer")
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


def main() -> None:
    """Run inside the sandbox; whatever cannot be judged ends with a line on stderr and without an outcome."""
    outcome = _perform(sys.argv[1], float(sys.argv[2]))
    (sandbox.WORK / drills.OUTCOME).write_text(json.dumps(outcome, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
