"""The next generation: another key before the present one had its time, and the old tokens stay good."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from core.errors import Conflict
from pki.models import Authority, IssuanceIntent
from pki.tsa import generation
from pki.tsa.renewal import Renewal
from tests.pki.tsa.conftest import NAMES, Tsa, info, openssl, question

DATA = "演练样本\n".encode()


def renew(tsa: Tsa, *, force: bool = False) -> bool:
    parts = {"database": tsa.database, "keys": tsa.signer.client, "clock": tsa.clock}
    return Renewal(**parts, random=secrets.token_bytes, settings=NAMES).run(force=force)


def names(tsa: Tsa) -> list[str]:
    with tsa.database.read() as session:
        return sorted(name for name in session.exec(select(Authority.name)) if name.startswith("tsa"))


def asked(folder: Path) -> bytes:
    (folder / "data").write_bytes(DATA)
    assert openssl("-query", "-data", "data", "-cert", "-out", "q", cwd=folder).returncode == 0
    return (folder / "q").read_bytes()


def test_another_key_takes_over_before_the_present_one_had_its_time(tsa: Tsa, tmp_path: Path) -> None:
    query, authority = asked(tmp_path), tsa.authority()
    (tmp_path / "old").write_bytes(authority.respond(query))
    tsa.clock.advance(days=334)
    assert not renew(tsa)
    tsa.clock.advance(days=2)
    assert renew(tsa)
    assert not renew(tsa)
    assert names(tsa) == ["tsa-1", "tsa-2"]
    # The process that has been answering all the while takes the new one up.
    (tmp_path / "new").write_bytes(authority.respond(query))
    tsa.trust(tmp_path)
    at = str(int(tsa.clock.now().timestamp()))
    for token, number in (("old", 1), ("new", 2)):
        options = ["-data", "data", "-CAfile", "root.pem", "-attime", at]
        assert "OK" in openssl("-verify", "-in", token, *options, cwd=tmp_path).stdout
        printed = openssl("-reply", "-in", token, "-text", cwd=tmp_path).stdout
        assert f"Time-Stamp Authority {number}" in printed
    client = tsa.signer.client
    assert client.get("tsa-1").spki_sha256 != client.get("tsa-2").spki_sha256


def test_a_site_that_had_none_gets_one(sqlite_tsa: Tsa) -> None:
    with sqlite_tsa.database.write() as session:
        session.delete(session.get_one(Authority, "tsa-1"))
    assert renew(sqlite_tsa)
    assert names(sqlite_tsa) == ["tsa-1"]
    assert info(sqlite_tsa.authority().respond(question()))


def test_nothing_is_made_when_the_issuing_authority_ends_first(sqlite_tsa: Tsa) -> None:
    for _ in range(4):
        sqlite_tsa.clock.advance(days=364)
        assert renew(sqlite_tsa)
    with sqlite_tsa.database.read() as session:
        assert generation.current(session, sqlite_tsa.clock.now()).number == 5
    sqlite_tsa.clock.advance(days=350)
    # One more that ends with its issuer; another one after it would end no later.
    assert renew(sqlite_tsa)
    assert not renew(sqlite_tsa)


def test_one_that_was_made_while_the_clock_was_ahead_is_not_used_before_its_time(sqlite_tsa: Tsa) -> None:
    sqlite_tsa.clock.advance(days=350)
    assert renew(sqlite_tsa)
    sqlite_tsa.clock.advance(days=-349)
    with sqlite_tsa.database.read() as session:
        assert generation.current(session, sqlite_tsa.clock.now()).name == "tsa-1"
    assert info(sqlite_tsa.authority().respond(question()))
    assert not renew(sqlite_tsa)


def test_each_generation_has_an_order_of_its_own(sqlite_tsa: Tsa) -> None:
    """A token of a wrong future holds up its own generation only."""
    sqlite_tsa.clock.advance(days=100)
    future = info(sqlite_tsa.authority().respond(question()))["gen_time"].native
    sqlite_tsa.clock.advance(days=-99)
    authority = sqlite_tsa.authority()
    assert authority.standing().trouble == "the clock went back"
    assert not renew(sqlite_tsa)
    assert renew(sqlite_tsa, force=True)
    assert info(authority.respond(question()))["gen_time"].native < future


def test_of_two_at_once_one_is_told(tsa: Tsa) -> None:
    def attempt(_number: int) -> str:
        try:
            return str(renew(tsa, force=True))
        except Conflict as error:
            return error.word

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(attempt, range(2)))
    made = names(tsa)
    assert len(made) == 1 + outcomes.count("True")
    assert set(outcomes) <= {"True", "conflict"}
    with tsa.database.read() as session:
        states = sorted(one.state for one in session.exec(select(IssuanceIntent)) if one.holder.startswith("tsa"))
    assert states == ["issued"] * len(made) + ["open"] * outcomes.count("conflict")


@pytest.mark.parametrize("days", [335, 400])
def test_every_generation_was_intended_before_it_was_signed(sqlite_tsa: Tsa, days: int) -> None:
    sqlite_tsa.clock.advance(days=days)
    assert renew(sqlite_tsa)
    with sqlite_tsa.database.read() as session:
        intents = {one.serial: one.state for one in session.exec(select(IssuanceIntent))}
        assert intents[session.get_one(Authority, "tsa-2").serial] == "issued"
        assert generation.current(session, sqlite_tsa.clock.now()).until > sqlite_tsa.clock.now() + timedelta(days=300)
