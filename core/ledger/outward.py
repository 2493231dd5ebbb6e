"""The port to others' services: one request, one bounded answer. Implemented by ``deploy/outward.py``."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; ``kind`` is the media type without parameters."""

    status: int
    kind: str
    body: bytes


class Poster(Protocol):
    """Posts to a service that is none of ours; whatever it answers is hostile until it was verified."""

    def post(self, url: str, body: bytes, *, kind: str, largest: int) -> Answer:
        """Return the answer, of at most ``largest`` octets, redirects not followed.

        Raises ``WitnessFailed`` when there is none in time, or a larger one.
        """
        ...
