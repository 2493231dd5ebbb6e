"""The secret of the installation that initial secrets of machines follow from."""

import secrets

from core import durable
from core.errors import Unavailable
from deploy.settings import Settings

#: Octets of the secret.
_LENGTH = 32


def prepare(settings: Settings) -> None:
    """Make the secret where there is none: before any process serves, so that all of them have the same."""
    if not settings.device_secret.exists():
        durable.write(settings.device_secret, secrets.token_bytes(_LENGTH))


def secret(settings: Settings) -> bytes:
    """Return the secret. Raises ``Unavailable`` when there is none."""
    try:
        found = settings.device_secret.read_bytes()
    except OSError as error:
        raise Unavailable("the secret for machines cannot be read", hint="start with `guosuo serve`") from error
    if len(found) != _LENGTH:
        raise Unavailable(f"`{settings.device_secret}` is not the secret for machines", hint="restore it, or remove it")
    return found
