"""One-time codes at work: made, shown, refused, used once; what they file waits for the officers like everything."""

import json
import secrets
import threading
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from sqlmodel import select

from core.errors import NotFound, TrustError, Unavailable
from core.identity import PersonId, Serial
from core.ledger.models import EvidenceRow
from core.registry import credential
from core.registry.credential import Credential
from core.registry.models import Person
from pki import desk, enrolment, onetime
from pki.deskstate import NotYourRequest
from pki.enrolment import Invitation, Loss
from pki.errors import AlreadyRevoked, BadCode, CodeRefused, NotOpen
from pki.holding import Codes
from pki.models import DeskRequest, EnrolmentCode
from pki.redemption import Redemption
from tests.failing import FailingDatabase, Failure
from tests.pki.conftest import Pki, csr
from tests.pki.counter import certificates, decide
from tests.pki.test_batch import over
from tests.pki.test_renewal import own, renew


def redemption(pki: Pki) -> Redemption:
    return Redemption(database=pki.database, authority=pki.authority, clock=pki.clock, random=secrets.token_bytes)


def invite(pki: Pki, holder: str = "li-wen", maker: str = "wu-ops", **more: object) -> str:
    asked = Invitation(holder, str(more.pop("profile", "person")), **more)  # type: ignore[arg-type]  # real fields
    with pki.database.write() as session:
        _row, made = enrolment.open_code(session, asked, actor=maker, at=pki.clock.now(), random=secrets.token_bytes)
    return made.text


def request(holder: str = "li-wen") -> bytes:
    return csr(ec.generate_private_key(ec.SECP256R1()), holder)


def told(pki: Pki, kind: str = "pki.code.%") -> list[tuple[str, str, str]]:
    """What the evidence says: the last word of the type, who, and why."""
    with pki.database.read() as session:
        rows = session.exec(select(EvidenceRow).where(EvidenceRow.type.like(kind)).order_by(EvidenceRow.row)).all()  # type: ignore[attr-defined]
        found = [(row.type, row.actor, json.loads(row.content)["details"]) for row in rows]
    return [(type_.split(".")[2], actor, details.get("reason", "")) for type_, actor, details in found]


def row(pki: Pki, text: str) -> EnrolmentCode:
    with pki.database.read() as session:
        return session.get_one(EnrolmentCode, text[:6])


def test_a_code_is_used_once_and_the_officers_decide(pki: Pki) -> None:
    taking, code, asked = redemption(pki), invite(pki), request()
    ticket, said = taking.redeem(code.lower(), asked)
    assert (said.state, said.waits_for, said.chain, certificates(pki)) == ("submitted", "a registration officer", "", 0)
    # Who made the code filed it: they do not approve it, and neither does whom it is for.
    for officer in ("wu-ops", "li-wen"):
        with pytest.raises(NotYourRequest):
            decide(pki, said.request, officer)
    decide(pki, said.request, "zhao-ra")
    done = taking.progress(ticket)
    own, above = x509.load_pem_x509_certificates(done.chain.encode())
    own.verify_directly_issued_by(above)
    assert own.public_key() == x509.load_pem_x509_csr(asked).public_key()
    with pytest.raises(CodeRefused):
        taking.redeem(code, request())
    assert told(pki) == [("opened", "wu-ops", ""), ("redeemed", "anonymous", ""), ("refused", "anonymous", "used")]
    assert told(pki, "pki.desk.filed") == [("filed", "anonymous", "")]


def test_two_officers_where_the_level_says_so(sqlite_pki: Pki) -> None:
    taking = redemption(sqlite_pki)
    ticket, said = taking.redeem(invite(sqlite_pki, "han-office"), request("han-office"))
    decide(sqlite_pki, said.request, "zhao-ra")
    assert (taking.progress(ticket).state, certificates(sqlite_pki)) == ("checked", 0)
    with pytest.raises(NotYourRequest):
        decide(sqlite_pki, said.request, "zhao-ra")
    decide(sqlite_pki, said.request, "lu-security")
    assert taking.progress(ticket).chain


