from pathlib import Path

import pytest

from core.errors import Malformed, NotFound, Unauthenticated
from deploy import login


def sample(tmp_path: Path) -> login.Login:
    for name in ("cert", "key", "trust"):
        (tmp_path / name).write_text(name)
    return login.Login("https://localhost:8443", *(str(tmp_path / name) for name in ("cert", "key", "trust")))


def test_login_is_kept_for_its_owner_only(tmp_path: Path) -> None:
    login.save(sample(tmp_path), tmp_path / "home")
    assert login.load(tmp_path / "home") == sample(tmp_path)
    assert (tmp_path / "home" / "login.json").stat().st_mode & 0o777 == 0o600


def test_nobody_is_logged_in(tmp_path: Path) -> None:
    with pytest.raises(Unauthenticated) as caught:
        login.load(tmp_path)
    assert "guosuo login" in caught.value.hint


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        login.save(login.Login("https://x", "nowhere", "k", "t"), tmp_path)
    assert not (tmp_path / "login.json").exists()


@pytest.mark.parametrize(
    "content",
    [
        b'{"url": 1',
        b"[1]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"url": 1, "certificate": 2, "key": 3, "trusted": 4}',
        b'{"url": "https://x", "certificate": "c", "key": "k"}',
        b'{"url": "https://x", "certificate": "c", "key": "k", "trusted": "t", "more": ""}',
    ],
)
def test_damaged_profile_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "login.json").write_bytes(content)
    with pytest.raises(Malformed, match="damaged"):
        login.load(tmp_path)
    login.prepare(tmp_path)


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    """And keeps no command from its help: ``prepare`` comes before every one of them."""
    home = tmp_path / "file"
    home.write_text("")
    login.prepare(home)
    for act in (lambda: login.load(home), lambda: login.save(sample(tmp_path), home), lambda: login.forget(home)):
        with pytest.raises(NotFound) as refused:
            act()
        assert "GUOSUO_HOME" in refused.value.hint


def test_logout_forgets_once(tmp_path: Path) -> None:
    login.save(sample(tmp_path), tmp_path)
    assert [login.forget(tmp_path), login.forget(tmp_path)] == [True, False]
