"""The recovery identity: made once, readable by its owner alone, and nothing else passes for one."""

from pathlib import Path

import pyrage
import pytest

from backup.errors import BadIdentity
from backup.identity import load_identity, make_identity, parse_recipients
from core.errors import NotFound


def test_is_made_once_and_opens_what_is_encrypted_to_it(tmp_path: Path) -> None:
    path = tmp_path / "kept" / "recovery.age"
    recipient = make_identity(path)
    content = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o400
    assert make_identity(path) == recipient
    assert path.read_bytes() == content
    sealed = pyrage.encrypt("过所".encode(), parse_recipients((recipient,)))
    assert pyrage.decrypt(sealed, [load_identity(path)]).decode() == "过所"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"# only a comment\n",
        b"AGE-SECRET-KEY-1QQQQ\n",
        b"age1not-a-secret-key\n",
        b"\xff\xfe\x00",
        b"x" * 20_000,
        b"AGE-SECRET-KEY-1A\nAGE-SECRET-KEY-1B\n",
    ],
)
def test_anything_else_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "recovery.age"
    path.write_bytes(content)
    for act in (load_identity, make_identity):
        with pytest.raises(BadIdentity, match="is no recovery identity"):
            act(path)
    assert path.read_bytes() == content


def test_a_missing_or_unreadable_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"there is no recovery identity .*gone\.age"):
        load_identity(tmp_path / "gone.age")
    with pytest.raises(BadIdentity, match="cannot be read"):
        load_identity(tmp_path)


def test_a_wrong_recipient_is_named() -> None:
    with pytest.raises(BadIdentity, match="`age1nobody` is no recipient"):
        parse_recipients(("age1nobody",))
