"""Every durable write of the authorities fails in both ways, on both stores; what must be left is said here.

``store`` cases count the write transactions of the act; ``signer`` cases lose the request to sign or its answer.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from sqlmodel import select

from core.errors import Unavailable
from core.identity import Serial
from core.ledger.models import LedgerCheckpoint
from core.registry import credential
from pki import issuer, revocation, revocation_api
from pki.models import Authority, CrlPublication, IssuanceIntent, Revocation
from pki.ocsp import issuer_hashes
from tests.crash.invariant import check
from tests.crash.parts import Parts
from tests.crash.site import Site, StoreMaker, Token
from tests.failing import FailingDatabase, FailingWriter, Failure, failing_insert
from tests.services.relay import Loss

BOTH = list(Failure)


class Broken:
    """The site, and parts over a store that can be broken."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.database = FailingDatabase(site.url)
        self.parts = Parts(site.place, self.database)
        self.signed = len(site.relay.signings)

    def fails(self, act: Callable[[], object], nth: int = 0, how: Failure = Failure.NOT_APPLIED) -> None:
        """Act with the ``nth`` write broken; it must be said that something does not answer."""
        self.database.arm(nth, how)
        with pytest.raises(Unavailable):
            act()
        assert self.database.writes >= nth, "the act has fewer writes"
        self.database.arm(0, how)
        self.site.relay.heal()

    def signings(self, label: str) -> int:
        """How many requests to sign with ``label`` reached the signer."""
        return sum(one.label == label for one in self.site.relay.signings[self.signed :])

    def intents(self) -> list[str]:
        """The states of the intentions that were recorded since the beginning, for certificates of people."""
        with self.site.parts.database.read() as session:
            known = select(IssuanceIntent).where(IssuanceIntent.actor == "zhao-ra", IssuanceIntent.holder == "li-wen")
            return sorted(intent.state for intent in session.exec(known))

    def settle(self) -> None:
        self.site.settle()
        check(self.site)


@pytest.fixture
def broken(site: Site) -> Iterator[Broken]:
    made = Broken(site)
    yield made
    made.parts.close()


def test_intention_that_was_not_recorded_uses_no_key(broken: Broken) -> None:
    broken.fails(broken.parts.issue, 1, Failure.NOT_APPLIED)
    assert (broken.intents(), broken.signings("issuing-ca")) == ([], 0)
    broken.settle()


def test_intention_that_seemed_to_fail_is_given_up(broken: Broken) -> None:
    broken.fails(broken.parts.issue, 1, Failure.APPLIED)
    assert (broken.intents(), broken.signings("issuing-ca")) == (["open"], 0)
    broken.settle()
    assert broken.intents() == ["abandoned"]


@pytest.mark.parametrize(("loss", "reached"), [(Loss.REQUEST, 0), (Loss.ANSWER, 2)])
def test_lost_signature_is_given_up_and_revoked(broken: Broken, loss: Loss, reached: int) -> None:
    """The client asks twice; whether anything was signed, nobody can tell, so the serial number is revoked."""
    broken.site.relay.lose("issuing-ca", loss)
    broken.fails(broken.parts.issue)
    assert (broken.intents(), broken.signings("issuing-ca")) == (["open"], reached)
    broken.settle()
    assert broken.intents() == ["abandoned"]


def test_outcome_that_was_not_recorded_is_given_up_and_revoked(broken: Broken) -> None:
    broken.fails(broken.parts.issue, 2, Failure.NOT_APPLIED)
    assert (broken.intents(), broken.signings("issuing-ca")) == (["open"], 1)
    broken.settle()
    assert broken.intents() == ["abandoned"]


def test_outcome_that_seemed_to_fail_is_a_certificate_that_can_be_revoked(broken: Broken) -> None:
    broken.fails(broken.parts.issue, 2, Failure.APPLIED)
    assert broken.intents() == ["issued"]
    broken.settle()
    with broken.site.parts.database.write() as session:
        (held,) = credential.held_by(session, "person", "li-wen")
        serial = Serial(held.serial)
        revocation.revoke(session, serial, reason="superseded", actor="lu-security", at=broken.site.parts.clock.now())
    broken.site.acknowledged.append(("revoked", serial))
    broken.settle()


def revoke(broken: Broken, serial: str, principal: object) -> object:
    parts = broken.parts
    body = revocation_api.RevocationRequest(reason="key-compromise")
    return revocation_api.revoke(serial, body, principal, parts.database, parts.clock)  # type: ignore[arg-type]  # tests pass real ones


@pytest.mark.parametrize("how", BOTH)
def test_revocation_is_in_force_or_it_is_not(broken: Broken, how: Failure) -> None:
    issued, officer = broken.parts.issue(), broken.parts.issue("sun-yue")
    principal = broken.parts.authenticator.authenticate(officer.der)
    broken.fails(lambda: revoke(broken, issued.serial, principal), 1, how)
    with broken.site.parts.database.read() as session:
        state = credential.get(session, issued.serial).state
        assert (state, session.get(Revocation, issued.serial) is not None) == (
            ("good", False) if how is Failure.NOT_APPLIED else ("revoked", True)
        )
    broken.settle()