def refusals(pki: Pki) -> dict[str, tuple[str, str]]:
    """A code for every reason that there is, and the word in the record."""
    good, used, over_, gone = (invite(pki, who) for who in ("li-wen", "sun-yue", "chen-dev", "chu-dev"))
    redemption(pki).redeem(used, request("sun-yue"))
    with pki.database.write() as session:
        enrolment.withdraw(session, gone[:6], actor="zhao-ra", at=pki.clock.now())
        late = session.get_one(EnrolmentCode, over_[:6])
        late.expires_at = pki.clock.now()
        session.add(late)
    wrong = onetime.Code(good[:6], onetime.make(secrets.token_bytes).secret).text
    unknown = onetime.make(secrets.token_bytes).text
    told_ = {"wrong": wrong, "unknown": unknown, "mistyped": "x", "used": used, "expired": over_, "withdrawn": gone}
    return {name: (code, "unknown" if name == "mistyped" else name) for name, code in told_.items()}


def test_whoever_is_refused_is_told_the_same_and_the_record_says_why(sqlite_pki: Pki) -> None:
    taking, heard = redemption(sqlite_pki), set()
    for code, word in refusals(sqlite_pki).values():
        with pytest.raises(CodeRefused) as refused:
            taking.redeem(code, request())
        heard.add((refused.value.word, refused.value.detail, refused.value.hint))
        assert told(sqlite_pki)[-1] == ("refused", "anonymous", word)
        assert code not in refused.value.detail
    assert len(heard) == 1
    with sqlite_pki.database.read() as session:
        assert len(session.exec(select(DeskRequest)).all()) == 1


def test_a_code_that_there_is_not_takes_as_long(sqlite_pki: Pki) -> None:
    """CPU time, so that other programs do not matter: the hash is nearly all of it, and is made in either case."""
    import time

    taking, good, asked = redemption(sqlite_pki), invite(sqlite_pki), request()

    def spent(code: str) -> float:
        begun = time.thread_time()
        with pytest.raises(CodeRefused):
            taking.redeem(code, asked)
        return time.thread_time() - begun

    wrong = [spent(onetime.Code(good[:6], onetime.make(secrets.token_bytes).secret).text) for _ in range(5)]
    unknown = [spent(onetime.make(secrets.token_bytes).text) for _ in range(5)]
    assert 0.6 < sorted(unknown)[2] / sorted(wrong)[2] < 1.6
    assert min(wrong + unknown) > 0.02


def test_wrong_tries_lock_a_code(sqlite_pki: Pki) -> None:
    taking, good = redemption(sqlite_pki), invite(sqlite_pki)
    for _ in range(onetime.TRIES):
        with pytest.raises(CodeRefused):
            taking.redeem(onetime.Code(good[:6], "0" * 17).text, request())
    assert (row(sqlite_pki, good).state, row(sqlite_pki, good).tries) == ("locked", onetime.TRIES)
    with pytest.raises(CodeRefused):
        taking.redeem(good, request())
    assert told(sqlite_pki)[-1][2] == "locked"


