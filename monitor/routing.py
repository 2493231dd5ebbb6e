"""What the border tells becomes a duty of the post that answers for it: an alert, and a time that nobody watched.

Titles name ids and domains, never a marking's words or a person: they leave the building in notices.
"""

from datetime import datetime, timedelta

from sqlmodel import Session

from core.duty import duty, survey
from monitor.models import Finding, SensorWindow

#: By when a leak must be settled or the post in charge answers as well; a statutory clock may follow from it.
ALERT = timedelta(hours=4)

#: By when a blind window must have ended.
WINDOW = timedelta(hours=1)


def tell_alert(session: Session, finding: Finding, operating: str, *, now: datetime) -> None:
    """Raise the duty of a new alert: of the operating post it was attributed to, else of its domain's."""
    duty.raise_duty(
        session,
        kind="alert",
        object_=f"alert:{finding.id}",
        title=f"泄密告警 · leak alert {finding.id} in {finding.domain}",
        post=finding.operating_post or operating,
        domain=finding.domain,
        due=now + ALERT,
        at=now,
        actor=f"device:{finding.sensor}",
    )


def tell_window(session: Session, window: SensorWindow, *, now: datetime) -> None:
    """Raise the duty of a window that is open, settle that of one that has ended."""
    object_, actor = f"window:{window.id}", f"device:{window.sensor}"
    if window.until is not None:
        duty.settle(session, kind="blind-window", object_=object_, actor=actor, at=now)
        return
    post, domain = survey.device_post(session, window.sensor)
    duty.raise_duty(
        session,
        kind="blind-window",
        object_=object_,
        title=f"监测中断 · sensor {window.sensor} is blind: {window.cause}",
        post=post,
        domain=domain,
        due=now + WINDOW,
        at=now,
        actor=actor,
    )