@pytest.mark.parametrize("how", BOTH)
def test_hold_and_release_are_in_force_or_they_are_not(broken: Broken, how: Failure) -> None:
    issued, officer = broken.parts.issue(), broken.parts.issue("sun-yue")
    principal, parts = broken.parts.authenticator.authenticate(officer.der), broken.parts
    body = revocation_api.HoldRequest(until=parts.clock.now() + timedelta(days=3), message="演练样本")
    acts = [
        (lambda: revocation_api.hold(issued.serial, body, principal, parts.database, parts.clock), "good", "held"),
        (lambda: revocation_api.release(issued.serial, principal, parts.database, parts.clock), "held", "good"),
    ]
    for act, before, after in acts:
        broken.fails(act, 1, how)
        expected = before if how is Failure.NOT_APPLIED else after
        with broken.site.parts.database.read() as session:
            assert credential.get(session, issued.serial).state == expected
        broken.settle()
        if how is Failure.NOT_APPLIED:
            with parts.database.write() as session:
                at = parts.clock.now()
                if after == "held":
                    revocation.hold(session, issued.serial, until=body.until, message="", actor="x", at=at)


def test_revocation_is_told_as_done_while_its_list_cannot_be_signed(broken: Broken) -> None:
    issued, officer = broken.parts.issue(), broken.parts.issue("sun-yue")
    principal = broken.parts.authenticator.authenticate(officer.der)
    broken.site.relay.lose("issuing-ca", Loss.REQUEST)
    answer = revoke(broken, issued.serial, principal)
    broken.site.relay.heal()
    assert isinstance(answer, revocation_api.Revoked)
    assert (answer.crl_numbers, answer.published) == ([], False)
    broken.site.acknowledged += [("revoked", issued.serial), ("recorded", answer.record)]
    broken.settle()


@pytest.mark.parametrize(
    ("nth", "how", "numbers", "published"),
    [
        (1, Failure.NOT_APPLIED, 0, 0),
        (1, Failure.APPLIED, 1, 0),
        (2, Failure.NOT_APPLIED, 1, 0),
        (2, Failure.APPLIED, 1, 1),
    ],
)
def test_list_number_is_never_used_again(broken: Broken, nth: int, how: Failure, numbers: int, published: int) -> None:
    before = lists(broken)
    broken.fails(lambda: broken.parts.publisher.refresh(force=True), nth, how)
    after = lists(broken)
    assert len(after) - len(before) == numbers
    assert sum(after.values()) - len(before) == published
    broken.parts.publisher.refresh(force=True)
    assert max(number for name, number in lists(broken) if name == "root") == 2 + numbers
    broken.settle()


@pytest.mark.parametrize("loss", list(Loss))
def test_list_whose_signature_is_lost_takes_another_number(broken: Broken, loss: Loss) -> None:
    broken.site.relay.lose("issuing-ca", loss)
    broken.fails(lambda: broken.parts.publisher.refresh(force=True))
    assert lists(broken)["issuing", 2] is False
    assert broken.parts.publisher.refresh(force=True) == [3, 3]
    broken.settle()


def lists(broken: Broken) -> dict[tuple[str, int], bool]:
    """Which numbers were taken, and whether anything was published under each."""
    with broken.site.parts.database.read() as session:
        rows = session.exec(select(CrlPublication)).all()
        return {(row.issuer, row.number): row.published_at is not None for row in rows}


@pytest.mark.parametrize("loss", list(Loss))
def test_responder_without_signer_says_try_later(broken: Broken, loss: Loss) -> None:
    issued = broken.parts.issue()
    with broken.site.parts.database.read() as session:
        name, key = issuer_hashes(issuer.load(session, "issuing", broken.parts.keys).certificate, hashes.SHA256())
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(name, key, int(issued.serial, 16), hashes.SHA256())
    question = builder.build().public_bytes(Encoding.DER)
    broken.site.relay.lose("ocsp", loss)
    answer = ocsp.load_der_ocsp_response(broken.parts.responder.respond(question))
    assert answer.response_status is ocsp.OCSPResponseStatus.TRY_LATER
    broken.site.relay.heal()
    again = ocsp.load_der_ocsp_response(broken.parts.responder.respond(question))
    assert again.certificate_status is ocsp.OCSPCertStatus.GOOD
    broken.settle()


@pytest.mark.parametrize("how", BOTH)
@pytest.mark.parametrize("nth", range(1, 11))
def test_founding_goes_on_after_any_write(token: Token, stores: StoreMaker, nth: int, how: Failure) -> None:
    """Two writes for each of root, issuing authority, responder, time-stamp authority and CMP; none is made twice."""
    site = Site(token, stores())
    try:
        broken = Broken(site)
        broken.fails(broken.parts.establish, nth, how)
        done = nth // 2 - (nth % 2 == 0 and how is Failure.NOT_APPLIED)
        with site.parts.database.read() as session:
            assert len(session.exec(select(Authority)).all()) == done
        broken.settle()
        with site.parts.database.read() as session:
            states = [one.state for one in session.exec(select(IssuanceIntent)) if one.actor == "founding"]
        lost = (nth % 2 == 1) == (how is Failure.APPLIED)
        assert sorted(states) == ["abandoned"] * lost + ["issued"] * 5
        broken.parts.close()
    finally:
        site.close()


