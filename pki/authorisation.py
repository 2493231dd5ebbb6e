"""Whether a request's content may become a certificate: one function for every way a request can come in. Pure.

Every protocol proves in its own way who asks and that they hold the key. *What* may stand in the certificate is decided
here and nowhere else, so that no protocol can let through what another refuses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from core.registry import levels
from pki import csr, keyquality, names
from pki.csr import CertificationRequest
from pki.errors import ReusedKey, RevokedKey, SameKey, WeakKey, WrongProfile
from pki.names import Holder
from pki.profile import Profile


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for beside the request itself: host names, addresses, and a life that is shorter than allowed.

    ``renewal``: a present certificate alone vouches for it.
    """

    hosts: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    lifetime_seconds: int | None = None
    renewal: bool = False


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A certificate that was issued over the same key."""

    serial: str
    holder_kind: str
    holder: str
    revoked: bool


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request whose content was allowed: nothing else is ever built into a certificate. ``life`` is its longest."""

    content: CertificationRequest
    holder: Holder
    profile: Profile
    hosts: tuple[str, ...]
    addresses: tuple[str, ...]
    life: timedelta


def authorise(
    content: CertificationRequest, holder: Holder, profile: Profile, wanted: Wanted, uses: Sequence[KeyUse]
) -> Admitted:
    """Return what may be issued. Raises the refusal.

    ``uses`` are all certificates over the request's key. Raises ``WrongProfile``, ``WeakKey``, ``WildcardName``,
    ``BadHostName``, ``ForeignName``, ``ForbiddenExtension``, ``RevokedKey``, ``ReusedKey``, ``SameKey``.
    """
    # 1. The profile is for this holder, in this kind of domain, at this level.
    _check_profile(profile, holder, wanted)
    # 2. The key is of an allowed kind, strong enough, and nobody else's.
    if (kind := keyquality.kind(content.key)) not in profile.keys:
        raise WeakKey(f"the profile `{profile.name}` takes no key of kind {kind}", hint=", ".join(profile.keys))
    keyquality.check_key(content.key, holder.level)
    check_uses(holder, uses)
    if wanted.renewal and uses and not profile.same_key:
        detail = f"a certificate of profile `{profile.name}` is renewed with a new key"
        raise SameKey(detail, hint="leave --same-key out")
    # 3. Every name, wherever it stands, is the register's.
    csr.check_content(content, holder, allowed_hosts=wanted.hosts, allowed_addresses=wanted.addresses)
    names.check_hosts(holder, wanted.hosts)
    names.check_addresses(holder, wanted.addresses)
    # 4. The shortest life of profile, level and request.
    life = _life(profile, holder, wanted.lifetime_seconds)
    return Admitted(content, holder, profile, tuple(dict.fromkeys(wanted.hosts)), _once(wanted.addresses), life)


def check_asked(holder: Holder, profile: Profile, wanted: Wanted) -> None:
    """Raise what ``authorise`` would say of a request whose key is not there yet: a promise is refused in time."""
    _check_profile(profile, holder, wanted)
    names.check_hosts(holder, wanted.hosts)
    names.check_addresses(holder, wanted.addresses)


def _check_profile(profile: Profile, holder: Holder, wanted: Wanted) -> None:
    if profile.holder != holder.kind:
        raise WrongProfile(f"the profile `{profile.name}` is not for a {holder.kind}")
    if holder.network not in profile.networks:
        raise WrongProfile(f"the profile `{profile.name}` is not for domains of the {holder.network} network")
    lowest, highest = profile.levels
    if not lowest <= holder.level <= highest:
        raise WrongProfile(f"the profile `{profile.name}` is not for protection level {holder.level}")
    if (wanted.hosts or wanted.addresses) and not profile.hosts:
        raise WrongProfile(f"a certificate of profile `{profile.name}` carries no host names")


def check_uses(holder: Holder, uses: Sequence[KeyUse]) -> None:
    """Refuse a second holder of a key, and a key that was revoked: it dies with its certificate."""
    for use in uses:
        if use.revoked:
            detail = f"the key belongs to the revoked certificate {use.serial}"
            raise RevokedKey(detail, hint="make a new key with `guosuo cert csr`")
        if (use.holder_kind, use.holder) != (holder.kind, holder.identifier):
            raise ReusedKey("the key belongs to somebody else's certificate", hint="make a key of your own")


def _once(addresses: Sequence[str]) -> tuple[str, ...]:
    return tuple({names.canonical_address(text): text for text in addresses})


def _life(profile: Profile, holder: Holder, wanted: int | None) -> timedelta:
    life = min(profile.lifetime, levels.longest_life(holder.kind, holder.level))
    if wanted is None:
        return life
    if wanted < 1:
        raise WrongProfile(f"a lifetime of {wanted} seconds is none", hint="leave it out")
    return life if wanted >= life.total_seconds() else timedelta(seconds=wanted)
