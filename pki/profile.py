"""Profiles: what may be issued, to whom and for how long, as reviewed data (``profiles.yaml``). Pure.

A set of profiles is always taken whole: it has a version for people and a digest for records.
"""

import hashlib
from collections.abc import Mapping
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.errors import Malformed
from core.identity import SubjectKind
from core.registry.document import PlainLoader
from core.registry.errors import RegisterRejected
from core.registry.levels import Title
from pki.errors import WrongProfile

#: The act of two people that puts profiles into force.
ACTIVATE = "pki.profile.activate"

#: Most octets of a set of profiles: ours has five thousand, and a proposal of two people holds it whole.
LARGEST = 12_000


class KeyKind(StrEnum):
    """Kinds of keys that certificates are issued for."""

    P256 = "p256"
    P384 = "p384"
    RSA = "rsa"


class Usage(StrEnum):
    """Key usages that a holder's certificate may have (RFC 5280, 4.2.1.3): none of an authority's."""

    DIGITAL_SIGNATURE = "digital-signature"
    CONTENT_COMMITMENT = "content-commitment"
    KEY_ENCIPHERMENT = "key-encipherment"
    KEY_AGREEMENT = "key-agreement"


class Purpose(StrEnum):
    """Extended key usages that a holder's certificate may have (RFC 5280, 4.2.1.12)."""

    CLIENT_AUTHENTICATION = "client-authentication"
    SERVER_AUTHENTICATION = "server-authentication"


#: The object identifiers of purposes.
OIDS: Mapping[Purpose, ObjectIdentifier] = {
    Purpose.CLIENT_AUTHENTICATION: ExtendedKeyUsageOID.CLIENT_AUTH,
    Purpose.SERVER_AUTHENTICATION: ExtendedKeyUsageOID.SERVER_AUTH,
}


class Profile(BaseModel):
    """One profile; what each member means stands at the top of ``profiles.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)
    title: Title
    holder: SubjectKind
    networks: tuple[Literal["inner", "outer", "site"], ...] = Field(min_length=1)
    levels: tuple[int, int]
    days: int = Field(ge=1, le=3650)
    keys: tuple[KeyKind, ...] = Field(min_length=1)
    usages: tuple[Usage, ...] = Field(min_length=1)
    purposes: tuple[Purpose, ...] = Field(min_length=1)
    hosts: bool
    second: int = Field(ge=1, le=5)
    same_key: bool = False
    basis: Literal["standard", "field practice", "product"]
    source: str = Field(min_length=10, max_length=400)

    @model_validator(mode="after")
    def _check(self) -> "Profile":
        lowest, highest = self.levels
        if not 1 <= lowest <= highest <= 5:
            raise ValueError(f"`{self.name}` does not name levels from 1 to 5 in their order")
        for listed in (self.networks, self.keys, self.usages, self.purposes):
            if len(set(listed)) != len(listed):
                raise ValueError(f"`{self.name}` names something twice")
        return self

    @property
    def lifetime(self) -> timedelta:
        """Return the longest life."""
        return timedelta(days=self.days)

    def officers(self, level: int) -> int:
        """Return how many officers must agree to a request at a level."""
        return 2 if level >= self.second else 1

    @property
    def oids(self) -> tuple[ObjectIdentifier, ...]:
        """Return the object identifiers of the purposes."""
        return tuple(OIDS[one] for one in self.purposes)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str = Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z.-]*$", max_length=40)
    title: str = Field(min_length=1, max_length=200)
    profiles: tuple[Profile, ...] = Field(min_length=1, max_length=100)


class Profiles:
    """A set of profiles as one reviewed text."""

    def __init__(self, text: str, version: str, listed: tuple[Profile, ...]) -> None:
        """Hold what ``parse_profiles`` has read."""
        self.text = text
        self.version = version
        self.listed = listed
        self.digest = hashlib.sha256(text.encode()).hexdigest()
        self._named = {one.name: one for one in listed}

    def get(self, name: str) -> Profile:
        """Return a profile; raises ``WrongProfile``."""
        if name not in self._named:
            raise WrongProfile(f"`{name[:40]}` is no profile", hint=f"one of {', '.join(self._named)}")
        return self._named[name]


def parse_profiles(text: str) -> Profiles:
    """Read a set of profiles. Raises ``Malformed`` saying what is wrong with it."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise Malformed("the profiles hold half a character", hint="save them as plain UTF-8") from error
    if size > LARGEST:
        raise Malformed(f"profiles of more than {LARGEST} octets are not read")
    try:
        content = yaml.load(text, Loader=PlainLoader)  # noqa: S506  # a safe loader, and narrower
        read = _File.model_validate({**content, "version": _version(content["version"])})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Malformed(
            f"the profiles cannot be read: {place}: {first['msg']}", hint="see pki/profiles.yaml"
        ) from error
    except RegisterRejected as error:
        raise Malformed(f"the profiles cannot be read: {error.detail}", hint="see pki/profiles.yaml") from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise Malformed("the profiles cannot be read as YAML with a version", hint="see pki/profiles.yaml") from error
    names = [one.name for one in read.profiles]
    if len(set(names)) != len(names):
        raise Malformed("the profiles name one of them twice")
    return Profiles(text, read.version, read.profiles)


def _version(value: object) -> str:
    """Return a version as text: YAML reads some as numbers or dates. Raises ``TypeError``."""
    if not isinstance(value, str | int | float | date) or isinstance(value, bool):
        raise TypeError("a version is a text, a number or a date")
    return str(value)


@cache
def shipped() -> Profiles:
    """Return the reviewed profiles that come with the product."""
    return parse_profiles(files("pki").joinpath("profiles.yaml").read_text(encoding="utf-8"))
