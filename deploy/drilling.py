"""The inside of a drill: the same restore as in earnest, then the checks, then a service that an outsider asks.

Run in the sandbox as ``python -m deploy.drilling POINT BEGAN``; ``BEGAN`` is the monotonic time of the declaration.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from backup import cut, examine, postgres, sandbox
from backup import drill as drills
from backup.errors import Damaged
from backup.examine import Scene
from backup.outsider import Outsider
from backup.repository import Repository
from backup.verdict import DrillOutcome, Examination, Verdict
from core.clock import Clock, SystemClock
from core.database import Database
from core.errors import Unavailable
from core.ledger.sequencer import Sequencer
from core.web import install_error_handlers
from deploy import recovery
from deploy.children import Child, await_path
from deploy.recovery import Back
from deploy.settings import Settings
from deploy.wiring import CHECKPOINT_KEY
from hsm.client import SignerClient
from hsm.settings import HsmSettings
from hsm.signer import TokenCheckpointSigner
from pki import status_api
from pki.crl import CrlPublisher
from pki.feed import Feed
from pki.ocsp import OcspResponder
from pki.ocsp_http import OcspEndpoint
from pki.settings import PkiSettings


@dataclass
class _Stopwatch:
    """Seconds from the declaration to each phase."""

    began: float
    phases: dict[str, float] = field(default_factory=dict)

    def reach(self, phase: str) -> None:
        """Note that a phase is reached."""
        self.phases[phase] = round(time.monotonic() - self.began, 3)


def perform(point: str, began: float) -> DrillOutcome:
    """Do the drill; raises whatever says nothing about the archive."""
    found, watch = Examination(), _Stopwatch(began)
    place = Repository(sandbox.REPOSITORY)
    outcome: DrillOutcome = {
        "ok": False,
        "verdict": "",
        # Until the evidence names the point: whatever is found speaks of the newest file.
        "point": point or max(place.identifiers(), default=""),
        "sha256": "",
        "rto_seconds": 0.0,
        "rpo_seconds": 0.0,
        "checks": found.checks,
        "phases": watch.phases,
        "not_rebuilt": {},
        "report": "",
    }
    examine.isolation(found)
    watch.reach("sandbox 沙箱")
    with found.refusing("restore"), _scratch() as store:
        chosen = recovery.choose(place, point)
        outcome["point"], outcome["sha256"] = chosen[1].id, chosen[1].sha256
        back = recovery.come_back(place, sandbox.IDENTITY, chosen, sandbox.WORK / "site", store)
        found.add("restore", ok=True, detail=f"{len(back.manifest.members)} files as the manifest says")
        watch.reach("restored 已恢复")
        outcome["not_rebuilt"] = back.outcome.not_rebuilt
        _examine(found, back, watch)
        outcome["rpo_seconds"] = round(_rpo(back), 3)
    outcome["rto_seconds"] = round(watch.phases.get(_SERVED, time.monotonic() - began), 2)
    outcome["verdict"] = found.verdict.value
    outcome["ok"] = found.verdict is Verdict.PASSED
    return outcome


_SERVED = "served 可服务"


def _examine(found: Examination, back: Back, watch: _Stopwatch) -> None:
    clock = SystemClock()
    state = back.settings.state
    with (
        closing(Database(back.settings.site.store)) as database,
        found.refusing("keys"),
        _signing(state) as keys,
    ):
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
            examine.evidence_goes_on(found, scene, _sequencer(back, database, keys, clock).run_once)
        examine.keys(found, scene)
        examine.revocations(found, scene)
        watch.reach("checked inside 内部核对")
        with _serving(back.settings, database, keys, clock) as url:
            outsider = Outsider(url, back.settings.trusted, sandbox.WORK)
            examine.revocation_list(found, scene, outsider)
            examine.ocsp(found, scene, outsider)
            watch.reach(_SERVED)
        examine.controls(found, scene)
        watch.reach("controls 反证")


def _sequencer(back: Back, database: Database, keys: SignerClient, clock: Clock) -> Sequencer:
    """Return a sequencer of the restored log alone: the repository's mirror is not the drill's to write."""
    return Sequencer(
        database=database,
        clock=clock,
        directory=back.settings.ledger,
        origin=back.settings.site.origin,
        signer=TokenCheckpointSigner(keys, CHECKPOINT_KEY),
        owner="drill",
        mirror=None,
    )


def _rpo(back: Back) -> float:
    with closing(Database(back.settings.site.store)) as database:
        return examine.lost_seconds(back.mirror, database)


@contextmanager
def _scratch() -> Iterator[Callable[[str], str]]:
    """Give a function that starts a PostgreSQL of the sandbox's own when the point needs one."""
    with ExitStack() as stack:
        folder = sandbox.WORK / "postgresql"

        def start(kind: str) -> str:
            if kind != cut.POSTGRESQL:
                return ""
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
        _await_signer(settings, child)
        yield client
    finally:
        client.close()
        child.stop()


def _await_signer(settings: HsmSettings, child: Child) -> None:
    """Wait for the signer; one that does not start over a module that is there finds the restored token at fault."""
    try:
        await_path(settings.socket, child)
    except Unavailable as error:
        if settings.module.exists():
            raise Damaged(f"the restored token cannot be used: {error.detail}") from error
        raise


@contextmanager
def _serving(settings: Settings, database: Database, keys: SignerClient, clock: Clock) -> Iterator[str]:
    """Serve certificate status over loopback from the restored state, under fresh revocation lists; give its URL."""
    names = PkiSettings(organisation=settings.site.name, public_url=settings.public_url)
    publisher = CrlPublisher(database=database, keys=keys, clock=clock, settings=names)
    publisher.refresh(force=True)
    app = FastAPI()
    app.state.provided = {Database: database, Clock: clock}
    install_error_handlers(app)
    app.include_router(status_api.router)
    feed = Feed(database=database, responder=OcspResponder(database=database, keys=keys, clock=clock), clock=clock)
    port = settings.listen.status_port
    server = uvicorn.Server(uvicorn.Config(OcspEndpoint(app, feed), host="127.0.0.1", port=port, log_level="warning"))
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
    outcome = perform(sys.argv[1], float(sys.argv[2]))
    (sandbox.WORK / drills.OUTCOME).write_text(json.dumps(outcome, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
