"""Texts as ACME writes them: strict JSON and base64url without padding (RFC 7515, 2 and 3). Pure."""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence

from pki.acme.errors import BadRequest

JsonObject = Mapping[str, object]

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


def encode(content: bytes) -> str:
    """Return ``content`` in base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def decode(text: object, name: str) -> bytes:
    """Return what ``text`` says in base64url. Raises ``BadRequest`` for padding, other letters and stray bits."""
    if not isinstance(text, str) or not _BASE64URL.fullmatch(text):
        raise BadRequest(f"`{name}` is not base64url without padding")
    try:
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"`{name}` is not base64url without padding") from error
    # Two texts for the same octets would let one be changed into the other.
    if encode(content) != text:
        raise BadRequest(f"`{name}` is not base64url in its one form")
    return content


def parse_object(content: bytes, name: str) -> JsonObject:
    """Return a JSON object; raises ``BadRequest`` for anything else, and for a member that stands there twice."""
    try:
        found = json.loads(content.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{name} cannot be read as JSON") from error
    if not isinstance(found, dict):
        raise BadRequest(f"{name} is no JSON object")
    return found


def canonical(members: Mapping[str, str]) -> bytes:
    """Return members in the form that thumbprints are made of (RFC 7638, 3.3)."""
    return json.dumps(dict(sorted(members.items())), separators=(",", ":"), ensure_ascii=False).encode()


def _unique(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands there twice")
    return found


def _refuse(word: str) -> None:
    raise ValueError(f"`{word}` is not JSON")
