"""The report of a drill: one self-contained page in Chinese and English."""

import platform
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from backup.verdict import DrillOutcome
from core.errors import Unavailable

#: What a check is about, for readers of Chinese; by the beginning of its name.
_CHINESE = {
    "isolation": "隔离：没有通往外界的接口与路由",
    "restore": "恢复：文件哈希与清单一致",
    "counts": "数量：与清单及重放一致",
    "evidence root": "证据根：与最后镜像的检查点一致",
    "evidence goes on": "证据链可继续",
    "keys": "密钥：在密码模块中可签名",
    "revocations": "撤销：证据中已撤销者在库中亦已撤销",
    "revoked on a list": "撤销列表：无一遗漏",
    "revocation list": "撤销列表：签名有效，编号前进",
    "OCSP": "在线证书状态",
    "control": "反证：损坏必被发现",
    "drill": "演练本身",
}


def write(path: Path, outcome: DrillOutcome, *, at: str, repository: Path) -> None:
    """Write the page. Raises ``Unavailable`` when the file cannot be written."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
    )
    page = environment.get_template("drill.html").render(
        outcome=outcome,
        rows=[(check, chinese(check["name"])) for check in outcome["checks"]],
        passed=sum(check["ok"] for check in outcome["checks"]),
        at=at,
        repository=str(repository),
        machine=f"{platform.system()} {platform.release()} · Python {platform.python_version()}",
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise Unavailable(f"the report `{path}` cannot be written: {error.strerror}") from error


def chinese(name: str) -> str:
    """Return what a check is about in Chinese."""
    return next((text for start, text in _CHINESE.items() if name.startswith(start)), "")
