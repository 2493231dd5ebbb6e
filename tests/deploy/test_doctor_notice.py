"""The doctor looks at the files of every way out, and sends nothing."""

from pathlib import Path

import pytest

from deploy import doctor_notice
from deploy.settings import ListenSection, RepositorySection, Settings, SiteSection, load, render


@pytest.fixture
def state(tmp_path: Path) -> Path:
    made = Settings(
        state=tmp_path,
        site=SiteSection(name="演练样本", origin="guosuo.example/evidence", store="sqlite://"),
        listen=ListenSection(),
        repository=RepositorySection(path=tmp_path / "repository", recipients=()),
    )
    (tmp_path / "guosuo.toml").write_text(render(made), encoding="utf-8")
    return tmp_path


def configure(state: Path, text: str) -> None:
    with (state / "guosuo.toml").open("a", encoding="utf-8") as file:
        file.write(text)


def test_no_site_and_no_way_out_are_no_finding(state: Path, tmp_path: Path) -> None:
    assert doctor_notice.examine(tmp_path / "nowhere") == []
    assert doctor_notice.examine(state) == []


def test_the_example_in_a_new_site_is_right_once_it_is_uncommented(state: Path) -> None:
    path = state / "guosuo.toml"
    head, _, example = path.read_text(encoding="utf-8").partition("# [notice]")
    path.write_text(head + ("# [notice]" + example).replace("# ", ""), encoding="utf-8")
    mail = load(state, {}).notice.mail
    assert mail is not None
    assert (mail.host, mail.security) == ("relay.example", "starttls")


@pytest.mark.parametrize(
    ("content", "mode", "well", "words"),
    [
        ("x" * 40, 0o600, True, "ready"),
        ("x" * 40, 0o644, False, "read by others"),
        ("", 0o600, False, "empty"),
        (None, 0, False, "no such file"),
    ],
)
def test_a_secret_is_there_and_nobody_elses(
    state: Path, content: str | None, mode: int, well: bool, words: str
) -> None:
    secret = state / "secret"
    if content is not None:
        secret.write_text(content)
        secret.chmod(mode)
    configure(state, f'\n[notice.webhook]\nurl = "https://hooks.example/in"\nsecret_file = "{secret}"\n')
    ((name, ok, found, _expected, cure),) = doctor_notice.examine(state)
    assert (name, ok, words in found, bool(cure)) == ("notices: webhook", well, True, not well)


@pytest.mark.parametrize(
    "text",
    [
        '\n[notice.webhook]\nurl = "http://hooks.example/in"\nsecret_file = "x"\n',
        '\n[notice.mail]\nhost = "relay.example"\nsender = "a@b.example"\nsecurity = "none"\n',
        "\n[notice]\nperiod_hours = 0\n",
        "\n[notice.pigeon]\n",
    ],
)
def test_settings_that_would_leak_refuse_the_site(state: Path, text: str) -> None:
    configure(state, text)
    with pytest.raises(Exception, match="notice"):
        load(state, {})