def test_many_at_once_use_it_once(pki: Pki) -> None:
    taking, good, done = redemption(pki), invite(pki), []

    def show() -> None:
        try:
            done.append(taking.redeem(good, request())[1].request)
        except TrustError as refused:
            done.append(refused.word)

    threads = [threading.Thread(target=show) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(done).count("code-refused") == 5
    with pki.database.read() as session:
        assert len(session.exec(select(DeskRequest)).all()) == 1


def test_the_same_request_goes_on_with_another_ticket(sqlite_pki: Pki) -> None:
    taking, good, asked = redemption(sqlite_pki), invite(sqlite_pki), request()
    first, said = taking.redeem(good, asked)
    sqlite_pki.clock.advance(days=9)
    second, again = taking.redeem(good, asked)
    assert (again.request, first == second) == (said.request, False)
    assert taking.progress(second).request == said.request
    for stale in (first, "", "x" * 64):
        with pytest.raises(NotFound):
            taking.progress(stale)


def test_content_is_judged_by_the_one_that_judges_all(sqlite_pki: Pki) -> None:
    """What issuing refuses is refused here with the same word; the code stays good until its tries are used up."""
    taking, good = redemption(sqlite_pki), invite(sqlite_pki)
    key = ec.generate_private_key(ec.SECP256R1())
    bad = [
        csr(key, "sun-yue"),
        csr(key, "li-wen", dns=("czt.gov.example",)),
        csr(ec.generate_private_key(ec.SECP521R1()), "li-wen"),
        csr(key, "li-wen", extensions=(x509.BasicConstraints(ca=True, path_length=None),)),
    ]
    for asked in bad:
        with pytest.raises(TrustError) as here:
            taking.redeem(good, asked)
        with pytest.raises(TrustError) as there:
            sqlite_pki.authority.issue(desk_request(asked), actor="zhao-ra")
        assert (here.value.word, here.value.word) == (there.value.word, told(sqlite_pki)[-1][2])
    assert row(sqlite_pki, good).tries == len(bad)
    assert taking.redeem(good, request())[1].state == "submitted"


def desk_request(content: bytes) -> object:
    from pki.request import IssuanceRequest

    return IssuanceRequest(content, "person", None, "li-wen")


def test_what_could_never_be_issued_gets_no_code(sqlite_pki: Pki) -> None:
    for asked, word in (
        (Invitation("nobody-here", "person"), "not-in-register"),
        (Invitation("li-wen", "application"), "not-in-register"),
        (Invitation("li-wen", "person", ("a.example",)), "wrong-profile"),
        (Invitation("bootstrap", "bootstrap"), "wrong-profile"),
        (Invitation("li-wen", "nothing"), "wrong-profile"),
        (Invitation("li-wen", "person", life=timedelta(seconds=1)), "bad-code"),
        (Invitation("li-wen", "person", life=timedelta(days=8)), "bad-code"),
    ):
        with pytest.raises(TrustError) as refused, sqlite_pki.database.write() as session:
            enrolment.open_code(session, asked, actor="x", at=sqlite_pki.clock.now(), random=secrets.token_bytes)
        assert refused.value.word == word
    assert BadCode.reason == "bad-code"
    assert told(sqlite_pki) == []


def test_another_code_takes_the_place_of_the_first(sqlite_pki: Pki) -> None:
    first, second = invite(sqlite_pki), invite(sqlite_pki, maker="zhao-ra")
    with pytest.raises(CodeRefused):
        redemption(sqlite_pki).redeem(first, request())
    assert redemption(sqlite_pki).redeem(second, request())[1].state == "submitted"
    with pytest.raises(NotOpen), sqlite_pki.database.write() as session:
        enrolment.withdraw(session, second[:6], actor="x", at=sqlite_pki.clock.now())
    with sqlite_pki.database.read() as session:
        assert {one.state for one in enrolment.find(session, "", "li-wen", 10)} == {"withdrawn", "used"}
        assert enrolment.find(session, "open", "", 10) == []


def test_the_store_holds_nothing_that_opens(sqlite_pki: Pki) -> None:
    good = invite(sqlite_pki)
    ticket, _said = redemption(sqlite_pki).redeem(good, request())
    octets = b"".join(one.read_bytes() for one in sqlite_pki.folder.glob("store.sqlite3*"))
    plain = good.replace("-", "")
    for secret in (plain, plain[6:-1], good, ticket):
        assert secret.encode() not in octets


@pytest.mark.parametrize("how", list(Failure))
def test_a_use_that_was_interrupted_is_finished_by_the_same_call(sqlite_pki: Pki, how: Failure) -> None:
    good, asked = invite(sqlite_pki), request()
    database = FailingDatabase(sqlite_pki.database.url)
    broken = Redemption(database=database, authority=over(sqlite_pki, database), clock=sqlite_pki.clock, random=bytes)
    database.arm(1, how)
    with pytest.raises(Unavailable):
        broken.redeem(good, asked)
    database.close()
    assert row(sqlite_pki, good).state == ("used" if how is Failure.APPLIED else "open")
    assert redemption(sqlite_pki).redeem(good, asked)[1].state == "submitted"
    with sqlite_pki.database.read() as session:
        assert len(session.exec(select(DeskRequest)).all()) == 1


def test_who_left_gets_nothing_by_a_code(sqlite_pki: Pki) -> None:
    good = invite(sqlite_pki)
    with sqlite_pki.database.write() as session:
        person = session.get_one(Person, "li-wen")
        person.left_at = sqlite_pki.clock.now()
        session.add(person)
    with pytest.raises(TrustError) as refused:
        redemption(sqlite_pki).redeem(good, request())
    assert refused.value.word == "holder-left" or "left" in refused.value.detail


def test_codes_end_with_whom_they_are_for_and_with_who_made_them(sqlite_pki: Pki) -> None:
    theirs, made, others = (
        invite(sqlite_pki, "wu-ops", "zhao-ra"),
        invite(sqlite_pki, "li-wen", "wu-ops"),
        invite(sqlite_pki, "sun-yue", "zhao-ra"),
    )
    at = sqlite_pki.clock.now()
    with sqlite_pki.database.write() as session:
        held = Codes().holdings(session, "person", "wu-ops", at)
        ended = Codes().relinquish(session, PersonId("wu-ops"), successor=None, actor="x", at=at)
    assert {one.identifier for one in held} == {theirs[:6], made[:6]}
    assert ended == held
    assert [row(sqlite_pki, one).state for one in (theirs, made, others)] == ["withdrawn", "withdrawn", "open"]


def test_a_lost_token_is_one_act(sqlite_pki: Pki) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    first, same, other = (
        sqlite_pki.issue(key=key),
        sqlite_pki.issue(key=key, lifetime_seconds=86_400),
        sqlite_pki.issue(),
    )
    at = sqlite_pki.clock.now()
    with sqlite_pki.database.write() as session:
        loss = Loss(first.serial, "key-compromise")
        made, code, gone = enrolment.replace_lost(session, loss, actor="lu-security", at=at, random=secrets.token_bytes)
    assert gone == sorted([first.serial, same.serial])
    assert (made.purpose, made.holder, made.profile) == ("lost-token", "li-wen", "person")
    with sqlite_pki.database.read() as session:
        assert session.get_one(Credential, other.serial).state == "good"
    # The lost key is not certified again; another one is.
    with pytest.raises(TrustError) as refused:
        redemption(sqlite_pki).redeem(code.text, csr(key, "li-wen"))
    assert refused.value.word == "revoked-key"
    assert redemption(sqlite_pki).redeem(code.text, request())[1].state == "submitted"
    with pytest.raises(AlreadyRevoked), sqlite_pki.database.write() as session:
        enrolment.replace_lost(session, loss, actor="x", at=at, random=secrets.token_bytes)


def test_what_was_renewed_with_a_lost_key_goes_with_it(sqlite_pki: Pki) -> None:
    """Whoever found the token renewed, and renewed again: none of it stays good; what the holder has besides does."""
    stolen, apart = sqlite_pki.issue(), sqlite_pki.issue()
    serials, present = [stolen.serial], stolen.der
    for _ in range(3):
        made = renew(sqlite_pki, present)
        serials.append(Serial(made.serial))
        present = own(made.chain).public_bytes(Encoding.DER)
    with sqlite_pki.database.write() as session:
        _row, _code, gone = enrolment.replace_lost(
            session,
            Loss(stolen.serial, "key-compromise"),
            actor="lu-security",
            at=sqlite_pki.clock.now(),
            random=secrets.token_bytes,
        )
        assert credential.get(session, apart.serial).state == "good"
    assert gone == sorted(serials)


def test_every_certificate_of_who_lost_more(sqlite_pki: Pki) -> None:
    mine = [sqlite_pki.issue().serial for _ in range(3)]
    sqlite_pki.issue("sun-yue")
    with sqlite_pki.database.write() as session:
        loss = Loss(Serial(mine[0]), "superseded", every=True)
        _row, _code, gone = enrolment.replace_lost(
            session, loss, actor="lu-security", at=sqlite_pki.clock.now(), random=secrets.token_bytes
        )
    assert gone == sorted(mine)


def test_a_loss_that_cannot_be_made_good_revokes_nothing(sqlite_pki: Pki) -> None:
    lost = sqlite_pki.issue()
    for loss in (Loss(lost.serial, "because"), Loss(lost.serial, "key-compromise", life=timedelta(days=99))):
        with pytest.raises(TrustError), sqlite_pki.database.write() as session:
            enrolment.replace_lost(session, loss, actor="x", at=sqlite_pki.clock.now(), random=secrets.token_bytes)
    with sqlite_pki.database.read() as session:
        assert session.get_one(Credential, lost.serial).state == "good"
        assert enrolment.find(session, "", "", 10) == []


def test_a_request_that_came_back_says_so(sqlite_pki: Pki) -> None:
    taking = redemption(sqlite_pki)
    code = invite(sqlite_pki)
    ticket, said = taking.redeem(code, request())
    decide(sqlite_pki, said.request, "zhao-ra", "no such need")
    done = taking.progress(ticket)
    assert (done.state, done.comment, done.chain) == ("rejected", "no such need", "")
    with sqlite_pki.database.read() as session:
        filed = desk.get(session, said.request)
    assert (filed.code, filed.requester) == (code[:6], "wu-ops")
