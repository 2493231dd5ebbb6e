"""Several authorities: each domain's own, generations of each, and what everybody else thinks of their chains."""

import json
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509 import ocsp
from sqlmodel import select

from backup import replay_authority
from backup.mirror import Record
from core.approval import acts
from core.approval.acts import Acts
from core.approval.errors import NotYours
from core.database import Database
from core.errors import Conflict, Malformed, NotFound, Rejected, TrustError, Unauthenticated
from core.identity import Serial, SubjectKind
from core.ledger.models import EvidenceRow
from core.registry.models import AddressRange, Person
from pki import authority_api, chain, hierarchy, issuer, plan, planning, planning_act, pointers, revocation, watch
from pki.errors import RefusedPath
from pki.feed import Feed
from pki.models import AuthorityPlan, CrlPublication, IssuanceIntent
from pki.ocsp import issuer_hashes
from pki.request import IssuanceRequest, IssuedCertificate
from pki.tbslist import DELTA, FULL
from pki.tsa import generation
from pki.tsa.renewal import Renewal
from pki.validation import certificate, path
from pki.validation import crl as lists
from pki.validation.path import Evidence
from pki.validation.process import Parameters
from tests.clock import ManualClock
from tests.core.approval.desk import Desk, opened
from tests.pki.conftest import SETTINGS, Pki, csr, join
from tests.services.softhsm import Running

FINANCE, OFFICE = "outer-finance", "inner-office"


def add(pki: Pki, name: str = "finance", domains: Sequence[str] = (FINANCE,)) -> list[str]:
    """Plan an authority as the act does, and make it as the worker does."""
    with pki.database.write() as session:
        made = planning.plan_added(session, name, domains, "p256")
        record(session, made, pki)
    return make(pki)


def renew(pki: Pki, line: str) -> list[str]:
    with pki.database.write() as session:
        record(session, planning.plan_renewed(session, line), pki)
    return make(pki)


def record(session, made: plan.Plan, pki: Pki) -> None:  # type: ignore[no-untyped-def]  # a session
    planning.record(session, made, proposer="he-sysadmin", approver="lu-security", basis="演练样本", at=pki.clock.now())


def make(pki: Pki) -> list[str]:
    return hierarchy.make_planned(pki.database, pki.signer.client, pki.clock, token_bytes, SETTINGS)


def loaded(pki: Pki, name: str) -> x509.Certificate:
    with pki.database.read() as session:
        return x509.load_der_x509_certificate(issuer.get(session, name).der)


def issuer_of(pki: Pki, issued: IssuedCertificate) -> str:
    with pki.database.read() as session:
        return session.get_one(IssuanceIntent, issued.serial).issuer


def device(pki: Pki, name: str, *hosts: str, addresses: Sequence[str] = ()) -> IssuedCertificate:
    request = IssuanceRequest(
        csr=csr(ec.generate_private_key(ec.SECP256R1()), name),
        profile="application",
        holder_kind=SubjectKind.APPLICATION,
        holder=name,
        dns_names=hosts,
        ip_addresses=tuple(addresses),
    )
    return pki.authority.issue(request, actor="zhao-ra")


def answer(pki: Pki, authority: str, serial: str) -> str:
    name, key = issuer_hashes(loaded(pki, authority), hashes.SHA256())
    asked = ocsp.OCSPRequestBuilder().add_certificate_by_hash(name, key, int(serial, 16), hashes.SHA256()).build()
    told = ocsp.load_der_ocsp_response(pki.responder.respond(asked.public_bytes(Encoding.DER)))
    return told.certificate_status.name if told.response_status.value == 0 else told.response_status.name


def revoke(pki: Pki, serial: str) -> None:
    with pki.database.write() as session:
        revocation.revoke(session, Serial(serial), reason="superseded", actor="lu-security", at=pki.clock.now())


def pem(certificates: Sequence[x509.Certificate]) -> bytes:
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates)


