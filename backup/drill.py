"""A drill from outside: run the restore in a sandbox, read its verdict, keep the proof, write the report.

What happens inside is the same code as in earnest (``deploy/recovery.py``) and then ``examine.py``. A drill that breaks
off says nothing about the archive: its verdict is ``error``, and no proof is written or taken away.
"""

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import cast

from backup import report as reports
from backup import sandbox
from backup.errors import DrillFailed
from backup.identity import load_identity
from backup.repository import IDENTIFIER, Repository
from backup.verdict import DrillOutcome, Verdict, without_verdict
from core.clock import Clock, to_rfc3339
from core.errors import NotFound, Unavailable
from core.ledger.entry import JsonValue

#: The file that the sandbox leaves.
OUTCOME = "outcome.json"

#: Seconds that a drill may take.
_PATIENCE = 3600.0


def run(*, repository: Repository, identity: Path, point: str, report: Path, module: str, clock: Clock) -> DrillOutcome:
    """Drill ``point`` (the newest when empty) with ``module`` inside, and write ``report`` (HTML).

    Raises ``NotFound`` and ``BadIdentity`` for what was named wrongly; whatever happens later is in the outcome.
    """
    if not repository.path.is_dir():
        raise NotFound(f"there is no repository `{repository.path}`")
    load_identity(identity)
    began, at = time.monotonic(), clock.now()
    work = Path(tempfile.mkdtemp(prefix="gs-drill-"))
    try:
        arguments = ["-m", module, point, repr(began)]
        sandbox.run(arguments, repository=repository.path, identity=identity, work=work, timeout=_PATIENCE)
        outcome = _read(work / OUTCOME)
    except DrillFailed as error:
        outcome = without_verdict(error.detail, point=point, seconds=time.monotonic() - began)
    finally:
        # A kill here leaves the sandbox dead and a folder with restored secrets: it is readable by its owner only.
        shutil.rmtree(work)
    outcome["report"] = str(report.resolve())
    if outcome["verdict"] != Verdict.ERROR and IDENTIFIER.fullmatch(outcome["point"]):
        _keep(repository, outcome, to_rfc3339(at))
    reports.write(report, outcome, at=to_rfc3339(at), repository=repository.path)
    return outcome


def _read(path: Path) -> DrillOutcome:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DrillFailed(f"the sandbox left no outcome: {error}") from error
    # Written a moment ago by our own code in the sandbox, where nobody else was.
    return cast("DrillOutcome", found)


def _keep(repository: Repository, outcome: DrillOutcome, at: str) -> None:
    """Keep the finding beside the point: the service shows a point as proven by this file and its hash."""
    proof: dict[str, JsonValue] = {
        "point": outcome["point"],
        "sha256": outcome["sha256"],
        "ok": outcome["ok"],
        "at": at,
        "rto_milliseconds": int(outcome["rto_seconds"] * 1000),
        "rpo_milliseconds": int(outcome["rpo_seconds"] * 1000),
        "failed": [check["name"] for check in outcome["checks"] if not check["ok"]],
    }
    try:
        repository.record_proof(outcome["point"], proof)
    except OSError as error:
        detail = f"the proof cannot be kept in `{repository.points}`: {error.strerror}"
        raise Unavailable(detail, hint="run the drill as somebody who may write to the repository") from error
