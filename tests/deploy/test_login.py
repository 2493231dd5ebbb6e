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


def test_damaged_profile_is_refused(tmp_path: Path) -> None:
    (tmp_path / "login.json").write_text('{"url": 1')
    with pytest.raises(Malformed):
        login.load(tmp_path)


def test_logout_forgets_once(tmp_path: Path) -> None:
    login.save(sample(tmp_path), tmp_path)
    assert [login.forget(tmp_path), login.forget(tmp_path)] == [True, False]
