"""Come back without a running service: all that is needed is the repository and the recovery identity.

A drill does the same inside a sandbox (``deploy/drilling.py``).
"""

import secrets
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from backup import drill as drills
from backup import reconcile
from backup import restore as restoring
from backup.manifest import Manifest
from backup.mirror import Mirror
from backup.reconcile import Outcome
from backup.repository import Repository
from backup.restore import Sealed
from backup.verdict import CheckRow, DrillOutcome
from core.clock import SystemClock
from core.database import Database
from core.ledger.entry import JsonValue
from deploy.settings import CONFIGURATION, Settings, load, render
from hsm import token
from hsm.settings import HsmSettings

#: The mirrored evidence, and the point that it calls sealed.
Chosen = tuple[Mirror, Sealed]


#: What a drill runs inside.
_INSIDE = "deploy.drilling"


@dataclass(frozen=True, slots=True)
class Back:
    """A state that came back, and what was done for it."""

    point: str
    settings: Settings
    manifest: Manifest
    outcome: Outcome
    mirror: Mirror


def restore(
    *, repository: Path, identity: Path, point: str, into: Path, store: str = "", witness: Path | None = None
) -> Mapping[str, JsonValue]:
    """Restore ``point`` (the newest when empty) into ``into``, reconcile it, and return what was done.

    ``store`` is the empty PostgreSQL database that a PostgreSQL store goes into, ``witness`` a signed checkpoint that
    was kept elsewhere. Raises what is wrong; then nothing of the restored state is left in ``into``.
    """
    place = Repository(repository.resolve())
    chosen = choose(place, point)
    if witness is not None:
        chosen[0].demand(witness)
    back = come_back(place, identity, chosen, into, lambda _kind: store)
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
        module=_INSIDE,
        clock=SystemClock(),
    )


def check_rows(outcome: DrillOutcome) -> list[Mapping[str, JsonValue]]:
    """Return the checks of a drill as rows to print."""
    return [_row(check) for check in outcome["checks"]]


def _row(check: CheckRow) -> Mapping[str, JsonValue]:
    return {"name": check["name"], "ok": check["ok"], "detail": check["detail"]}


def come_back(place: Repository, identity: Path, point: Chosen, into: Path, store: Callable[[str], str]) -> Back:
    """Do the whole of it; ``store`` gives the database to restore into for a kind of store."""
    mirror, sealed = point
    with restoring.fresh(into):
        found = restoring.files(repository=place, sealed=sealed, mirror=mirror, identity=identity, into=into)
        url = restoring.store(found, into, store(found.store))
        settings = _settle(into, place.path, url)
        restoring.mark_unreconciled(into)
        # A crash here leaves a state that is whole and may revive what was revoked: the service refuses it.
        with closing(Database(url)) as database:
            outcome = reconcile.reconcile(database, mirror, point=sealed.id, at=SystemClock().now())
        # A crash here leaves a reconciled state that still says it is not: restore again into a fresh folder.
        restoring.mark_ready(into)
    return Back(sealed.id, settings, found, outcome, mirror)


def choose(place: Repository, point: str) -> Chosen:
    """Return the mirrored evidence and the point that was asked for."""
    mirror = Mirror(place.evidence)
    return mirror, restoring.choose(place, mirror, point)


def _settle(into: Path, repository: Path, url: str) -> Settings:
    """Point the settings of the restored site, and those of its token, at where they are now."""
    old = load(into, {})
    moved = {
        "state": into.resolve(),
        "site": old.site.model_copy(update={"store": url}),
        "repository": old.repository.model_copy(update={"path": repository}),
    }
    # Whatever else the site was told (witnesses, time stamps, notices) it still is told.
    settings = old.model_copy(update=moved)
    (into / CONFIGURATION).write_text(render(settings), encoding="utf-8")
    for folder in ("run", "log", "ledger", "apps"):
        (into / folder).mkdir(exist_ok=True, mode=0o700)
    # With its inventory there the token is kept as it is, only its configuration is written for the new place.
    token.initialise(HsmSettings(state=settings.state), secrets.token_bytes)
    return settings
