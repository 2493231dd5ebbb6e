"""The authority over a real token and both stores: records, order, clocks, faults, and who may ask how often."""

import hashlib
import itertools
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from cryptography import x509
from sqlmodel import Session, col, select

from core.ledger.models import EvidenceRow
from hsm.client import SignerClient
from hsm.models import KeyPurpose
from pki.errors import NotEstablished
from pki.models import Authority
from pki.tsa import generation
from pki.tsa.admission import Admission
from pki.tsa.kernel import KernelSynchrony
from pki.tsa.models import TimeStamp
from pki.tsa.settings import TsaSettings
from tests.failing import FailingDatabase, Failure
from tests.pki.tsa.conftest import Tsa, answer, failure, info, question
from tests.services.http import serving

KIND = {"Content-Type": "application/timestamp-query"}


def records(session: Session) -> list[EvidenceRow]:
    stamped = select(EvidenceRow).where(col(EvidenceRow.type).startswith("pki.timestamp."))
    return list(session.exec(stamped.order_by(col(EvidenceRow.row))))


def said(tsa: Tsa) -> list[str]:
    with tsa.database.read() as session:
        return [row.type.rpartition(".")[2] for row in records(session)]


def test_a_token_is_on_record_before_anybody_has_it(tsa: Tsa) -> None:
    content = tsa.authority().respond(question(b"h" * 48, "sha384", nonce=77, cert_req=True))
    told = info(content)
    token = answer(content)["time_stamp_token"]
    attributes = token["content"]["signer_infos"][0]["signed_attrs"].untag().dump()
    with tsa.database.read() as session:
        (row,) = session.exec(select(TimeStamp)).all()
        first, second = records(session)
    assert int(row.serial, 16) == told["serial_number"].native
    assert (row.state, row.token_sha256) == ("granted", hashlib.sha256(token.dump()).hexdigest())
    assert row.attributes_sha256 == hashlib.sha256(attributes).hexdigest()
    assert (row.at, row.imprint, row.algorithm) == (told["gen_time"].native, (b"h" * 48).hex(), "sha384")
    assert (first.type, second.type) == ("pki.timestamp.intended", "pki.timestamp.granted")
    assert first.object == second.object == f"timestamp:{row.serial}"
    details = json.loads(first.content)["details"]
    assert details == {
        "authority": "tsa-1",
        "at": "2026-11-20T08:00:00.000Z",
        "policy": tsa.settings.policy,
        "algorithm": "sha384",
        "imprint": row.imprint,
        "attributes_sha256": row.attributes_sha256,
    }
    assert json.loads(second.content)["details"] == {"token_sha256": row.token_sha256}


def test_certificates_go_with_the_token_when_they_are_asked_for(sqlite_tsa: Tsa) -> None:
    for wanted in (True, False):
        content = sqlite_tsa.authority().respond(question(cert_req=wanted))
        data = answer(content)["time_stamp_token"]["content"]
        with sqlite_tsa.database.read() as session:
            ours = {session.get_one(Authority, name).der for name in ("tsa-1", "issuing")}
        shown = {bytes(one.chosen.dump()) for one in data["certificates"]} if wanted else set()
        assert shown == (ours if wanted else set())
        assert (data["certificates"].native is None) is not wanted
        # The signer is named by the hash of its certificate, and by issuer and number (RFC 5035).
        attributes = {one["type"].native: one["values"][0] for one in data["signer_infos"][0]["signed_attrs"]}
        (named,) = attributes["signing_certificate_v2"]["certs"]
        assert named["hash_algorithm"]["algorithm"].native == "sha256"
        assert named["cert_hash"].native in {hashlib.sha256(der).digest() for der in ours}
        assert int(generation_of(sqlite_tsa).serial, 16) == named["issuer_serial"]["serial_number"].native


def generation_of(tsa: Tsa, name: str = "tsa-1") -> Authority:
    with tsa.database.read() as session:
        return session.get_one(Authority, name)


def test_nonce_and_certificates_are_as_asked(sqlite_tsa: Tsa) -> None:
    for nonce in (None, 0, -5, 2**500):
        fields = {} if nonce is None else {"nonce": nonce}
        assert info(sqlite_tsa.authority().respond(question(**fields)))["nonce"].native == nonce


@pytest.mark.parametrize(("milliseconds", "told"), [(0, "Z"), (100, ".1Z"), (230, ".23Z"), (7, ".007Z")])
def test_the_fraction_of_the_time_has_no_zero_at_its_end(sqlite_tsa: Tsa, milliseconds: int, told: str) -> None:
    sqlite_tsa.clock.advance(milliseconds=milliseconds)
    stamped = info(sqlite_tsa.authority().respond(question()))
    assert stamped["gen_time"].contents == b"20261120080000" + told.encode()


