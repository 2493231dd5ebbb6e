"""Make the token: folders, random PINs in files that only their owner can read, and the token itself. Idempotent."""

import shutil
from collections.abc import Callable

from core import durable
from hsm.module import Module
from hsm.settings import HsmSettings

#: Octets of randomness in a PIN; it is written as twice as many hexadecimal digits.
_PIN_OCTETS = 16


def initialise(settings: HsmSettings, random: Callable[[int], bytes]) -> None:
    """Make the token of ``settings`` unless it is there.

    In a child process of its own when called by a program that forks later: the library stays loaded.
    """
    for folder in (settings.state, settings.tokens, settings.token_copy, settings.user_pin_file.parent):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    settings.socket.parent.mkdir(exist_ok=True, mode=0o700)
    durable.write(settings.configuration, _configuration(settings).encode())
    for path in (settings.user_pin_file, settings.so_pin_file):
        if not path.exists():
            durable.write(path, random(_PIN_OCTETS).hex().encode(), mode=0o400)
    # A crash here leaves PINs without a token: the next run makes the token with them.
    if settings.inventory.exists():
        return
    _clear_unfinished(settings)
    module = Module(settings.module, settings.configuration)
    module.initialise()
    module.make_token(
        settings.token_label,
        so_pin=settings.so_pin_file.read_text(encoding="ascii"),
        user_pin=settings.user_pin_file.read_text(encoding="ascii"),
    )
    module.finalise()
    # A crash here leaves a token without an inventory: the next run removes it, since it cannot hold a key of ours.
    durable.write(settings.inventory, b"[]")


def _clear_unfinished(settings: HsmSettings) -> None:
    """Remove a token that was begun and never finished: without an inventory no key in it was ever used."""
    for folder in settings.tokens.iterdir():
        shutil.rmtree(folder)


def _configuration(settings: HsmSettings) -> str:
    # reset_on_fork: a forked child must not inherit a session that is logged in.
    return (
        f"directories.tokendir = {settings.tokens.resolve()}\n"
        "objectstore.backend = file\n"
        "log.level = ERROR\n"
        "slots.removable = false\n"
        "library.reset_on_fork = true\n"
    )
