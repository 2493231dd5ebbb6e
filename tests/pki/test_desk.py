"""The registration desk: filed, checked, returned or approved; two officers where the level says so; issued once."""

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as some

from core.errors import NotFound, TrustError, Unavailable
from core.registry.credential import Credential
from core.registry.models import Person
from pki import desk, deskstate, issuance_api
from pki.desk import RequestDesk
from pki.deskstate import NotWaiting, NotYourRequest, Standing, State
from pki.models import DeskRequest
from pki.request import IssuanceRequest
from tests.failing import FailingDatabase, Failure
from tests.pki.conftest import Pki
from tests.pki.counter import Counter, ask, certificates, events, stored
from tests.pki.test_batch import over


@pytest.fixture
def counter(sqlite_pki: Pki) -> Counter:
    return Counter(sqlite_pki)


def test_one_officer_is_enough_below_the_level_that_asks_for_two(pki: Pki) -> None:
    counter = Counter(pki)
    row = pki.desk.file(ask(), actor="wu-ops")
    assert (row.state, row.needed, row.domain, certificates(pki)) == ("submitted", 1, "outer-finance", 0)
    done = counter.approve(row, "zhao-ra")
    assert (done.state, certificates(pki)) == ("issued", 1)
    with pki.database.read() as session:
        assert session.get_one(Credential, done.serial).holder == "li-wen"
    assert events(pki) == [("filed", "wu-ops", ""), ("decided", "zhao-ra", "approved"), ("issued", "zhao-ra", "")]


def test_two_officers_where_the_level_says_so(pki: Pki) -> None:
    counter = Counter(pki)
    row = pki.desk.file(ask("han-office"), actor="wu-ops")
    assert row.needed == 2
    assert counter.approve(row, "zhao-ra").state == "checked"
    assert certificates(pki) == 0
    with pytest.raises(NotYourRequest):
        counter.approve(row, "zhao-ra")
    assert counter.approve(row, "lu-security").state == "issued"
    assert certificates(pki) == 1


def test_what_needs_two_is_not_issued_past_the_desk(sqlite_pki: Pki) -> None:
    """One officer alone asks the authority directly, one by one or in a batch."""
    principal = sqlite_pki.authenticator.authenticate(sqlite_pki.issue("zhao-ra").der)
    body = issuance_api.IssueRequest(csr=ask("han-office").csr.decode(), profile="person", holder="han-office")
    with pytest.raises(TrustError) as refused:
        issuance_api.issue(body, principal, sqlite_pki.authority)
    assert refused.value.word == "needs-second-officer"
    many = issuance_api.issue_batch(issuance_api.BatchRequest(requests=[body]), principal, sqlite_pki.authority)
    assert [one.reason for one in many.items] == ["needs-second-officer"]
    assert certificates(sqlite_pki) == 0


@pytest.mark.parametrize("who", ["wu-ops", "sun-yue"])
def test_nobody_approves_their_own(counter: Counter, who: str) -> None:
    row = counter.pki.desk.file(ask("sun-yue"), actor="wu-ops")
    with pytest.raises(NotYourRequest, match="nobody approves"):
        counter.approve(row, who)
    assert stored(counter.pki, row).state == "submitted"


def test_a_returned_request_is_corrected_by_who_filed_it_and_checked_anew(pki: Pki) -> None:
    counter = Counter(pki)
    row = pki.desk.file(ask("han-office"), actor="wu-ops")
    counter.approve(row, "zhao-ra")
    back = counter.return_(row, "lu-security", "another key, please")
    assert (back.state, back.comment) == ("returned", "another key, please")
    with pytest.raises(NotWaiting):
        counter.approve(row, "lu-security")
    with pytest.raises(NotYourRequest):
        pki.desk.correct(row.id, ask("han-office"), actor="zhao-ra")
    corrected = pki.desk.correct(row.id, ask("han-office"), actor="wu-ops")
    assert (corrected.state, corrected.revision, corrected.approved_by, corrected.comment) == ("submitted", 2, "", "")
    assert corrected.digest != row.digest
    assert counter.approve(corrected, "zhao-ra").state == "checked"


def test_a_rejected_request_is_over(counter: Counter) -> None:
    row = counter.pki.desk.file(ask(), actor="wu-ops")
    assert counter.reject(row).state == "rejected"
    for act in (counter.approve, counter.return_, counter.reject):
        with pytest.raises(NotWaiting):
            act(row, "lu-security")
    with pytest.raises(NotFound):
        counter.approve(row.model_copy(update={"id": "0" * 16}))