@pytest.mark.parametrize("loss", list(Loss))
def test_checkpoint_whose_signature_is_lost_is_the_same_one_later(broken: Broken, loss: Loss) -> None:
    broken.parts.issue()
    sequencer = broken.parts.sequencer()
    broken.site.relay.lose("checkpoint", loss)
    broken.fails(sequencer.run_once)
    sequencer.run_once()
    broken.settle()


@pytest.mark.parametrize("how", BOTH)
@pytest.mark.parametrize("nth", range(1, 5))
def test_sequencer_goes_on_after_any_write(broken: Broken, nth: int, how: Failure) -> None:
    """The lease, the numbers, the checkpoint, and that it is published: the very same sequencer tries again."""
    broken.parts.issue()
    sequencer = broken.parts.sequencer()
    broken.fails(sequencer.run_once, nth, how)
    sequencer.run_once()
    with broken.site.parts.database.read() as session:
        assert all(row.published_at is not None for row in session.exec(select(LedgerCheckpoint)))
    broken.settle()


@pytest.mark.parametrize("how", BOTH)
@pytest.mark.parametrize("nth", range(1, 9))
def test_sequencer_goes_on_after_any_file(broken: Broken, nth: int, how: Failure) -> None:
    broken.parts.issue()
    writer = FailingWriter(nth, how)
    sequencer = broken.parts.sequencer(writer)
    broken.fails(sequencer.run_once)
    assert writer.writes == nth
    sequencer.run_once()
    broken.settle()


BATCH = ("li-wen", "sun-yue", "li-wen", "wu-ops")


@pytest.mark.parametrize(
    ("nth", "how", "left"),
    [
        (1, Failure.NOT_APPLIED, []),
        (1, Failure.APPLIED, ["abandoned", "abandoned"]),
        (2, Failure.NOT_APPLIED, ["abandoned", "abandoned"]),
        (2, Failure.APPLIED, ["issued", "issued"]),
    ],
)
def test_a_batch_whose_write_fails_leaves_all_or_none(broken: Broken, nth: int, how: Failure, left: list[str]) -> None:
    """Of the two transactions of a batch, however many certificates it is."""
    broken.fails(lambda: broken.parts.issue_batch(BATCH), nth, how)
    assert broken.signings("issuing-ca") == (4 if nth == 2 else 0)
    broken.settle()
    assert broken.intents() == left


@pytest.mark.parametrize("loss", list(Loss))
def test_a_batch_whose_signatures_are_lost_is_given_up_whole(broken: Broken, loss: Loss) -> None:
    broken.site.relay.lose("issuing-ca", loss)
    broken.fails(lambda: broken.parts.issue_batch(BATCH))
    assert broken.intents() == ["open", "open"]
    broken.settle()
    assert broken.intents() == ["abandoned", "abandoned"]


@pytest.mark.parametrize(
    ("table", "nth"), [("issuance_intent", 3), ("certificate", 2), ("credential", 4), ("evidence", 6)]
)
def test_store_that_refuses_one_insert_of_a_batch(token: Token, postgres: StoreMaker, table: str, nth: int) -> None:
    """One row among many: none of its transaction is there, and what may have been signed is revoked."""
    site = Site(token, postgres())
    site.settle()
    broken = Broken(site)
    try:
        with failing_insert(broken.database, table, nth):
            broken.fails(lambda: broken.parts.issue_batch(BATCH))
        broken.settle()
        assert broken.intents() == ([] if table == "issuance_intent" else ["abandoned", "abandoned"])
        with site.parts.database.read() as session:
            assert [credential.held_by(session, "person", one) for one in set(BATCH) - {"sun-yue"}] == [[], []]
    finally:
        broken.parts.close()
        site.close()


@pytest.mark.parametrize(
    ("table", "nth", "left"),
    [
        ("issuance_intent", 1, []),
        ("evidence", 1, []),
        ("certificate", 1, ["abandoned"]),
        ("credential", 1, ["abandoned"]),
        ("evidence", 2, ["abandoned"]),
    ],
)
def test_store_that_refuses_one_insert(
    token: Token, postgres: StoreMaker, table: str, nth: int, left: list[str]
) -> None:
    """By a trigger of its own: no row is there without the others, and what may have been signed is revoked."""
    site = Site(token, postgres())
    site.settle()
    broken = Broken(site)
    try:
        with failing_insert(broken.database, table, nth):
            broken.fails(broken.parts.issue)
        broken.settle()
        assert broken.intents() == left
        with site.parts.database.read() as session:
            assert credential.held_by(session, "person", "li-wen") == []
    finally:
        broken.parts.close()
        site.close()
