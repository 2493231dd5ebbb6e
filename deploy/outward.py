"""Requests to services that are not ours (witnesses, time-stamp authorities): short, bounded, and nothing followed."""

import ssl
from pathlib import Path

import httpx2

from core.deadline import Deadline, client
from core.errors import Malformed
from core.ledger.errors import WitnessFailed
from core.ledger.outward import Answer

#: Seconds for one request in all, and for each silence in it.
PATIENCE, SILENCE = 20.0, 8.0


class HttpPoster:
    """Posts over HTTP(S). ``trusted`` (PEM) replaces the machine's own roots; our certificate is never shown."""

    def __init__(self, trusted: Path | None = None, *, patience: float = PATIENCE) -> None:
        """Prepare; a request takes ``patience`` seconds at most.

        Raises ``Malformed`` when ``trusted`` holds no certificates.
        """
        self._patience = patience
        try:
            self._context = ssl.create_default_context(cafile=trusted)
        except (OSError, ssl.SSLError) as error:
            raise Malformed(f"`{trusted}` holds no certificates that can be read: {error}") from error

    def post(self, url: str, body: bytes, *, kind: str, largest: int) -> Answer:
        """Return the answer. Raises ``WitnessFailed`` when there is none in time, or one of more than ``largest``."""
        content = b""
        # Minutes may lie between two requests: no connection is kept. Nothing is unpacked that we did not ask for.
        headers = {"Content-Type": kind, "Connection": "close", "Accept-Encoding": "identity"}
        with Deadline(self._patience, silence=SILENCE) as deadline:
            try:
                with (
                    client(deadline, self._context) as asking,
                    asking.stream("POST", url, content=body, headers=headers) as response,
                ):
                    for piece in response.iter_raw():
                        content += piece
                        if len(content) > largest:
                            raise WitnessFailed(f"its answer is larger than {largest} octets")
                    # What was cut off when the time was over can look like an end.
                    deadline.left()
            except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, TimeoutError) as error:
                raise WitnessFailed(f"it does not answer: {deadline.why(error)}") from error
        media = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        return Answer(response.status_code, media, content)
