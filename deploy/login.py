"""Who I am on this machine: the profile that ``guosuo login`` keeps, and nothing else (no secret is copied)."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import Malformed, NotFound, TrustError, Unauthenticated
from deploy.card import Card
from deploy.carduri import is_uri
from deploy.privatekey import Key, PrivateKey


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
        if is_uri(kept.key):
            Card(kept.key, folder).reenter()
    except TrustError:
        # Said by the command that needs the login; `logout` and `login` mend it, and need none.
        return


def save(login: Login, folder: Path) -> None:
    """Keep ``login``, readable by its owner only. Raises ``NotFound`` when one of its files is missing."""
    for path in (login.certificate, login.key, login.trusted):
        if not is_uri(path) and not Path(path).is_file():
            raise NotFound(f"there is no file `{path}`")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / "login.json"
    temporary = target.with_suffix(".new")
    temporary.write_text(json.dumps(asdict(login), indent=2) + "\n", encoding="utf-8")
    temporary.chmod(0o600)
    temporary.replace(target)


def load(folder: Path) -> Login:
    """Return the kept profile. Raises ``Unauthenticated`` or ``Malformed``."""
    try:
        content = json.loads((folder / "login.json").read_text(encoding="utf-8"))
        return Login(**content)
    except FileNotFoundError as error:
        hint = "`guosuo login URL --cert FILE --key FILE --trust FILE`"
        raise Unauthenticated("nobody is logged in on this machine", hint=hint) from error
    except (json.JSONDecodeError, TypeError) as error:
        raise Malformed(f"`{folder / 'login.json'}` is damaged", hint="log in again") from error


def forget(folder: Path) -> bool:
    """Remove the profile; say whether there was one."""
    target = folder / "login.json"
    existed = target.exists()
    target.unlink(missing_ok=True)
    return existed
