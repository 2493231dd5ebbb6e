"""The manifest: what is in a recovery point, with each file's hash and the evidence at the cut. Pure."""

import json
from collections.abc import Mapping
from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from backup.errors import BadManifest

#: The manifest's own name in the archive; it is the first member.
NAME = "manifest.json"

#: Most octets of a manifest that is read at all.
LARGEST = 8 * 1024 * 1024

_HEX = r"^[0-9a-f]{64}$"
#: Most octets of one name in a path.
_LONGEST = 255


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Member(_Frozen):
    """One file: its path below the state folder, octets, SHA-256, permission bits."""

    path: str
    size: int = Field(ge=0)
    sha256: str = Field(pattern=_HEX)
    mode: int = Field(ge=0, le=0o777)

    @field_validator("path")
    @classmethod
    def _stays_below(cls, path: str) -> str:
        parts = PurePosixPath(path).parts
        if str(PurePosixPath(path)) != path or any(_is_strange(part) for part in parts):
            raise ValueError("leads out of its folder or has a strange name")
        return path


def _is_strange(part: str) -> bool:
    return part in ("/", "..") or not part.isprintable() or len(part.encode()) > _LONGEST


class LedgerCut(_Frozen):
    """The evidence at the cut: numbered records, root over them, records without a number, newest signed checkpoint."""

    size: int = Field(ge=0)
    root: str = Field(pattern=_HEX)
    unnumbered: int = Field(ge=0)
    checkpoint: str


class Manifest(_Frozen):
    """What a recovery point holds. ``key`` verifies the evidence (``name+hash+key``), ``state`` is the old place."""

    format: int = Field(ge=1, le=1)
    id: str
    at: str
    product: str
    key: str
    state: str
    store: str = Field(pattern=r"^(sqlite|postgresql)$")
    counts: Mapping[str, int]
    ledger: LedgerCut
    members: tuple[Member, ...]


def encode(manifest: Manifest) -> bytes:
    """Return the manifest as JSON."""
    return json.dumps(manifest.model_dump(mode="json"), ensure_ascii=False, indent=1, sort_keys=True).encode()


def parse(content: bytes) -> Manifest:
    """Read a manifest. Raises ``BadManifest``, also for a path that leads elsewhere or stands twice."""
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadManifest(f"the manifest cannot be read: `{place}`: {first['msg'].lower()}") from error
    paths = [member.path for member in manifest.members]
    if len(set(paths)) != len(paths) or NAME in paths:
        raise BadManifest("the manifest names a file twice")
    return manifest
