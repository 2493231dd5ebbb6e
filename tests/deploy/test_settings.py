from pathlib import Path

import pytest

from core.errors import Malformed, NotFound
from core.notice.settings import MailSettings, NoticeSettings, SyslogSettings
from deploy.settings import (
    AcmeSection,
    EvidenceSection,
    ListenSection,
    RepositorySection,
    Settings,
    SiteSection,
    TimestampSection,
    WitnessSection,
    load,
    render,
)
from pki.tsa.settings import TsaSettings


def sample(state: Path) -> Settings:
    return Settings(
        state=state,
        site=SiteSection(name="北辰省", origin="beichen.example/evidence", store=f"sqlite:///{state}/s.sqlite3"),
        listen=ListenSection(addresses=("127.0.0.1", "10.90.0.10")),
        repository=RepositorySection(path=state / "repository", recipients=("age1example",)),
    )


def test_what_was_printed_is_read_again(tmp_path: Path) -> None:
    settings = sample(tmp_path)
    (tmp_path / "guosuo.toml").write_text(render(settings), encoding="utf-8")
    assert load(tmp_path, {}) == settings


def test_every_section_is_printed_and_read_again(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    said = sample(tmp_path).model_copy(
        update={
            "site": SiteSection(name='北辰省 "演练" \\ 样本', origin="beichen.example/evidence", store="sqlite:///s"),
            "evidence": EvidenceSection(fast=("outer-public",)),
            "witness": WitnessSection(
                name="beichen.example/w1", logs=("a+00000000+AAAA",), policy=tmp_path / "w.policy"
            ),
            "timestamp": TimestampSection(urls=("http://127.0.0.1:3161/",), roots=secret, every_minutes=5),
            "tsa": TsaSettings(policy="2.999.1", accuracy_ms=500, synchronised=True),
            "notice": NoticeSettings(
                period_hours=12,
                mail=MailSettings(
                    host="relay.example", sender="guosuo@site.example", user="u", password_file=tmp_path / "p"
                ),
                syslog=SyslogSettings(host="log.example"),
            ),
            "acme": AcmeSection(port=8445, resolvers=("10.90.0.53",)),
        }
    )
    # Nobody may add a section that a restore would then drop.
    assert said.model_fields_set == set(Settings.model_fields)
    (tmp_path / "guosuo.toml").write_text(render(said), encoding="utf-8")
    assert load(tmp_path, {}) == said


def test_missing_site_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        load(tmp_path / "nowhere", {})
    assert "guosuo init" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (("port = 8443", "port = 0"), "listen.port"),
        (("[site]", "[site]\nsurprise = 1"), "site.surprise"),
        (('origin = "beichen.example/evidence"', 'origin = "Not An Origin"'), "site.origin"),
    ],
)
def test_wrong_value_is_named(tmp_path: Path, change: tuple[str, str], place: str) -> None:
    text = render(sample(tmp_path)).replace(*change)
    (tmp_path / "guosuo.toml").write_text(text, encoding="utf-8")
    with pytest.raises(Malformed, match=place):
        load(tmp_path, {})


def test_broken_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "guosuo.toml").write_bytes(b"[site\n\xff")
    with pytest.raises(Malformed):
        load(tmp_path, {})


def test_witnesses_and_time_stamps_are_configured_by_two_sections(tmp_path: Path) -> None:
    text = (
        render(sample(tmp_path))
        + """
[witness]
name = "beichen.example/w1"
logs = ["nanling.example/evidence+00000000+AAAA"]
policy = "witness.policy"
every_seconds = 5

[timestamp]
urls = ["http://tsa.example/"]
roots = "tsa.pem"
every_minutes = 30
"""
    )
    (tmp_path / "guosuo.toml").write_text(text, encoding="utf-8")
    found = load(tmp_path, {})
    assert (found.witness.name, found.witness.policy, found.witness.every_seconds) == (
        "beichen.example/w1",
        Path("witness.policy"),
        5,
    )
    assert (found.timestamp.urls, found.timestamp.every_minutes) == (("http://tsa.example/",), 30)
    for old, new in (("every_seconds = 5", "every_seconds = 0"), ('name = "b', 'name = "a b'), ("urls =", "url =")):
        (tmp_path / "guosuo.toml").write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(Malformed, match=r"witness|timestamp"):
            load(tmp_path, {})