def test_accuracy_and_order_are_told(sqlite_tsa: Tsa) -> None:
    for asked, seconds, millis in ((1_000, 1, None), (250, None, 250), (1_500, 1, 500)):
        authority = sqlite_tsa.authority(settings=TsaSettings(accuracy_ms=asked))
        told = info(authority.respond(question()))
        assert (told["accuracy"]["seconds"].native, told["accuracy"]["millis"].native) == (seconds, millis)
        assert told["ordering"].native is True


def test_another_policy_is_not_accepted(sqlite_tsa: Tsa) -> None:
    assert failure(sqlite_tsa.authority().respond(question(req_policy="2.999.3161.2"))) == "unaccepted_policy"
    other = sqlite_tsa.authority(settings=TsaSettings(policy="2.999.3161.2"))
    assert info(other.respond(question(req_policy="2.999.3161.2")))["policy"].native == "2.999.3161.2"
    assert said(sqlite_tsa) == ["intended", "granted"]


def test_many_at_once_have_serials_and_times_of_their_own(tsa: Tsa) -> None:
    authorities = [tsa.authority(), tsa.authority()]
    with ThreadPoolExecutor(6) as pool:
        tokens = list(pool.map(lambda n: info(authorities[n % 2].respond(question(nonce=n))), range(24)))
    assert len({one["serial_number"].native for one in tokens}) == 24
    times = sorted(one["gen_time"].native for one in tokens)
    assert len(set(times)) == 24
    assert times[-1] - tsa.clock.now() < tsa.settings.accuracy
    with tsa.database.read() as session:
        # On record in the order of their times: who came later has a later time.
        recorded = [json.loads(row.content)["details"].get("at") for row in records(session)]
    assert [at for at in recorded if at] == sorted(at for at in recorded if at)


