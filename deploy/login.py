"""Who I am on this machine: the profile that ``guosuo login`` keeps, and nothing else (no secret is copied)."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from core import durable
from core.errors import Malformed, NotFound, TrustError, Unauthenticated
from deploy.card import Card
from deploy.carduri import is_uri
from deploy.privatekey import Key, PrivateKey

_ELSEWHERE = "the folder is `$GUOSUO_HOME`, or `~/.config/guosuo`: it has to be yours"


@dataclass(frozen=True, slots=True)
class Login:
    """Where the service is, and the files of my certificate (with chain), my key and the trusted root (all PEM).

    ``key`` may be a PKCS#11 URI instead of a file.
    """

    url: str
    certificate: str
    key: str
    trusted: str


def home(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the profile: ``GUOSUO_HOME``, else ``~/.config/guosuo``."""
    given = environment.get("GUOSUO_HOME")
    return Path(given) if given else Path.home() / ".config" / "guosuo"


def key_of(login: Login, folder: Path | None = None) -> Key:
    """Return the login's key, in a file or on a token. Raises ``NotFound``, ``Malformed``."""
    if is_uri(login.key):
        return Card(login.key, folder or home(), Path(login.certificate))
    return PrivateKey(Path(login.key))


def prepare(folder: Path) -> None:
    """Begin the program again when the login of ``folder`` needs a token: OpenSSL must know it from the beginning."""
    try:
        kept = load(folder)
        if not is_uri(kept.key):
            return
        card = Card(kept.key, folder)
        # `login` with another token began the program again already: both of them would, for ever.
        if not card.is_entered():
            card.reenter()
    except TrustError:
        # Said by the command that needs the login; `logout` and `login` mend it, and need none.
        return


def save(login: Login, folder: Path) -> None:
    """Keep ``login``, readable by its owner only. Raises ``NotFound`` when a file is missing, or none can be kept."""
    for path in (login.certificate, login.key, login.trusted):
        if not is_uri(path) and not Path(path).is_file():
            raise NotFound(f"there is no file `{path}`")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        durable.write(folder / "login.json", f"{json.dumps(asdict(login), indent=2)}\n".encode())
    except OSError as error:
        raise NotFound(f"nothing can be kept in `{folder}`: {_said(error)}", hint=_ELSEWHERE) from error


def load(folder: Path) -> Login:
    """Return the kept profile. Raises ``Unauthenticated``, ``NotFound`` or ``Malformed``."""
    target = folder / "login.json"
    try:
        content = json.loads(target.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        hint = "`guosuo login URL --cert FILE --key FILE --trust FILE`"
        raise Unauthenticated("nobody is logged in on this machine", hint=hint) from error
    except OSError as error:
        raise NotFound(f"`{target}` cannot be read: {_said(error)}", hint=_ELSEWHERE) from error
    except (ValueError, RecursionError) as error:
        raise Malformed(f"`{target}` is damaged", hint="log in again") from error
    names = {one.name for one in fields(Login)}
    if (
        not isinstance(content, dict)
        or set(content) != names
        or not all(isinstance(one, str) for one in content.values())
    ):
        raise Malformed(f"`{target}` is damaged", hint="log in again")
    return Login(**content)


def forget(folder: Path) -> bool:
    """Remove the profile; say whether there was one. Raises ``NotFound`` when it cannot be removed."""
    try:
        (folder / "login.json").unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise NotFound(f"`{folder / 'login.json'}` cannot be removed: {_said(error)}", hint=_ELSEWHERE) from error
    return True


def _said(error: OSError) -> str:
    return (error.strerror or "").lower()
