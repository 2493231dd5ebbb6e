"""A test of the ways out: each is tried at once, and each answers with a receipt or with why not."""

import secrets
from dataclasses import dataclass

from core.clock import Clock
from core.database import Database
from core.duty import survey
from core.ledger import evidence
from core.notice import digest, events, outbox
from core.notice.channel import Channel
from core.notice.errors import DeliveryFailed, NoChannel
from core.notice.message import Message
from core.notice.outbox import Outbox
from core.registry.errors import NotInRegister
from core.registry.models import Post


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one way out; ``said`` is the receipt, or why there is none."""

    channel: str
    message: str
    ok: bool
    said: str


def run(box: Outbox, database: Database, clock: Clock, *, post: str, actor: str) -> list[Outcome]:
    """Send a test to ``post`` (to the site's operating post when empty). Raises ``NoChannel``, ``NotInRegister``."""
    if not box.channels:
        raise NoChannel("no way out is configured", hint="see the section [notice] of guosuo.toml")
    now = clock.now()
    with database.read() as session:
        wanted = post or survey.site_system(session).operating_post
        if session.get(Post, wanted) is None:
            raise NotInRegister(f"no post `{wanted}` is in the register")
        to = outbox.addressee(session, wanted, survey.holders(session, now).get(wanted, ""))
    message = digest.trial(to, now, identifier=secrets.token_hex(16), site=box.site)
    outcomes = [_try(channel, message) for channel in box.channels.values()]
    # A crash here leaves a test that was sent and is not on record: it told nobody anything.
    with database.write() as session:
        told = events.tested(wanted, {one.channel: one.ok for one in outcomes}, actor=actor)
        evidence.append(session, told, at=clock.now())
    # A crash here leaves a test on record whose asker was not told: it is made again.
    return outcomes


def _try(channel: Channel, message: Message) -> Outcome:
    try:
        return Outcome(channel.name, message.id, True, channel.send(message))
    except DeliveryFailed as error:
        return Outcome(channel.name, message.id, False, error.detail)
