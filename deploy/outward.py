"""Requests to services that are not ours (witnesses, time-stamp authorities): short, bounded, and nothing followed."""

import ssl
import time
from pathlib import Path

import httpx2

from core.errors import Malformed
from core.ledger.errors import WitnessFailed
from core.ledger.outward import Answer

#: Seconds for one request in all, and for each silence in it.
PATIENCE, SILENCE = 20.0, 8.0


class HttpPoster:
    """Posts over HTTP(S). ``trusted`` (PEM) replaces the machine's own roots; our certificate is never shown."""

    def __init__(self, trusted: Path | None = None) -> None:
        """Prepare. Raises ``Malformed`` when ``trusted`` holds no certificates."""
        try:
            self._context = ssl.create_default_context(cafile=trusted)
        except (OSError, ssl.SSLError) as error:
            raise Malformed(f"`{trusted}` holds no certificates that can be read: {error}") from error

    def post(self, url: str, body: bytes, *, kind: str, largest: int) -> Answer:
        """Return the answer. Raises ``WitnessFailed`` when there is none in time, or one of more than ``largest``."""
        end = time.monotonic() + PATIENCE
        content = b""
        # Minutes may lie between two requests: no connection is kept.
        headers = {"Content-Type": kind, "Connection": "close"}
        try:
            with (
                httpx2.Client(verify=self._context, timeout=SILENCE, trust_env=False, follow_redirects=False) as client,
                client.stream("POST", url, content=body, headers=headers) as response,
            ):
                for piece in response.iter_bytes():
                    content += piece
                    if len(content) > largest:
                        raise WitnessFailed(f"its answer is larger than {largest} octets")
                    if time.monotonic() > end:
                        raise WitnessFailed(f"its answer did not end within {PATIENCE:.0f} s")
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise WitnessFailed(f"it does not answer: {error or type(error).__name__}") from error
        media = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        return Answer(response.status_code, media, content)
