"""What is taken over, as it travels and is kept: a header, an item for each certificate, a plan's digest. Pure."""

import base64
import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from core.clock import Given, to_rfc3339
from pki.takeover.authority import HIGHEST, JUMP
from pki.takeover.mapping import FOREIGN

#: Most items of one part, and of a plan; most octets of a certificate: it stands in a record of the evidence.
AT_ONCE, MOST, LARGEST = 200, 500_000, 24_000

_Text = Annotated[str, Field(max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")]


def _decodable(text: str) -> str:
    base64.b64decode(text, validate=True)
    return text


_Base64 = Annotated[str, Field(max_length=LARGEST * 4 // 3 + 4), AfterValidator(_decodable)]


class Header(BaseModel):
    """The authority: ``name`` becomes ``issuing-NAME``, ``key`` is its key's label in the token.

    ``number`` is the highest that a list of the old authority bore; ``total`` counts the items.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z]{2,12}(-[a-z]{2,10}){0,2}$", max_length=20)
    key: str = Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$")
    domains: tuple[str, ...] = Field(max_length=50)
    certificate: _Base64
    number: int = Field(ge=0, le=HIGHEST - JUMP)
    total: int = Field(ge=0, le=MOST)

    @property
    def authority(self) -> str:
        """Return the authority's name here."""
        return f"issuing-{self.name}"

    @property
    def der(self) -> bytes:
        """Return its certificate (DER)."""
        return base64.b64decode(self.certificate)


class Item(BaseModel):
    """One certificate: ``place`` is where it was read; ``at`` and ``reason`` are a revocation's or a hold's.

    ``holder`` is ``kind:id``, ``-`` for nobody, or empty: then its names say it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    place: Annotated[str, Field(max_length=200)]
    serial: str = Field(pattern=r"^[0-7][0-9a-f]{39}$")
    state: str = Field(pattern=r"^(good|held|revoked)$")
    not_after: Given | None = None
    at: Given | None = None
    reason: str = Field(default="", max_length=40)
    holder: Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    name: _Text = ""
    profile: str = Field(default=FOREIGN, max_length=40, pattern=r"^[a-z0-9-]+$")
    certificate: _Base64 = ""

    @property
    def der(self) -> bytes:
        """Return the certificate (DER), or nothing."""
        return base64.b64decode(self.certificate)


class Digest:
    """The digest of a plan: of its header, then of each item with its verdict, in their order."""

    def __init__(self, header: Header) -> None:
        """Begin with the header."""
        self._hash = hashlib.sha256(_line(header.model_dump(mode="json")))

    def add(self, item: Item, verdict: str) -> None:
        """Add one item; where it was read is not part of what is agreed on."""
        said = [item.serial, item.state, _told(item.at), item.reason, _told(item.not_after), item.holder, item.name]
        content = hashlib.sha256(item.der).hexdigest()
        self._hash.update(_line([*said, item.profile, content, verdict]))

    def value(self) -> str:
        """Return it: 64 hexadecimal digits."""
        return self._hash.hexdigest()


def digest_of(header: Header, items: Iterable[tuple[Item, str]]) -> str:
    """Return the digest of a whole plan."""
    made = Digest(header)
    for item, verdict in items:
        made.add(item, verdict)
    return made.value()


def _told(moment: datetime | None) -> str:
    return to_rfc3339(moment) if moment else ""


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode() + b"\n"


def sha256(content: bytes) -> str:
    """Return a certificate's fingerprint."""
    return hashlib.sha256(content).hexdigest()
