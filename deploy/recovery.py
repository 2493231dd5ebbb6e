"""Come back without a running service: all that is needed is the repository and the recovery identity."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from backup import reconcile
from backup import restore as restoring
from backup.manifest import Manifest
from backup.mirror import Mirror
from backup.reconcile import Outcome
from backup.repository import Repository
from core.clock import SystemClock, to_rfc3339
from core.database import Database
from core.ledger.entry import JsonValue
from deploy.settings import CONFIGURATION, Settings, load, render
from hsm import token
from hsm.settings import HsmSettings


def restore(*, repository: Path, identity: Path, point: str, into: Path, store: str = "") -> Mapping[str, JsonValue]:
    """Restore ``point`` (the newest when empty) into ``into``, reconcile it, and return what was done.

    ``store`` is the empty PostgreSQL database that a PostgreSQL store goes into. Raises what is wrong; then nothing of
    the restored state is left in ``into``.
    """
    place = Repository(repository.resolve())
    mirror = Mirror(place.evidence)
    sealed = restoring.choose(place, mirror, point)
    with restoring.fresh(into):
        found = restoring.files(repository=place, sealed=sealed, mirror=mirror, identity=identity, into=into)
        url = restoring.store(found, into, store)
        _settle(into, place.path, url)
        restoring.mark_unreconciled(into)
        # A crash here leaves a state that is whole and may revive what was revoked: the service refuses it.
        database = Database(url)
        outcome = reconcile.reconcile(database, mirror, point=sealed.id, at=SystemClock().now())
        database.close()
        restoring.mark_ready(into)
        # A crash before this leaves a reconciled state that still says it is not: restore again into a fresh folder.
    return _told(found, outcome, into)


def _settle(into: Path, repository: Path, url: str) -> None:
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
    token.initialise(HsmSettings(state=into.resolve()), secrets.token_bytes)


def _told(found: Manifest, outcome: Outcome, into: Path) -> Mapping[str, JsonValue]:
    return {
        "point": found.id,
        "state": str(into.resolve()),
        "files": len(found.members),
        "evidence": outcome.mirror_size,
        "evidence_key": found.key,
        "reconciled": to_rfc3339(SystemClock().now()),
        **outcome.as_json(),
    }
