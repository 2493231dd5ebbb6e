"""Why no token is given, in the words of the protocol (RFC 3161, 2.4.2)."""

from enum import IntEnum

from core.errors import Rejected


class Failure(IntEnum):
    """PKIFailureInfo: the number is the bit."""

    BAD_ALG = 0
    BAD_REQUEST = 2
    BAD_DATA_FORMAT = 5
    TIME_NOT_AVAILABLE = 14
    UNACCEPTED_POLICY = 15
    UNACCEPTED_EXTENSION = 16
    ADD_INFO_NOT_AVAILABLE = 17
    SYSTEM_FAILURE = 25


class StampRefused(Rejected):
    """No token is given; ``failure`` says why to a program, the text to a person."""

    reason = "time-stamp-refused"

    def __init__(self, failure: Failure, detail: str) -> None:
        """Refuse for ``failure``."""
        super().__init__(detail)
        self.failure = failure
