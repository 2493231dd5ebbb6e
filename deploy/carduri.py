"""A PKCS#11 URI (RFC 7512) that names a person's key on a token. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from core.errors import Malformed

SCHEME = "pkcs11:"

#: Characters: no URI of ours is longer.
LONGEST = 1000

_EXAMPLE = "for example pkcs11:token=CARD;object=signing"

#: Without a ``module-path``: p11-kit, that is every module that is known on this machine.
EVERY_MODULE = "libp11-kit.so.0"

#: What names a token, and an object on it (RFC 7512, section 2.3).
_TOKEN = ("token", "manufacturer", "serial", "model", "slot-id")
_OBJECT = ("object", "id")

_VALUE = re.compile(r"(?:[A-Za-z0-9_.~\-:\[\]@!$'()*+,=&/]|%[0-9A-Fa-f]{2})+")
_PATH = re.compile(r"[\w./+-]+")


@dataclass(frozen=True, slots=True)
class CardUri:
    """A read URI: its path attributes as written, the module to load, and the PIN's file (empty: ask)."""

    attributes: Mapping[str, str]
    module: str
    pin_source: str

    @property
    def key(self) -> str:
        """Return the URI of the private key."""
        return self._of("private", (*_TOKEN, *_OBJECT))

    @property
    def public(self) -> str:
        """Return the URI of the public key: it is read without a PIN."""
        return self._of("public", (*_TOKEN, *_OBJECT))

    @property
    def certificate(self) -> str:
        """Return the URI of the certificate of that name."""
        return self._of("cert", (*_TOKEN, *_OBJECT))

    @property
    def certificates(self) -> str:
        """Return the URI of every certificate on the token."""
        return self._of("cert", _TOKEN)

    def _of(self, kind: str, names: Sequence[str]) -> str:
        kept = [f"{name}={value}" for name, value in self.attributes.items() if name in names]
        return f"{SCHEME}{';'.join([*kept, f'type={kind}'])}"


def is_uri(text: str) -> bool:
    """Say whether ``text`` names something on a token, and not a file."""
    return text.startswith(SCHEME)


def parse_uri(text: str) -> CardUri:
    """Read a URI that names one key. Raises ``Malformed``, also for a PIN in it: others see a command line."""
    if len(text) > LONGEST:
        raise Malformed(f"a PKCS#11 URI of {len(text)} characters names no key", hint=_EXAMPLE)
    path, _, query = text.removeprefix(SCHEME).partition("?")
    attributes = _pairs(path, ";", (*_TOKEN, *_OBJECT, "type"))
    if not {"token", "serial", "slot-id"} & set(attributes) or not set(_OBJECT) & set(attributes):
        raise Malformed("a PKCS#11 URI names a token and an object on it", hint=_EXAMPLE)
    asked = _pairs(query, "&", ("module-path", "pin-source"))
    module = unquote(asked.get("module-path", EVERY_MODULE))
    if not _PATH.fullmatch(module):
        raise Malformed(f"`{module[:60]}` is not the path of a PKCS#11 module")
    return CardUri(attributes, module, _pin_source(asked["pin-source"]) if "pin-source" in asked else "")


def _pin_source(value: str) -> str:
    """Return the PIN's file. It may be kept with a login, and read from another folder: so its whole path."""
    path = unquote(value).removeprefix("file:")
    if not path.startswith("/"):
        # Not what it says: it may be the PIN itself.
        hint = "write it from the root: pin-source=file:/PATH"
        raise Malformed("the `pin-source` of this PKCS#11 URI is not the absolute path of a file", hint=hint)
    return path


def _pairs(text: str, separator: str, known: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, text.split(separator)):
        name, _, value = part.partition("=")
        if name == "pin-value":
            hint = "leave it out and you are asked, or name a file: pin-source=file:/PATH"
            raise Malformed("a PIN does not belong into a URI: others see the command line", hint=hint)
        if name not in known or name in found or not _VALUE.fullmatch(value):
            # Only its name: a PIN under a name that is spelt wrongly is still a PIN.
            raise Malformed(f"`{name[:40]}` cannot stand so in this PKCS#11 URI (RFC 7512)", hint=_EXAMPLE)
        found[name] = value
    return found