def openssl(pki: Pki, anchor: str, issued: IssuedCertificate, lists_of: Sequence[str] = ()) -> str:
    """What ``openssl verify`` says to whoever knows only ``anchor`` and was handed the chain; empty: it is valid."""
    (pki.folder / "anchor.pem").write_bytes(pem([loaded(pki, anchor)]))
    (pki.folder / "leaf.pem").write_text(issued.chain_pem)
    command = ["openssl", "verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-CAfile", "anchor.pem"]
    if lists_of:
        found = [x509.load_der_x509_crl(pki.publisher.current(name)) for name in lists_of]
        (pki.folder / "lists.pem").write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in found))
        command += ["-crl_check_all", "-CRLfile", "lists.pem"]
    command += ["-untrusted", "leaf.pem", "leaf.pem"]
    done = subprocess.run(command, cwd=pki.folder, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr


def ours(pki: Pki, anchor: str, names: Sequence[str], issued: IssuedCertificate, lists_of: Sequence[str] = ()) -> str:
    """What our own validation says of the path through ``names`` under ``anchor``; empty: it is valid."""
    with pki.database.read() as session:
        ders = [issuer.get(session, name).der for name in names]
        root = certificate.parse(issuer.get(session, anchor).der)
    evidence = Evidence(tuple(lists.parse(pki.publisher.current(one)) for one in lists_of))
    certificates = [certificate.parse(one) for one in (*ders, issued.der)]
    try:
        path.validate(certificates, path.trust(root), Parameters(now=pki.clock.now()), evidence if lists_of else None)
    except RefusedPath as error:
        return error.word
    return ""


@pytest.fixture
def today(sqlite_pki: Pki) -> Pki:
    """openssl judges times by the machine's clock."""
    sqlite_pki.clock.advance(seconds=(datetime.now(UTC) - sqlite_pki.clock.now()).total_seconds())
    return sqlite_pki


def test_a_domain_gets_an_authority_of_its_own(pki: Pki) -> None:
    before = pki.issue()
    assert add(pki) == ["issuing-finance", "ocsp-finance"]
    assert make(pki) == []
    after, elsewhere = pki.issue(holder="sun-yue"), pki.issue(holder=somebody_in(pki, OFFICE))
    assert [issuer_of(pki, one) for one in (before, after, elsewhere)] == ["issuing", "issuing-finance", "issuing"]
    made = x509.load_der_x509_certificate(after.der)
    assert made.issuer == loaded(pki, "issuing-finance").subject
    points = made.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    shard = pointers.shard(after.serial)
    assert points[0].full_name[0].value == f"http://localhost:8480/crl/issuing-finance/128/{shard}.crl"
    told = made.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert {one.access_location.value for one in told} == {
        "http://localhost:8480/ocsp/issuing-finance",
        "http://localhost:8480/ca/issuing-finance.cer",
    }
    for one in (before, after, elsewhere):
        assert pki.authenticator.authenticate(one.der).identifier
    assert after.chain_pem.count("BEGIN CERTIFICATE") == 2


def somebody_in(pki: Pki, domain: str) -> str:
    with pki.database.read() as session:
        return next(one.id for one in session.exec(select(Person)) if one.domain == domain)


def test_status_of_each_authority_is_its_own(pki: Pki) -> None:
    old = pki.issue()
    assert answer(pki, "issuing", old.serial) == "GOOD"
    add(pki)
    pki.clock.advance(seconds=2)
    new, bad = pki.issue(holder="sun-yue"), pki.issue(holder="sun-yue")
    feed = Feed(database=pki.database, responder=pki.responder, clock=pki.clock)
    feed.look()
    assert [answer(pki, "issuing-finance", one.serial) for one in (new, bad, old)] == ["GOOD", "GOOD", "UNKNOWN"]
    revoke(pki, bad.serial)
    feed.look()
    assert [answer(pki, "issuing-finance", one.serial) for one in (new, bad)] == ["GOOD", "REVOKED"]
    assert answer(pki, "issuing", bad.serial) == "UNKNOWN"
    assert pki.publisher.refresh() == [1, 1, 1]
    shard = str(pointers.shard(bad.serial))
    for scope in (FULL, shard):
        listed = x509.load_der_x509_crl(pki.publisher.current("issuing-finance", scope))
        assert [f"{one.serial_number:040x}" for one in listed] == [bad.serial]
        assert listed.is_signature_valid(loaded(pki, "issuing-finance").public_key())
    assert len(x509.load_der_x509_crl(pki.publisher.current("issuing"))) == 0
    pki.clock.advance(seconds=1)
    revoke(pki, new.serial)
    assert pki.publisher.refresh() == [2]
    assert len(x509.load_der_x509_crl(pki.publisher.current("issuing-finance", DELTA))) == 1
    with pki.database.read() as session:
        assert all(one.ok for one in watch.look(session, pki.clock.now()))
        assert {one.name for one in watch.look(session, pki.clock.now())} >= {
            "lists of issuing-finance",
            "OCSP responder finance",
        }


def test_the_name_space_of_the_domain_binds_its_authority(today: Pki) -> None:
    pki = today
    add(pki)
    constraints = loaded(pki, "issuing-finance").extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert "fin.beichen.example" in [one.value for one in constraints.value.permitted_subtrees or ()]
    inside = device(pki, "fin-budget-app", "budget.fin.beichen.example", "localhost", addresses=["127.0.0.1"])
    pki.publisher.refresh()
    assert openssl(pki, "root", inside, ("root", "issuing-finance")) == ""
    assert ours(pki, "root", ("issuing-finance",), inside, ("root", "issuing-finance")) == ""
    with pki.database.write() as session:
        session.add(AddressRange(cidr="10.200.0.0/16", domain=FINANCE))
    count = intentions(pki)
    with pytest.raises(Rejected, match="outside the name constraints") as caught:
        device(pki, "fin-budget-app", "budget.fin.beichen.example", addresses=["10.200.0.1"])
    assert caught.value.word == "foreign-name"
    assert intentions(pki) == count
    assert renew(pki, "issuing-finance") == ["issuing-finance-2", "ocsp-finance-2"]
    wider = device(pki, "fin-budget-app", "budget.fin.beichen.example", addresses=["10.200.0.1"])
    assert (openssl(pki, "root", wider), issuer_of(pki, wider)) == ("", "issuing-finance-2")


def intentions(pki: Pki) -> int:
    with pki.database.read() as session:
        return len(session.exec(select(IssuanceIntent)).all())


def test_a_batch_over_several_authorities_keeps_its_order(sqlite_pki: Pki) -> None:
    pki = sqlite_pki
    add(pki)
    people = ["li-wen", somebody_in(pki, OFFICE), "sun-yue"]
    requests = [
        IssuanceRequest(csr(ec.generate_private_key(ec.SECP256R1()), one), "person", SubjectKind.PERSON, one)
        for one in people
    ]
    made = pki.authority.issue_batch(requests, actor="zhao-ra")
    assert all(isinstance(one, IssuedCertificate) for one in made)
    said = [x509.load_der_x509_certificate(one.der).subject.rfc4514_string() for one in made]  # type: ignore[union-attr]
    assert [one.partition(",")[0] for one in said] == [f"UID={one}" for one in people]
    names = [issuer_of(pki, one) for one in made]  # type: ignore[arg-type]
    assert names == ["issuing-finance", "issuing", "issuing-finance"]
    again = pki.authority.issue_batch(requests, actor="zhao-ra")
    assert [one.chain_pem for one in again] == [one.chain_pem for one in made]  # type: ignore[union-attr]


def test_an_issuing_authority_rolls_over(today: Pki) -> None:
    pki = today
    old = pki.issue()
    assert renew(pki, "issuing") == ["issuing-2", "ocsp-2"]
    new = pki.issue(holder="sun-yue")
    assert (issuer_of(pki, old), issuer_of(pki, new)) == ("issuing", "issuing-2")
    assert loaded(pki, "issuing-2").public_key() != loaded(pki, "issuing").public_key()
    pki.publisher.refresh()
    for one, name in ((old, "issuing"), (new, "issuing-2")):
        assert pki.authenticator.authenticate(one.der).identifier
        assert openssl(pki, "root", one, ("root", name)) == ""
        assert answer(pki, name, one.serial) == "GOOD"
    revoke(pki, old.serial)
    pki.publisher.refresh()
    assert "revoked" in openssl(pki, "root", old, ("root", "issuing"))
    renewal = Renewal(
        database=pki.database, keys=pki.signer.client, clock=pki.clock, random=token_bytes, settings=SETTINGS
    )
    pki.clock.advance(seconds=5)
    assert renewal.run(force=True)
    with pki.database.read() as session:
        assert generation.current(session, pki.clock.now()).certificate.issuer == loaded(pki, "issuing-2").subject


def test_an_old_generation_lists_until_its_last_certificate_has_ended(sqlite_pki: Pki) -> None:
    pki = sqlite_pki
    add(pki)
    pki.issue()
    renew(pki, "issuing-finance")
    pki.publisher.refresh()

    def state() -> dict[str, str]:
        with pki.database.read() as session:
            return {one.name: one.state for one in authority_api.list_(session, pki.clock).items}

    told = {"root": "active", "issuing": "active", "issuing-finance": "superseded", "issuing-finance-2": "active"}
    assert state() == told
    pki.clock.advance(days=300)
    assert hierarchy.renew_responder(pki.database, pki.signer.client, pki.clock, token_bytes, SETTINGS) is False
    pki.publisher.refresh()
    pki.clock.advance(days=66)
    assert state() == {**told, "issuing-finance": "over"}
    pki.publisher.refresh()
    with pki.database.read() as session:
        numbers = session.exec(select(CrlPublication.number).where(CrlPublication.issuer == "issuing-finance")).all()
        last = session.exec(select(CrlPublication.number).where(CrlPublication.issuer == "issuing-finance-2")).all()
    assert (len(numbers), len(last)) == (2, 3)


def test_the_root_rolls_over_and_either_root_is_enough(today: Pki) -> None:
    pki = today
    old = pki.issue()
    assert renew(pki, "root") == ["cross-root-2-new", "root-2", "cross-root-2-old"]
    between = pki.issue()
    renew(pki, "issuing")
    add(pki)
    new, other = pki.issue(holder="sun-yue"), pki.issue(holder=somebody_in(pki, OFFICE))
    assert [issuer_of(pki, one) for one in (old, between, new, other)] == [
        *("issuing", "issuing"),
        *("issuing-finance", "issuing-2"),
    ]
    pki.publisher.refresh()
    roots = ("root", "root-2")
    for one, name in ((between, "issuing"), (new, "issuing-finance"), (other, "issuing-2")):
        for anchor in roots:
            assert openssl(pki, anchor, one) == "", (name, anchor)
            assert openssl(pki, anchor, one, (*roots, name)) == "", (name, anchor)
        assert pki.authenticator.authenticate(one.der).identifier
    for anchor, links, name, one in (
        ("root", (), "issuing", old),
        ("root-2", ("cross-root-2-old",), "issuing", old),
        ("root-2", (), "issuing-2", other),
        ("root", ("cross-root-2-new",), "issuing-2", other),
    ):
        assert ours(pki, anchor, (*links, name), one) == ""
        assert ours(pki, anchor, (*links, name), one, (*roots, name)) == ""
    # Without the link nothing leads from the one to the other.
    assert ours(pki, "root", ("issuing-2",), other) != ""
    assert openssl(pki, "root-2", old) != ""  # what was handed out before there was a second root has no link to it
    cross = loaded(pki, "cross-root-2-old")
    assert cross.not_valid_before_utc == loaded(pki, "root").not_valid_before_utc
    assert cross.not_valid_after_utc == loaded(pki, "root").not_valid_after_utc
    assert loaded(pki, "cross-root-2-new").not_valid_after_utc <= loaded(pki, "root").not_valid_after_utc
    assert renew(pki, "root") == ["cross-root-3-new", "root-3", "cross-root-3-old"]
    renew(pki, "issuing")
    for anchor in ("root", "root-2", "root-3"):
        assert openssl(pki, anchor, pki.issue(holder=somebody_in(pki, OFFICE))) == "", anchor
    # Between two others: OpenSSL goes up only, and whoever really looks for a path finds either.
    middle = pki.issue()
    assert [openssl(pki, anchor, middle) == "" for anchor in ("root", "root-2", "root-3")] == [False, True, True]
    for anchor, links in (("root", ("cross-root-2-new",)), ("root-2", ()), ("root-3", ("cross-root-3-old",))):
        assert ours(pki, anchor, (*links, "issuing-finance"), middle) == ""


def test_certtool_walks_the_chain_of_either_root(today: Pki) -> None:
    pki = today
    renew(pki, "root")
    renew(pki, "issuing")
    issued = pki.issue()
    for anchor in ("root", "root-2"):
        (pki.folder / "anchor.pem").write_bytes(pem([loaded(pki, anchor)]))
        (pki.folder / "chain.pem").write_text(issued.chain_pem)
        command = ["certtool", "--verify", "--load-ca-certificate", "anchor.pem", "--infile", "chain.pem"]
        done = subprocess.run(command, cwd=pki.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (anchor, done.stdout, done.stderr)
    add(pki)
    pki.clock.advance(seconds=2)
    issued = pki.issue(holder="sun-yue")
    (pki.folder / "issuer.pem").write_bytes(pem([loaded(pki, "issuing-finance")]))
    (pki.folder / "leaf.pem").write_text(issued.chain_pem)
    command = ["ocsptool", "--generate-request", "--load-issuer", "issuer.pem", "--load-cert", "leaf.pem", "--no-nonce"]
    subprocess.run([*command, "--outfile", "request"], cwd=pki.folder, check=True, capture_output=True)
    (pki.folder / "answer").write_bytes(pki.responder.respond((pki.folder / "request").read_bytes()))
    command = ["ocsptool", "--verify-response", "--load-response", "answer", "--load-trust", "issuer.pem"]
    done = subprocess.run(command, cwd=pki.folder, capture_output=True, text=True, check=False)
    assert "Success" in done.stdout, done.stdout + done.stderr


def test_what_a_crash_left_is_gone_on_with(sqlite_pki: Pki) -> None:
    pki = sqlite_pki

    def one(name: str) -> None:
        """As far as a worker came that was killed after this one."""
        parts = pki.database, pki.signer.client, pki.clock
        hierarchy.make(name, *parts, random=token_bytes, settings=SETTINGS)

    with pki.database.write() as session:
        record(session, planning.plan_added(session, "finance", [FINANCE], "p256"), pki)
        record(session, planning.plan_renewed(session, "root"), pki)
    one("issuing-finance")
    one("cross-root-2-new")
    # Nothing is issued by an authority whose responder does not answer yet.
    assert issuer_of(pki, pki.issue()) == "issuing"
    assert make(pki) == ["ocsp-finance", "root-2", "cross-root-2-old"]
    assert issuer_of(pki, pki.issue()) == "issuing-finance"
    assert make(pki) == []


def test_every_certificate_of_a_root_is_where_its_children_say(sqlite_pki: Pki) -> None:
    pki = sqlite_pki
    renew(pki, "root")
    renew(pki, "issuing")
    told = loaded(pki, "issuing-2").extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert [one.access_location.value for one in told] == ["http://localhost:8480/ca/root-2.p7c"]
    with pki.database.read() as session:
        found = pkcs7.load_der_pkcs7_certificates(chain.bundle(session, "root-2"))
    assert {one.fingerprint(hashes.SHA256()) for one in found} == {
        loaded(pki, name).fingerprint(hashes.SHA256()) for name in ("root-2", "cross-root-2-new")
    }


def test_what_makes_no_authority(sqlite_pki: Pki) -> None:
    refused: list[tuple[str, list[str], str, type[TrustError]]] = [
        ("Finance", [FINANCE], "p256", Malformed),
        ("finance-2", [FINANCE], "p256", Malformed),
        ("root", [FINANCE], "p256", Malformed),
        ("x" * 21, [FINANCE], "p256", Malformed),
        ("finance", [FINANCE], "sm2", Malformed),
        ("finance", [], "p256", Malformed),
        ("finance", [FINANCE, FINANCE], "p256", Malformed),
        ("finance", ["nowhere"], "p256", NotFound),
    ]
    for name, domains, algorithm, kind in refused:
        with sqlite_pki.database.read() as session, pytest.raises(kind):
            planning.plan_added(session, name, domains, algorithm)


def test_one_authority_for_a_domain_and_one_generation_at_a_time(sqlite_pki: Pki) -> None:
    add(sqlite_pki)
    with sqlite_pki.database.write() as session:
        with pytest.raises(Conflict, match="has an authority already"):
            planning.plan_added(session, "money", [FINANCE], "p256")
        with pytest.raises(Conflict, match="already"):
            planning.plan_added(session, "finance", [OFFICE], "p256")
        with pytest.raises(NotFound):
            planning.plan_renewed(session, "issuing-nobody")
        with pytest.raises(NotFound):
            planning.plan_renewed(session, "issuing-finance-1")
        record(session, planning.plan_renewed(session, "root"), sqlite_pki)
        with pytest.raises(Conflict, match="not made yet"):
            planning.plan_renewed(session, "root")


@pytest.fixture
def desk(database: Database, clock: ManualClock, signer_process: Running, tmp_path: Path) -> tuple[Desk, Pki]:
    desk = opened(database, clock)
    names = {planning_act.ADD, planning_act.RENEW}
    desk.acts = Acts([one for one in acts.load() if one.act in names], planning_act.ACTS)
    hierarchy.establish(database, signer_process.client, clock, token_bytes, SETTINGS)
    return desk, join(database, clock, signer_process, tmp_path)


def test_it_takes_two_people_and_is_made_once(desk: tuple[Desk, Pki]) -> None:
    inbox, pki = desk
    body = {"name": "finance", "domains": [FINANCE], "algorithm": "p256", "basis": "演练样本"}
    with pki.database.read() as session:
        told = planning_act.ACTS[0].consequences(session, body, pki.clock.now())
    assert any("cannot be undone" in one for one in told)
    assert any("fin.beichen.example" in one for one in told)
    first, second = (
        inbox.propose(
            "he-sysadmin", body={**body, "basis": basis}, act=planning_act.ADD, object_="authority:issuing-finance"
        )
        for basis in ("演练样本", "演练样本 2")
    )
    assert make(pki) == []
    for nobody in ("he-sysadmin", "wei-auditor"):
        with pytest.raises(NotYours):
            inbox.approve(nobody, first)
    inbox.approve("lu-security", first)
    inbox.approve("lu-security", second)
    assert (inbox.state(first), inbox.state(second)) == ("done", "failed")
    assert make(pki) == ["issuing-finance", "ocsp-finance"]
    with pki.database.read() as session:
        row = session.exec(select(AuthorityPlan)).one()
        made = session.exec(select(EvidenceRow).where(EvidenceRow.type == "pki.authority.made")).all()
    assert (row.proposer, row.approver) == ("he-sysadmin", "lu-security")
    assert [one.actor for one in made][-2:] == ["lu-security"] * 2


def test_a_body_that_makes_no_sense(sqlite_pki: Pki) -> None:
    bodies: list[dict[str, object]] = [
        {},
        {"name": "finance", "domains": FINANCE, "algorithm": "p256", "basis": "x"},
        {"name": 1, "domains": [FINANCE], "algorithm": "p256", "basis": "x"},
        {"name": "finance", "domains": [1], "algorithm": "p256", "basis": "x"},
        {"name": "finance", "domains": [FINANCE], "algorithm": "p256", "basis": " "},
        {"name": "finance", "domains": [FINANCE], "algorithm": "p256", "basis": "x", "more": 1},
    ]
    for body in bodies:
        with sqlite_pki.database.read() as session, pytest.raises(TrustError):
            planning_act.ACTS[0].consequences(session, body, sqlite_pki.clock.now())  # type: ignore[arg-type]


def test_a_plan_is_done_again_from_its_record(sqlite_pki: Pki) -> None:
    pki = sqlite_pki
    add(pki)
    with pki.database.write() as session:
        row = session.exec(select(EvidenceRow).where(EvidenceRow.type == "pki.authority.planned")).one()
        (before,) = [one for one in plan.every(session) if one.name == "issuing-finance"]
        kept = session.exec(select(AuthorityPlan)).one()
        told = Record(
            sequence=1,
            content=bytes(row.content),
            identifier=row.identifier,
            at=kept.at,
            type=row.type,
            actor=row.actor,
            object=row.object,
            domain=row.domain,
            result=row.result,
            details=json.loads(row.content)["details"],
        )
        session.delete(kept)
        session.flush()
        for _ in range(2):
            assert replay_authority.HANDLERS["pki.authority.planned"](session, told)
        (after,) = [one for one in plan.every(session) if one.name == "issuing-finance"]
        assert after == before
        assert (session.exec(select(AuthorityPlan)).one().approver, plan.unfinished(session)) == ("lu-security", [])


def test_a_stranger_is_refused_as_before(sqlite_pki: Pki, tmp_path: Path) -> None:
    add(sqlite_pki)
    key = ec.generate_private_key(ec.SECP256R1())
    name = loaded(sqlite_pki, "issuing-finance").subject
    forged = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .serial_number(5)
        .public_key(key.public_key())
        .not_valid_before(sqlite_pki.clock.now())
        .not_valid_after(sqlite_pki.clock.now().replace(year=2030))
        .sign(key, hashes.SHA256())
    )
    with pytest.raises(Unauthenticated) as caught:
        sqlite_pki.authenticator.authenticate(forged.public_bytes(Encoding.DER))
    assert caught.value.word == "look-alike-issuer"
