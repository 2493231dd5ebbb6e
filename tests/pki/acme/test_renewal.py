"""When a certificate is to be renewed: the usual time, a revocation, an incident; and orders that replace one."""

from datetime import datetime, timedelta

import pytest
from cryptography import x509

from core.errors import TrustError
from core.identity import Serial
from core.registry import credential
from pki.acme import jobs, renewal, window
from pki.acme.holding import Enrolments
from pki.acme.models import AcmeRenewal
from tests.pki.acme.conftest import HOST, OTHER, Acme
from tests.pki.acme.test_protocol import issued, kind, ready, revoke


def name_of(der: bytes) -> str:
    """By hand, from the certificate alone, as a client does (RFC 9773, 4.1)."""
    made = x509.load_der_x509_certificate(der)
    key = made.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert key is not None
    return window.name_of(key, f"{made.serial_number:040x}")


def serial_of(der: bytes) -> Serial:
    return Serial(f"{x509.load_der_x509_certificate(der).serial_number:040x}")


def ask(acme: Acme, der: bytes) -> tuple[datetime, datetime, str]:
    answer = acme.web.get(f"/acme/issuing/renewal-info/{name_of(der)}")
    assert answer.status_code == 200, answer.text
    assert 0 < int(answer.headers["retry-after"]) <= 86_400
    found = answer.json()["suggestedWindow"]
    start, end = (datetime.fromisoformat(found[one]) for one in ("start", "end"))
    assert start < end
    return start, end, answer.json().get("explanationURL", "")


def test_window_moves_with_an_incident_and_a_revocation(acme: Acme) -> None:
    someone = acme.client()
    der, _ = issued(acme, someone)
    made = x509.load_der_x509_certificate(der)
    start, end, _ = ask(acme, der)
    assert made.not_valid_before_utc + timedelta(days=100) < start < end < made.not_valid_after_utc
    with acme.pki.database.write() as session:
        renewal.move(
            session,
            [serial_of(der)],
            within=timedelta(hours=12),
            explanation="https://trust.beichen.example/incident-1",
            actor="lu-security",
            at=acme.pki.clock.now(),
        )
    start, end, why = ask(acme, der)
    assert end - acme.pki.clock.now() == timedelta(hours=12)
    assert why.endswith("/incident-1")
    assert [one["actor"] for one in acme.records("pki.renewal")] == ["lu-security"]
    assert revoke(someone, der).status_code == 200
    assert ask(acme, der)[1] <= acme.pki.clock.now(), "what is revoked is renewed at once"
    acme.pki.clock.advance(days=400)
    with acme.pki.database.write() as session:
        jobs.tidy(session, acme.pki.clock.now())
        assert session.get(AcmeRenewal, serial_of(der)) is None


def test_marked_set_is_moved_whole_or_not_at_all(acme: Acme) -> None:
    someone = acme.client()
    first, second = issued(acme, someone)[0], issued(acme, someone)[0]
    revoke(someone, second)
    for bad in (second, b""):
        serials = [serial_of(first), serial_of(bad) if bad else Serial("01" * 20)]
        with pytest.raises(TrustError), acme.pki.database.write() as session:
            renewal.move(
                session, serials, within=timedelta(hours=1), explanation="", actor="lu", at=acme.pki.clock.now()
            )
    with acme.pki.database.read() as session:
        assert session.get(AcmeRenewal, serial_of(first)) is None


@pytest.mark.parametrize("name", ["x", "AAAA.AAAA", "a.b.c", "%00", "A" * 500, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"])
def test_what_names_no_certificate_is_refused(acme: Acme, name: str) -> None:
    assert kind(acme.web.get(f"/acme/issuing/renewal-info/{name}")) in ("400 malformed", "404 malformed")


def test_order_says_what_it_replaces_once(acme: Acme) -> None:
    someone, other = acme.client(), acme.client("office-docs")
    der, _ = issued(acme, someone)
    name = name_of(der)
    assert kind(other.order("docs.office.beichen.example", replaces=name)) == "403 unauthorized"
    assert kind(someone.order(OTHER, replaces=name)) == "403 unauthorized"
    assert kind(someone.order(HOST, replaces="AAAA.AAAA")) == "404 malformed"
    made = someone.order(HOST, replaces=name)
    assert (made.status_code, made.json()["replaces"]) == (201, name)
    assert kind(someone.order(HOST, replaces=name)) == "409 alreadyReplaced"
    # An order that came to nothing replaces nothing.
    someone.post(made.json()["authorizations"][0], {"status": "deactivated"})
    assert someone.order(HOST, replaces=name).status_code == 201


def test_who_was_told_to_renew_is_not_held_up(acme: Acme) -> None:
    someone = acme.client()
    der, _ = issued(acme, someone)
    with acme.pki.database.write() as session:
        at = acme.pki.clock.now()
        renewal.move(session, [serial_of(der)], within=timedelta(hours=1), explanation="", actor="lu-security", at=at)
    while someone.order(HOST).status_code == 201:
        pass
    assert someone.order(HOST, replaces=name_of(der)).status_code == 201


def test_renewed_certificate_leaves_the_first_good(acme: Acme) -> None:
    someone = acme.client()
    first, _ = issued(acme, someone)
    order = ready(acme, someone)
    assert order["status"] == "ready"
    second, _ = issued(acme, someone)
    with acme.pki.database.read() as session:
        assert [credential.get(session, serial_of(one)).state for one in (first, second)] == ["good", "good"]


def test_machine_holds_its_accounts_and_keys(acme: Acme) -> None:
    someone = acme.client()
    acme.make_key()
    with acme.pki.database.read() as session:
        for kind_, identifier in (("device", "fin-budget-app"), ("domain", "outer-finance")):
            held = Enrolments().holdings(session, kind_, identifier, acme.pki.clock.now())
            assert [one.kind for one in held] == ["acme-account", "acme-key"]
        assert Enrolments().holdings(session, "person", "fin-budget-app", acme.pki.clock.now()) == []
    someone.post(someone.kid, {"status": "deactivated"})
    acme.pki.clock.advance(hours=73)
    with acme.pki.database.read() as session:
        assert Enrolments().holdings(session, "device", "fin-budget-app", acme.pki.clock.now()) == []