class Machine:
    """A clock that is put forward and back."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment


def test_a_clock_that_goes_back_gives_no_time(tsa: Tsa) -> None:
    machine = Machine(tsa.clock.now() + timedelta(hours=1))
    authority = tsa.authority(clock=machine)
    newest = info(authority.respond(question()))["gen_time"].native
    # Within the accuracy that is promised the tokens stay in order; two machines are never quite the same.
    machine.moment = newest - timedelta(milliseconds=900)
    assert info(authority.respond(question()))["gen_time"].native == newest + timedelta(milliseconds=1)
    machine.moment = newest - timedelta(milliseconds=1_500)
    for _ in range(3):
        assert failure(authority.respond(question())) == "time_not_available"
    assert authority.standing().trouble == "the clock went back"
    # Told once, however often it is asked; and nothing else was left behind.
    assert said(tsa) == ["intended", "granted"] * 2 + ["withheld"]
    machine.moment = newest + timedelta(milliseconds=5)
    assert info(authority.respond(question()))["gen_time"].native == machine.moment
    assert authority.standing().trouble == ""


def test_a_new_process_remembers_the_newest_time(sqlite_tsa: Tsa) -> None:
    newest = info(sqlite_tsa.authority().respond(question()))["gen_time"].native
    back = Machine(newest - timedelta(minutes=5))
    assert failure(sqlite_tsa.authority(clock=back).respond(question())) == "time_not_available"


def test_a_clock_before_the_certificate_gives_no_time(sqlite_tsa: Tsa) -> None:
    early = Machine(sqlite_tsa.clock.now() - timedelta(days=2))
    assert failure(sqlite_tsa.authority(clock=early).respond(question())) == "time_not_available"


def test_a_clock_that_nobody_keeps_gives_no_time_where_that_is_demanded(sqlite_tsa: Tsa) -> None:
    strict = sqlite_tsa.authority(settings=TsaSettings(synchronised=True))
    assert info(strict.respond(question()))
    sqlite_tsa.synchrony.kept = False
    assert failure(strict.respond(question())) == "time_not_available"
    assert strict.standing().trouble == "the clock is not known to be right"
    assert info(sqlite_tsa.authority().respond(question()))


def test_the_kernel_is_asked_and_not_changed() -> None:
    kernel = KernelSynchrony()
    # Whether this machine's clock is kept is not for a test to say; that nothing is within no time at all is.
    assert kernel.is_kept(timedelta(0)) is False
    assert kernel.is_kept(timedelta(days=1)) in (True, False)


def test_a_key_that_had_its_time_signs_nothing(sqlite_tsa: Tsa) -> None:
    late = Machine(sqlite_tsa.clock.now() + timedelta(days=366))
    assert failure(sqlite_tsa.authority(clock=late).respond(question())) == "system_failure"
    assert said(sqlite_tsa) == []


def test_without_the_chain_its_certificates_cannot_be_had(sqlite_tsa: Tsa) -> None:
    with sqlite_tsa.database.write() as session:
        session.delete(session.get_one(Authority, "issuing"))
    assert failure(sqlite_tsa.authority().respond(question(cert_req=True))) == "add_info_not_available"
    assert info(sqlite_tsa.authority().respond(question()))


def test_before_there_is_an_authority(sqlite_tsa: Tsa) -> None:
    with sqlite_tsa.database.write() as session:
        session.delete(session.get_one(Authority, "tsa-1"))
    assert failure(sqlite_tsa.authority().respond(question())) == "system_failure"
    with pytest.raises(NotEstablished):
        sqlite_tsa.authority().standing()


def test_without_a_signer_nothing_is_handed_out(sqlite_tsa: Tsa, tmp_path_factory: pytest.TempPathFactory) -> None:
    authority = sqlite_tsa.authority()
    authority._keys = SignerClient(tmp_path_factory.mktemp("gone") / "no.sock")
    assert failure(authority.respond(question())) == "system_failure"
    assert said(sqlite_tsa) == ["intended"]
    with sqlite_tsa.database.read() as session:
        assert [row.state for row in session.exec(select(TimeStamp))] == ["open"]


@pytest.mark.parametrize("how", list(Failure))
@pytest.mark.parametrize("nth", [1, 2])
def test_a_store_that_fails_hands_nothing_out(tsa: Tsa, store_url: str, how: Failure, nth: int) -> None:
    database = FailingDatabase(store_url)
    authority = tsa.authority(database=database)
    database.arm(nth, how)
    assert failure(authority.respond(question())) == "system_failure"
    before = [] if (nth, how) == (1, Failure.NOT_APPLIED) else ["intended"]
    before += ["granted"] if (nth, how) == (2, Failure.APPLIED) else []
    assert said(tsa) == before
    # It goes on, with another number and a later time.
    assert info(authority.respond(question()))
    with tsa.database.read() as session:
        times = session.exec(select(TimeStamp.at).order_by(col(TimeStamp.at))).all()
    assert all(one < other for one, other in itertools.pairwise(times))
    database.close()


def test_the_key_has_a_purpose_and_a_period_of_its_own(sqlite_tsa: Tsa) -> None:
    with sqlite_tsa.database.read() as session:
        made = generation.current(session, sqlite_tsa.clock.now())
        issuing = x509.load_der_x509_certificate(session.get_one(Authority, "issuing").der)
    assert sqlite_tsa.signer.client.get(made.key).purpose is KeyPurpose.TSA
    assert made.until - sqlite_tsa.clock.now() == timedelta(days=365) - timedelta(seconds=1)
    assert made.certificate.not_valid_after_utc == issuing.not_valid_after_utc
    made.certificate.verify_directly_issued_by(issuing)


def post(url: str, content: bytes, headers: dict[str, str] | None = None) -> httpx2.Response:
    return httpx2.post(f"{url}/tsa", content=content, headers=KIND if headers is None else headers)


@pytest.mark.parametrize("content", [b"", b"\x00", b"\x30\x84\xff\xff\xff\xff", bytes(5_000), bytes(200_000)])
def test_whatever_is_sent_gets_an_answer_of_the_protocol(url: str, content: bytes) -> None:
    got = post(url, content)
    assert (got.status_code, got.headers["content-type"]) == (200, "application/timestamp-reply")
    assert failure(got.content) == ("bad_request" if len(content) > 4_096 else "bad_data_format")


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "application/timestamp-reply", ""])
def test_another_media_type_is_none_of_its_own(url: str, kind: str) -> None:
    got = post(url, question(), {"Content-Type": kind})
    assert (got.status_code, got.headers["content-type"]) == (415, "application/problem+json")


def test_the_media_type_may_have_parameters_and_capitals(url: str) -> None:
    assert info(post(url, question(), {"Content-Type": "Application/Timestamp-Query; x=1"}).content)


def test_only_post_is_answered_and_nothing_endless(url: str) -> None:
    assert httpx2.get(f"{url}/tsa").status_code == 405
    assert post(url, bytes(9 * 2**20)).status_code == 413


def test_nobody_has_as_many_as_they_like(sqlite_tsa: Tsa) -> None:
    with serving(sqlite_tsa.application(per_minute=15)) as url:
        statuses = [post(url, question()).status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        sqlite_tsa.clock.advance(seconds=25)
        assert post(url, question()).status_code == 200
    assert said(sqlite_tsa).count("granted") == 4


def test_all_together_have_their_bound_and_one_address_cannot_use_it_up(sqlite_tsa: Tsa) -> None:
    admission = Admission(clock=sqlite_tsa.clock, per_minute=10)
    assert [admission.admits("a") for _ in range(9)] == [True, True] + [False] * 7
    others: Sequence[bool] = [admission.admits(name) for name in "bcdefghij"]
    assert others == [True] * 8 + [False]


@pytest.mark.parametrize("wrong", ["", "1", "a.b", "2.999.-1", "9.9.9", "1.40.1"])
def test_a_policy_is_an_object_identifier(wrong: str) -> None:
    with pytest.raises(ValueError):
        TsaSettings(policy=wrong)


def test_times_are_in_utc(sqlite_tsa: Tsa) -> None:
    assert info(sqlite_tsa.authority().respond(question()))["gen_time"].native.tzinfo == UTC
