"""What must hold of a set of profiles beyond its form, and how two sets differ, in sentences. Pure."""

from collections.abc import Iterator

from core.identity import SITE, SubjectKind
from core.registry import levels
from pki.profile import KeyKind, Profile, Profiles, Purpose, Usage

#: The installation issues by these itself: without them it cannot be founded or go on.
NEEDED = {one.value: one for one in SubjectKind}

#: Days that the first certificate lives at most: it can appoint all three administrators.
LONGEST_BOOTSTRAP = 7


def find_faults(profiles: Profiles) -> list[str]:
    """Return what is wrong with a set, a sentence each; nothing means that it may come into force."""
    listed = {one.name: one for one in profiles.listed}
    faults = [
        f"there is no profile `{name}` for a {kind}"
        for name, kind in NEEDED.items()
        if name not in listed or listed[name].holder is not kind
    ]
    return faults + [f"profile `{one.name}`: {fault}" for one in profiles.listed for fault in _faults(one)]


def _faults(one: Profile) -> Iterator[str]:
    lowest, highest = one.levels
    longest = max(levels.longest_life(one.holder.value, level).days for level in range(lowest, highest + 1))
    if one.days > longest:
        yield f"{one.days} days are more than any of its levels allows ({longest})"
    server, client = (
        purpose in one.purposes for purpose in (Purpose.SERVER_AUTHENTICATION, Purpose.CLIENT_AUTHENTICATION)
    )
    if one.hosts != server:
        yield "host names stand in a server's certificate, and in no other"
    if one.holder is SubjectKind.PERSON and (server or not client):
        yield "a person logs in with it, and serves nothing"
    if Usage.DIGITAL_SIGNATURE not in one.usages:
        yield "without the usage digital-signature nobody can authenticate with it (TLS 1.3)"
    if Usage.KEY_ENCIPHERMENT in one.usages and set(one.keys) != {KeyKind.RSA}:
        yield "key-encipherment is for RSA keys alone (RFC 8813)"
    if Usage.KEY_AGREEMENT in one.usages and KeyKind.RSA in one.keys:
        yield "key-agreement is for elliptic-curve keys alone (RFC 8813)"
    of_site = one.holder is SubjectKind.BOOTSTRAP
    if (SITE in one.networks) != of_site or (of_site and len(one.networks) > 1):
        yield "the network `site` is the bootstrap administrator's, and its only one"
    if of_site and (one.days > LONGEST_BOOTSTRAP or server):
        yield f"the first certificate lives {LONGEST_BOOTSTRAP} days at most and serves nothing"


def compare(old: Profiles, new: Profiles) -> list[str]:
    """Return what changes from one set to another, a sentence each, in the order of the new one."""
    before, after = ({one.name: one for one in listed} for listed in (old.listed, new.listed))
    told = [f"profile `{name}` goes: nothing is issued by it any more" for name in before if name not in after]
    for name, one in after.items():
        if name not in before:
            told.append(f"profile `{name}` is new: {one.days} days for a {one.holder}, {', '.join(one.purposes)}")
        else:
            told += [f"profile `{name}`: {change}" for change in _changes(before[name], one)]
    return told


def _changes(old: Profile, new: Profile) -> Iterator[str]:
    was, is_ = old.model_dump(mode="json"), new.model_dump(mode="json")
    for member in was:
        if was[member] != is_[member]:
            yield f"{member}: {_plain(was[member])} → {_plain(is_[member])}{_direction(member, old, new)}"


def _direction(member: str, old: Profile, new: Profile) -> str:
    """Say whether more can be issued, or less; nothing where that is no question."""
    if member in ("networks", "keys", "usages", "purposes"):
        was, is_ = set(getattr(old, member)), set(getattr(new, member))
        return " (wider)" if was < is_ else " (narrower)" if is_ < was else ""
    if member == "days":
        return " (wider)" if new.days > old.days else " (narrower)"
    if member in ("hosts", "same_key"):
        return " (wider)" if getattr(new, member) else " (narrower)"
    if member == "second":
        return " (wider)" if new.second > old.second else " (narrower)"
    return ""


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    if isinstance(value, dict):
        return " · ".join(str(one) for one in value.values())
    return str(value)
