"""Whether the ways out of the building could work: the files that ``[notice]`` names, before anything is sent.

Whether they do work only a message can show: ``guosuo notify test``. What failed is a duty, see ``guosuo status``.
"""

import stat
from pathlib import Path

from core.errors import TrustError
from deploy import settings as site_settings

#: What is examined: the name of the part, whether it is well, what was found, what was expected, the cure.
Examined = tuple[str, bool, str, str, str]

_EXPECTED = "secrets that can be read, by their owner only"


def examine(state: Path) -> list[Examined]:
    """Return one finding for each way out of the site in ``state``; none where there is no site, or nothing leaves."""
    try:
        notice = site_settings.load(state).notice
    except TrustError:
        return []
    ways: dict[str, list[Path | None]] = {}
    if notice.mail is not None:
        ways["mail"] = [notice.mail.password_file]
    if notice.webhook is not None:
        ways["webhook"] = [notice.webhook.secret_file]
    if notice.syslog is not None:
        ways["syslog"] = []
    return [_way(name, [path for path in files if path is not None]) for name, files in ways.items()]


def _way(name: str, secrets: list[Path]) -> Examined:
    wrong = [why for path in secrets if (why := _complaint(path))]
    cure = f"chmod 600 the file that [notice.{name}] names, then guosuo notify test"
    return f"notices: {name}", not wrong, "; ".join(wrong) or "ready to be tested", _EXPECTED, cure if wrong else ""


def _complaint(path: Path) -> str:
    try:
        content, mode = path.read_bytes(), path.stat().st_mode
    except OSError as error:
        return f"{path}: {(error.strerror or 'cannot be read').lower()}"
    if not content.strip():
        return f"{path} is empty"
    return f"{path} can be read by others" if mode & (stat.S_IRGRP | stat.S_IROTH) else ""
