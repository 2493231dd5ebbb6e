"""Which profiles are in force: the newest that two people agreed on, or those that come with the product."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from sqlmodel import Session, col, select

from core.errors import Conflict, NotFound, Rejected
from core.ledger import evidence
from pki import events, profile, profilelint
from pki.models import ProfileSet
from pki.profile import Profiles


def active(session: Session) -> Profiles:
    """Return the profiles in force. Raises ``Malformed`` when what is in the store is no set of profiles any more."""
    newest = find_newest(session)
    return profile.shipped() if newest is None else _parsed(newest.text)


def find_newest(session: Session) -> ProfileSet | None:
    """Return the newest activation, or nothing while those of the product are in force."""
    return session.exec(select(ProfileSet).order_by(col(ProfileSet.number).desc()).limit(1)).first()


def history(session: Session) -> Sequence[ProfileSet]:
    """Return every activation, oldest first."""
    return session.exec(select(ProfileSet).order_by(col(ProfileSet.number))).all()


def find(session: Session, digest: str) -> Profiles:
    """Return the profiles with a digest (or its beginning) that were in force. Raises ``NotFound``, ``Conflict``."""
    known = {one.digest: one.text for one in history(session)}
    known.setdefault(profile.shipped().digest, profile.shipped().text)
    found = [text for one, text in known.items() if one.startswith(digest)]
    if not found:
        raise NotFound(f"no profiles with the digest `{digest[:64]}` were in force", hint="see `guosuo profile list`")
    if len(found) > 1:
        raise Conflict(f"`{digest[:64]}` begins several digests", hint="give more of it")
    return _parsed(found[0])


def check(session: Session, text: str, *, seen: str) -> tuple[Profiles, Profiles]:
    """Return the profiles in force and those of ``text``, which may follow them.

    ``seen`` is the digest of those that were in force when ``text`` was proposed. Raises ``Malformed``, ``Rejected``
    with every fault, ``Conflict`` when nothing would change or something else has changed meanwhile.
    """
    old, new = active(session), _parsed(text)
    if faults := profilelint.find_faults(new):
        raise Rejected(f"the profiles have faults: {'; '.join(faults)}"[:1000], reason="faulty-profiles")
    if seen != old.digest:
        raise Conflict(f"other profiles are in force than this was proposed for: version {old.version}")
    if new.digest == old.digest:
        raise Conflict("these profiles are in force already")
    return old, new


def activate(session: Session, text: str, *, seen: str, people: tuple[str, str], basis: str, at: datetime) -> Profiles:
    """Put profiles into force; ``people`` are who proposed and who agreed. Raises as ``check`` does."""
    old, new = check(session, text, seen=seen)
    proposer, approver = people
    number = len(history(session)) + 1
    row = ProfileSet(
        number=number,
        digest=new.digest,
        version=new.version,
        text=text,
        proposer=proposer,
        approver=approver,
        basis=basis,
        at=at,
    )
    session.add(row)
    session.flush()
    evidence.append(session, events.profiles_activated(row, before=old.digest), at=at)
    return new


@lru_cache(maxsize=8)
def _parsed(text: str) -> Profiles:
    return profile.parse_profiles(text)
