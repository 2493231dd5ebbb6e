"""The outbox of notices with its ways out, as configured."""

from core.clock import Clock
from core.database import Database
from core.notice.channel import Channel
from core.notice.mail import Mail
from core.notice.outbox import Outbox
from core.notice.syslog import Syslog
from core.notice.webhook import Webhook
from deploy.settings import Settings


def outbox(settings: Settings, database: Database, clock: Clock) -> Outbox:
    """Return the outbox of notices, with every way out that is configured."""
    asked = settings.notice
    channels: list[Channel] = []
    if asked.mail is not None:
        channels.append(Mail(asked.mail))
    if asked.webhook is not None:
        channels.append(Webhook(asked.webhook, now=lambda: int(clock.now().timestamp())))
    if asked.syslog is not None:
        channels.append(Syslog(asked.syslog, host=settings.listen.host))
    return Outbox(database=database, clock=clock, channels=channels, settings=asked, site=settings.site.name)
