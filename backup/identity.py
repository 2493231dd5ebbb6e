"""The recovery identity: an age X25519 key pair whose public half encrypts every point; kept off the site."""

import os
from pathlib import Path

import pyrage
from pyrage import x25519

from backup.errors import BadIdentity
from core import durable
from core.errors import NotFound

#: Most octets of an identity file that are read.
_LARGEST = 16_384


def make_identity(path: Path) -> str:
    """Write a new identity to ``path`` (0400) and return its recipient; one that is there already is kept.

    Raises ``BadIdentity`` when the file that is there is something else.
    """
    if path.exists():
        return _recipient(load_identity(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    made = x25519.Identity.generate()
    durable.write(path, f"# recipient: {made.to_public()}\n{made}\n".encode(), mode=0o400)
    # A crash here leaves an identity that nothing is encrypted to yet: the next run returns its recipient.
    return _recipient(made)


def load_identity(path: Path) -> x25519.Identity:
    """Read an identity file (lines that begin with ``#`` are comments). Raises ``NotFound`` or ``BadIdentity``."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except FileNotFoundError as error:
        raise NotFound(f"there is no recovery identity `{path}`", hint="bring it from where it is kept") from error
    except OSError as error:
        raise BadIdentity(f"the recovery identity `{path}` cannot be read: {os.strerror(error.errno or 0)}") from error
    lines = content.decode("ascii", errors="replace").splitlines()
    keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if len(content) > _LARGEST or len(keys) != 1:
        raise BadIdentity(f"`{path}` is no recovery identity", hint="it holds one line AGE-SECRET-KEY-1…")
    try:
        return x25519.Identity.from_str(keys[0])
    except pyrage.IdentityError as error:
        raise BadIdentity(f"`{path}` is no recovery identity", hint="it holds one line AGE-SECRET-KEY-1…") from error


def parse_recipients(texts: tuple[str, ...]) -> list[x25519.Recipient]:
    """Read age recipients. Raises ``BadIdentity`` naming the first that is none."""
    found = []
    for text in texts:
        try:
            found.append(x25519.Recipient.from_str(text))
        except pyrage.RecipientError as error:
            raise BadIdentity(f"`{text[:80]}` is no recipient", hint="a recipient begins with age1") from error
    return found


def _recipient(identity: x25519.Identity) -> str:
    return str(identity.to_public())
