"""Replay nonces (RFC 8555, 6.5): made without the store, and remembered there only once they were used.

A nonce says when it was made, and proves that we made it; so any worker takes what any other gave out, asking for
nonces fills nothing, and the table of used ones is never longer than half an hour of requests.
"""

import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from core.clock import Clock
from core.database import Database
from pki.acme import encoding, models
from pki.acme.errors import BadNonce, BadRequest

#: How long a nonce may be used.
LIFE = timedelta(minutes=30)

_TIME, _RANDOM, _PROOF = 6, 10, 16

_TABLE = SQLModel.metadata.tables[str(models.AcmeNonce.__tablename__)]


class Nonces:
    """Gives nonces out and takes each once. Safe for many threads, and many processes with the same secret."""

    def __init__(self, *, database: Database, clock: Clock, random: Callable[[int], bytes], secret: bytes) -> None:
        """Remember used nonces in ``database``; ``secret`` proves that a nonce is ours."""
        self._database = database
        self._clock = clock
        self._random = random
        self._secret = hmac.digest(secret, b"acme nonce", "sha256")

    def make(self) -> str:
        """Return a fresh nonce."""
        since = int(self._clock.now().timestamp() * 1000).to_bytes(_TIME, "big")
        return encoding.encode(self._proved(since + self._random(_RANDOM)))

    def use(self, nonce: str) -> None:
        """Take a nonce, for ever. Raises ``BadNonce`` when it is none of ours, too old, or was used."""
        ends = self._end(nonce)
        try:
            # By itself, and before anything is done: a request that fails half-way cannot be sent again, either.
            self._database.insert(_TABLE, [{"value": nonce, "ends_at": ends}])
        except IntegrityError as error:
            raise BadNonce("the nonce was used before", hint="send the request again with the new one") from error
        # A crash here leaves a used nonce and a request that nobody acted on: the client asks again with another.

    def _end(self, nonce: str) -> datetime:
        try:
            content = encoding.decode(nonce, "nonce")
        except BadRequest as error:
            raise BadNonce("the nonce is none of ours") from error
        head = content[: _TIME + _RANDOM]
        if not hmac.compare_digest(content, self._proved(head)):
            raise BadNonce("the nonce is none of ours", hint="send the request again with the new one")
        since = datetime.fromtimestamp(int.from_bytes(head[:_TIME], "big") / 1000, UTC)
        if not since <= self._clock.now() < since + LIFE:
            raise BadNonce("the nonce is too old", hint="send the request again with the new one")
        return since + LIFE

    def _proved(self, head: bytes) -> bytes:
        return head + hmac.digest(self._secret, head, "sha256")[:_PROOF]
