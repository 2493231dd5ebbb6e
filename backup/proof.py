"""What the proofs in the repository say becomes a duty: a point that a drill failed, and a newest point without proof.

A drill runs outside of the service and leaves its finding beside the point; a job looks at what lies there.
"""

from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from backup.models import PointState, RecoveryPoint
from backup.repository import Repository
from core.duty import duty, survey
from core.identity import SITE

FAILED = "failed-drill"
UNPROVEN = "unproven-point"

#: How long the newest sealed point may go without a drill that restored it.
PATIENCE = timedelta(days=30)

#: By when a failed drill must have been mended, or an unproven point drilled.
_DUE = timedelta(days=1)

_ACTOR = "device:trust"


def tell(session: Session, repository: Repository, now: datetime) -> None:
    """Raise and settle the duties of points: by the newest sealed one, and by every point whose last drill failed."""
    sealed = select(RecoveryPoint).where(RecoveryPoint.state == PointState.SEALED.value)
    points = session.exec(sealed.order_by(col(RecoveryPoint.at).desc())).all()
    for number, point in enumerate(points):
        proven = repository.is_proven(point.id, point.sha256)
        failed = repository.is_failed(point.id, point.sha256)
        # An older point that nobody drilled is no duty: the newer one takes its place.
        unproven = number == 0 and not proven and not failed and point.at + PATIENCE < now
        _keep(session, FAILED, point, waits=failed, now=now)
        _keep(session, UNPROVEN, point, waits=unproven, now=now)


def _keep(session: Session, kind: str, point: RecoveryPoint, *, waits: bool, now: datetime) -> None:
    object_ = f"point:{point.id}"
    if not waits:
        duty.settle(session, kind=kind, object_=object_, actor=_ACTOR, at=now)
        return
    words = "演练未通过 · a drill failed on point" if kind == FAILED else "恢复点未经演练 · no drill has proven point"
    duty.raise_duty(
        session,
        kind=kind,
        object_=object_,
        title=f"{words} {point.id}",
        post=survey.operating_post(session, SITE),
        domain=survey.site_system(session).domain,
        due=now + _DUE,
        at=now,
        actor=_ACTOR,
    )
