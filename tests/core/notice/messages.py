"""Messages to send, honest and hostile."""

from dataclasses import replace
from datetime import UTC, datetime

from core.notice import digest
from core.notice.digest import Addressee, Told
from core.notice.message import Message

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
TO = Addressee("czt-head", "财政厅信息主管", "zhou@fin.beichen.example")

HOSTILE = [
    "\r\nBcc: everybody@elsewhere.example\r\n\r\n<h1>",
    'quote " and backslash \\ and bracket ] and [x@1 y="z"]',
    "\u202ereversed\u200bhidden\x00\x1b[31m",
    "题" * 5000,
    "line\u2028separator\u2029paragraph",
    "\ud800 lone surrogate",
    "",
]


def message(title: str = "证书即将到期 · certificate 1 ends", count: int = 1, identifier: str = "ab" * 16) -> Message:
    duties = [Told(f"{number:032x}", "alert", title, NOW, True, NOW) for number in range(count)]
    to = replace(TO, title=f"财政厅信息主管 {title[:200]}")
    return digest.compose(to, duties, NOW, identifier=identifier, urgent=True, site=f"北辰省 {title[:40]}")