def test_what_could_never_be_issued_is_not_filed(sqlite_pki: Pki) -> None:
    for request, word in ((ask("nobody-here"), "not-in-register"), (ask(dns_names=("a.example",)), "wrong-profile")):
        with pytest.raises(TrustError) as refused:
            sqlite_pki.desk.file(request, actor="wu-ops")
        assert refused.value.word == word
    with sqlite_pki.database.read() as session:
        assert desk.find(session, "", 10) == []


def test_who_has_left_meanwhile_gets_nothing_and_the_request_comes_back(sqlite_pki: Pki) -> None:
    counter = Counter(sqlite_pki)
    row = sqlite_pki.desk.file(ask(), actor="wu-ops")
    with sqlite_pki.database.write() as session:
        person = session.get_one(Person, "li-wen")
        person.left_at = sqlite_pki.clock.now()
        session.add(person)
    done = counter.approve(row, "zhao-ra")
    assert (done.state, certificates(sqlite_pki)) == ("returned", 0)
    assert "left" in done.comment


@pytest.mark.parametrize("how", list(Failure))
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_an_approval_that_was_interrupted_is_finished_by_the_next(sqlite_pki: Pki, nth: int, how: Failure) -> None:
    """Its four transactions: the decision, intention and outcome of the certificate, and that the request has it."""
    counter = Counter(sqlite_pki)
    row = sqlite_pki.desk.file(ask(), actor="wu-ops")
    database = FailingDatabase(sqlite_pki.database.url)
    broken = RequestDesk(database=database, authority=over(sqlite_pki, database), clock=sqlite_pki.clock, random=bytes)
    counter.officer("zhao-ra")
    database.arm(nth, how)
    with pytest.raises(Unavailable):
        broken.approve(row.id, digest=row.digest, comment="", officer=counter.officer("zhao-ra"))
    database.close()
    with sqlite_pki.database.read() as session:
        left = desk.get(session, row.id).state
    expected = {(1, Failure.NOT_APPLIED): "submitted", (4, Failure.APPLIED): "issued"}
    assert left == expected.get((nth, how), "approved")
    if left != "issued":
        assert counter.approve(row, "zhao-ra").state == "issued"
    assert certificates(sqlite_pki) == 1


def test_the_request_is_kept_in_one_spelling(sqlite_pki: Pki) -> None:
    asked = ask()
    around = IssuanceRequest(asked.csr + "\n备注 演练样本\n".encode(), asked.profile, None, asked.holder)
    row = sqlite_pki.desk.file(around, actor="wu-ops")
    assert row.csr.encode() == asked.csr
    assert x509.load_pem_x509_csr(row.csr.encode()).is_signature_valid


officers = some.sampled_from(["a", "b", "c", "filed", "holder"])
steps = some.lists(some.tuples(some.sampled_from(["approve", "return", "reject", "correct"]), officers), max_size=12)


@given(needed=some.integers(1, 2), taken=steps)
def test_nothing_is_approved_without_as_many_others_as_are_needed(needed: int, taken: list[tuple[str, str]]) -> None:
    """Any order of steps by anybody: approved means that so many others agreed to the newest revision."""
    now = Standing(State.SUBMITTED, "filed", "holder", (), needed)
    for step, who in taken:
        try:
            if step == "approve":
                state = deskstate.approve(now, who)
                now = Standing(state, "filed", "holder", (*now.approved_by, who), needed)
            elif step == "correct":
                now = Standing(deskstate.correct(now, who), "filed", "holder", (), needed)
            else:
                deskstate.check_stoppable(now, signing=False)
                state = State.RETURNED if step == "return" else State.REJECTED
                now = Standing(state, "filed", "holder", now.approved_by, needed)
        except TrustError:
            continue
        if now.state is State.APPROVED:
            assert len(set(now.approved_by) - {"filed", "holder"}) == len(now.approved_by) == needed
            break


def test_the_list_is_newest_first_and_by_state(sqlite_pki: Pki) -> None:
    first = sqlite_pki.desk.file(ask(), actor="wu-ops")
    sqlite_pki.clock.advance(minutes=1)
    second = sqlite_pki.desk.file(ask("sun-yue"), actor="wu-ops")
    Counter(sqlite_pki).reject(first)
    with sqlite_pki.database.read() as session:
        assert [row.id for row in desk.find(session, "", 10)] == [second.id, first.id]
        assert [row.id for row in desk.find(session, "rejected", 10)] == [first.id]
        assert isinstance(desk.get(session, first.id), DeskRequest)
