"""The secret of the ACME server: keys of bindings and the proof of nonces follow from it."""

import secrets

from core import durable
from core.errors import Unavailable
from deploy.settings import Settings

#: Octets of the secret.
_LENGTH = 32


def prepare(settings: Settings) -> None:
    """Make the secret where there is none: before any process serves, so that all of them have the same."""
    if settings.acme is not None and not settings.acme_secret.exists():
        durable.write(settings.acme_secret, secrets.token_bytes(_LENGTH))


def secret(settings: Settings) -> bytes:
    """Return the secret. Raises ``Unavailable`` when there is none."""
    try:
        found = settings.acme_secret.read_bytes()
    except OSError as error:
        raise Unavailable("the secret of the ACME server cannot be read", hint="start with `guosuo serve`") from error
    if len(found) != _LENGTH:
        raise Unavailable(
            f"`{settings.acme_secret}` is not the secret of an ACME server", hint="restore it, or remove it"
        )
    return found
