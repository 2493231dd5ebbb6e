"""Time stamps that are killed: asked for by strangers, and withheld while the clock cannot be trusted."""

import hashlib
import secrets
from datetime import timedelta

from asn1crypto import tsp
from sqlmodel import Session, select

from pki.tsa.authority import TimeStampAuthority
from pki.tsa.models import StampState, TimeStamp
from pki.tsa.settings import TsaSettings
from tests.crash.nursery import Say
from tests.crash.parts import Parts, Place


class Word:
    """Says of the clock what it is told to say."""

    def __init__(self, kept: bool) -> None:
        self._kept = kept

    def is_kept(self, within: timedelta) -> bool:
        return self._kept


def authority(parts: Parts, *, kept: bool = True) -> TimeStampAuthority:
    return TimeStampAuthority(
        database=parts.database,
        keys=parts.keys,
        clock=parts.clock,
        random=secrets.token_bytes,
        settings=TsaSettings(synchronised=True),
        synchrony=Word(kept),
    )


def question() -> bytes:
    hashed = hashlib.sha256(secrets.token_bytes(32)).digest()
    imprint = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": hashed}
    asked = {"version": "v1", "message_imprint": imprint, "cert_req": True, "nonce": secrets.randbits(63)}
    return bytes(tsp.TimeStampReq(asked).dump())


def stamp(place: Place, say: Say) -> None:
    ours = authority(Parts(place))
    for _ in range(3):
        token = tsp.TimeStampResp.load(ours.respond(question()))["time_stamp_token"]
        say("stamped", hashlib.sha256(token.dump()).hexdigest())


def withhold(place: Place, _say: Say) -> None:
    parts = Parts(place)
    for _ in range(3):
        authority(parts, kept=False).respond(question())


def check(session: Session, signed: dict[str, bytes]) -> set[str]:
    """Each serial number was on record before it was signed, each time is its own; return the tokens by their hash."""
    rows = session.exec(select(TimeStamp)).all()
    assert set(signed) <= {row.serial for row in rows}
    assert len({(row.authority, row.at) for row in rows}) == len(rows)
    granted = {row.token_sha256 for row in rows if row.state == StampState.GRANTED}
    assert all((row.state == StampState.OPEN) is (row.token_sha256 == "") for row in rows)
    return granted
