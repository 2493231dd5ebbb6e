"""The protocol as it is served: the whole path on both stores, and every request that is refused."""

import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from sqlmodel import func, select

from core.identity import Serial
from core.registry import credential
from core.registry.models import Device, SecurityDomain
from pki.acme import binding, finalize, jobs, limit
from pki.acme.models import AcmeAccount, AcmeChallenge, AcmeNonce, AcmeOrder
from pki.errors import NeedsSecond
from pki.models import Certificate, IssuanceIntent
from tests.pki.acme import client, machine
from tests.pki.acme.client import Client, b64, csr, jws
from tests.pki.acme.conftest import ADDRESS, HOST, OTHER, Acme


def show(acme: Acme, someone: Client, order: dict[str, Any], *, wrong: bool = False) -> None:
    """Let the machine show what its http-01 challenges ask for, and the worker look."""
    asked = someone.challenges(order)
    files = {one["token"]: someone.key_authorization("x" if wrong else one["token"]) for one in asked}
    with machine.web(
        ADDRESS,
        acme.server.settings.http_port,
        lambda path: (200, {}, files[path.rsplit("/", 1)[1]].encode() + b"\n"),
    ):
        for one in asked:
            answer = someone.post(one["url"], {})
            assert (answer.status_code, answer.json()["status"]) == (200, "processing")
        assert acme.look() == len(asked)


def ready(acme: Acme, someone: Client, *names: str) -> dict[str, Any]:
    answer = someone.order(*(names or (HOST,)))
    assert answer.status_code == 201, answer.text
    order: dict[str, Any] = answer.json()
    show(acme, someone, order)
    found = someone.post(answer.headers["location"])
    assert found.json()["status"] == "ready", found.text
    return {**found.json(), "url": answer.headers["location"]}


def issued(acme: Acme, someone: Client, *names: str, key: Any = None) -> tuple[bytes, dict[str, Any]]:
    order = ready(acme, someone, *names)
    done = someone.finalize(order, csr(*(names or (HOST,)), key=key))
    assert (done.status_code, done.json()["status"]) == (200, "valid"), done.text
    chain = someone.post(done.json()["certificate"])
    assert chain.headers["content-type"] == "application/pem-certificate-chain"
    return x509.load_pem_x509_certificates(chain.content)[0].public_bytes(Encoding.DER), done.json()


def kind(answer: Any) -> str:
    """The word of a refusal; every refusal is a problem document without a null, and brings a nonce."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert answer.headers["replay-nonce"]
    found = answer.json()
    assert None not in found.values()
    return f"{answer.status_code} {found['type'].removeprefix('urn:ietf:params:acme:error:')}"


def count(acme: Acme, table: Any) -> int:
    with acme.pki.database.read() as session:
        return session.exec(select(func.count()).select_from(table)).one()


def test_machine_gets_its_certificate(acme_on_both: Acme) -> None:
    acme = acme_on_both
    someone = acme.client()
    der, order = issued(acme, someone, HOST, OTHER, ADDRESS)
    made = x509.load_der_x509_certificate(der)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {HOST, OTHER}
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == [ADDRESS]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["urn:guosuo:application:fin-budget-app"]
    # Programs take a server's common name for a host name, and order it the next time.
    assert made.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value in (HOST, OTHER)
    assert made.not_valid_after_utc - made.not_valid_before_utc <= timedelta(days=180)
    told = [str(one["type"]) for one in acme.records()]
    assert told == [
        "pki.acme.key-made",
        "pki.acme.account-made",
        "pki.acme.order-made",
        *["pki.acme.authorization-ended"] * 3,
        "pki.acme.order-concluded",
    ]
    assert {one["actor"] for one in acme.records()} == {"zhao-ra", "device:fin-budget-app"}
    assert json.dumps(acme.records()).count(acme.make_key()[1]) == 0
    assert order["status"] == "valid"


def test_every_answer_brings_a_nonce_and_the_way_to_the_directory(acme: Acme) -> None:
    first = acme.web.head("/acme/issuing/new-nonce")
    second = acme.web.get("/acme/issuing/new-nonce")
    assert (first.status_code, second.status_code) == (200, 204)
    assert first.headers["replay-nonce"] != second.headers["replay-nonce"]
    assert first.headers["cache-control"] == "no-store"
    assert 'rel="index"' in first.headers["link"]
    assert acme.web.get("/acme/issuing/directory").json()["meta"] == {"externalAccountRequired": True}
    assert kind(acme.web.get("/acme/other/directory")) == "404 malformed"
    assert kind(acme.web.get("/nowhere")) == "404 malformed"


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
    ],
)
def test_accounts_have_keys_of_every_kind(acme: Acme, key: client.Key) -> None:
    someone = acme.stranger()
    someone.key = key
    assert someone.register(*acme.make_key()).status_code == 201
    assert someone.order(HOST).status_code == 201


def test_account_needs_a_binding_and_is_found_again(acme: Acme) -> None:
    someone, identifier, secret = acme.stranger(), *acme.make_key()
    url = someone.directory["newAccount"]
    assert kind(someone.post(url, {"onlyReturnExisting": True})) == "400 accountDoesNotExist"
    assert kind(someone.post(url, {"termsOfServiceAgreed": True})) == "403 externalAccountRequired"
    made = someone.post(url, {"externalAccountBinding": someone.binding(identifier, secret)})
    assert made.status_code == 201
    again = someone.post(url, {"onlyReturnExisting": True})
    assert (again.status_code, again.headers["location"]) == (200, made.headers["location"])
    assert acme.key(identifier).state == "used"
    other = acme.stranger()
    assert kind(other.register(identifier, secret)) == "403 unauthorized"
    assert count(acme, AcmeAccount) == 1
    assert acme.refusals() == ["accountDoesNotExist", "externalAccountRequired", "unauthorized"]


def test_wrong_bindings_bind_nobody(acme: Acme) -> None:
    identifier, secret = acme.make_key()
    other = acme.make_key()
    someone = acme.stranger()
    url = someone.directory["newAccount"]
    stranger = acme.stranger()
    wrong: list[Any] = [
        someone.binding(identifier, other[1]),
        someone.binding("0" * 32, secret),
        someone.binding("", secret),
        someone.binding(identifier, secret, url="https://testserver/elsewhere"),
        someone.binding(identifier, secret, nonce=someone.nonce()),
        stranger.binding(identifier, secret),
        {**someone.binding(identifier, secret), "payload": b64(b"{}")},
        jws({"alg": "ES256", "kid": identifier, "url": url}, client.jwk(someone.key), someone.key),
        {"protected": "", "payload": "", "signature": ""},
        {},
    ]
    for one in wrong:
        answer = someone.post(url, {"externalAccountBinding": one})
        assert answer.status_code in (400, 403), answer.text
    assert acme.key(identifier).state == "open"
    assert count(acme, AcmeAccount) == 0
    assert len(acme.refusals()) == len(wrong)
    acme.pki.clock.advance(hours=73)
    assert kind(someone.register(identifier, secret)) == "403 unauthorized"


def test_key_is_never_taken_for_an_option(acme: Acme) -> None:
    """A client is given it on a command line: it does not begin with a hyphen, whatever was drawn."""
    row = acme.key(acme.make_key()[0])
    shown = set()
    for number in range(500):
        row.id = f"{number:032x}"
        shown.add(b64(binding.secret_of(row, acme.server.secret)))
    assert len(shown) == 500
    assert not [one for one in shown if not one[0].isalpha()]


def test_holder_of_a_changed_row_is_not_bound(acme: Acme) -> None:
    """Who writes into the store and knows no secret makes no key of it."""
    identifier, secret = acme.make_key()
    with acme.pki.database.write() as session:
        row = session.get_one(type(acme.key(identifier)), identifier)
        row.holder, row.domain = "office-docs-app", "inner-office"
    assert kind(acme.stranger().register(identifier, secret)) == "403 unauthorized"


def test_contacts_are_addresses_of_mail_and_stay_out_of_the_evidence(acme: Acme) -> None:
    someone = acme.stranger()
    identifier, secret = acme.make_key()
    body = {"externalAccountBinding": someone.binding(identifier, secret)}
    for bad in (["tel:1"], ["mailto:a"], ["mailto:a@b?bcc=c@d"], ["mailto:a@b,c@d"], ["mailto:" + "a" * 300 + "@b"]):
        answer = someone.post(someone.directory["newAccount"], {**body, "contact": bad})
        assert kind(answer) == "400 unsupportedContact", bad
    assert acme.key(identifier).state == "open"
    assert someone.register(identifier, secret, contact=["mailto:ops@fin.beichen.example"]).status_code == 201
    changed = someone.post(someone.kid, {"contact": ["mailto:night@fin.beichen.example"]})
    assert changed.json()["contact"] == ["mailto:night@fin.beichen.example"]
    assert "mailto" not in json.dumps([one for one in acme.records() if one["result"] == "done"])


def test_closed_account_stays_closed(acme: Acme) -> None:
    someone = acme.client()
    assert kind(someone.post(someone.kid, {"status": "revoked"})) == "400 malformed"
    assert someone.post(someone.kid, {"status": "deactivated"}).json()["status"] == "deactivated"
    assert kind(someone.order(HOST)) == "401 unauthorized"
    assert kind(someone.post(someone.kid)) == "401 unauthorized"
    someone.kid = ""
    assert kind(someone.post(someone.directory["newAccount"], {"onlyReturnExisting": True})) == "401 unauthorized"


def test_nobody_acts_for_a_machine_or_a_domain_that_is_gone(acme: Acme) -> None:
    someone = acme.client()
    order = ready(acme, someone)
    with acme.pki.database.write() as session:
        session.get_one(SecurityDomain, "outer-finance").suspended = True
    assert kind(someone.finalize(order, csr(HOST))) == "401 unauthorized"
    with acme.pki.database.write() as session:
        session.get_one(SecurityDomain, "outer-finance").suspended = False
        session.get_one(Device, "fin-budget-app").ended_at = acme.pki.clock.now()
    assert kind(someone.finalize(order, csr(HOST))) == "401 unauthorized"
    assert count(acme, Certificate) == 0


def test_nonce_is_used_once_by_whichever_worker(acme: Acme) -> None:
    someone = acme.client()
    url = someone.directory["newOrder"]
    body = {"identifiers": [{"type": "dns", "value": HOST}]}
    once = jws(someone.header(url), body, someone.key)
    assert someone.send(url, once).status_code == 201
    assert kind(someone.send(url, once)) == "400 badNonce"
    # Another worker with the same secret and store knows it, too.
    other = type(acme.server.nonces)(
        database=acme.pki.database, clock=acme.pki.clock, random=bytes, secret=acme.server.secret
    )
    with pytest.raises(Exception, match="used before"):
        other.use(json.loads(client.base64.urlsafe_b64decode(once["protected"] + "=="))["nonce"])
    for bad in ("", "AAAA", "A" * 43, someone.nonce()[:-1] + "*", someone.nonce()[::-1]):
        assert kind(someone.post(url, body, nonce=bad)) == "400 badNonce", bad
    old = someone.nonce()
    acme.pki.clock.advance(minutes=31)
    assert kind(someone.post(url, body, nonce=old)) == "400 badNonce"
    assert set(acme.refusals()) == {"badNonce"}
    with acme.pki.database.write() as session:
        jobs.tidy(session, acme.pki.clock.now())
    assert count(acme, AcmeNonce) == 0


def test_nonce_of_a_refused_request_is_gone(acme: Acme) -> None:
    someone = acme.client()
    url = someone.directory["newOrder"]
    once = jws(someone.header(url), {"identifiers": []}, someone.key)
    assert kind(someone.send(url, once)) == "400 malformed"
    assert kind(someone.send(url, once)) == "400 badNonce"


def test_request_for_another_address_or_by_another_key_is_refused(acme: Acme) -> None:
    someone, other = acme.client(), acme.client("office-docs")
    url = someone.directory["newOrder"]
    body = {"identifiers": [{"type": "dns", "value": HOST}]}
    assert kind(someone.post(url, body, url=someone.directory["newAccount"])) == "401 unauthorized"
    assert kind(someone.send(url, jws(someone.header(url), body, other.key))) == "401 unauthorized"
    assert (
        kind(someone.post(url, body, kid="https://testserver/acme/issuing/account/" + "0" * 32))
        == "400 accountDoesNotExist"
    )
    assert kind(someone.post(url, body, kid="https://elsewhere/acme/issuing/account/1")) == "400 accountDoesNotExist"
    assert kind(someone.post(url, body, kid=None, jwk=client.jwk(someone.key))) == "400 malformed"
    assert kind(
        someone.send(url, jws(someone.header(url), body, someone.key), {"Content-Type": "application/json"})
    ) == ("415 malformed")
    assert kind(someone.send(url, b"\xff" * 200)) == "400 malformed"
    assert someone.send(url, b" " * 200_000).status_code == 413
    assert count(acme, AcmeOrder) == 0


def test_what_belongs_to_another_account_is_not_there(acme: Acme) -> None:
    someone, other = acme.client(), acme.client()
    answer = someone.order(HOST)
    order, challenge = answer.json(), someone.challenges(answer.json())[0]
    for url in (answer.headers["location"], order["authorizations"][0], challenge["url"]):
        assert kind(other.post(url)) == "404 malformed"
    assert kind(other.post(challenge["url"], {})) == "404 malformed"
    assert kind(other.finalize(order, csr(HOST))) == "404 malformed"
    assert kind(other.post(someone.kid)) == "403 unauthorized"
    assert kind(other.post(f"{someone.kid}/orders")) == "403 unauthorized"
    assert someone.post(f"{someone.kid}/orders").json() == {"orders": [answer.headers["location"]]}


def test_names_outside_of_the_register_are_rejected_one_by_one(acme: Acme) -> None:
    someone = acme.client()
    answer = someone.order(HOST, "docs.office.beichen.example", "*.fin.beichen.example", "10.10.0.1", "localhost")
    assert kind(answer) == "403 rejectedIdentifier"
    named = {one["identifier"]["value"] for one in answer.json()["subproblems"]}
    assert named == {"docs.office.beichen.example", "*.fin.beichen.example", "10.10.0.1", "localhost"}
    url = someone.directory["newOrder"]
    assert kind(someone.post(url, {"identifiers": [{"type": "email", "value": "a@b"}]})) == "400 unsupportedIdentifier"
    many = [{"type": "dns", "value": f"a{number}.fin.beichen.example"} for number in range(21)]
    for bad in ({}, {"identifiers": []}, {"identifiers": many}, {"identifiers": [{"type": "dns"}]}, [], "text"):
        assert kind(someone.post(url, bad)) == "400 malformed", bad
    assert kind(someone.order(HOST, notAfter="2027-01-01T00:00:00Z")) == "400 malformed"
    assert count(acme, AcmeOrder) == 0


def test_machine_that_shows_something_else_ends_the_order(acme: Acme) -> None:
    someone = acme.client()
    answer = someone.order(HOST, OTHER)
    show(acme, someone, answer.json(), wrong=True)
    found = someone.post(answer.headers["location"]).json()
    assert found["status"] == "invalid"
    above = someone.post(found["authorizations"][0]).json()
    assert above["status"] == "invalid"
    (tried,) = above["challenges"]
    assert tried["error"]["type"].endswith(":incorrectResponse")
    assert kind(someone.finalize(found, csr(HOST, OTHER))) == "403 orderNotReady"
    ended = [one for one in acme.records() if one["type"] == "pki.acme.authorization-ended"]
    assert {one["result"] for one in ended} == {"refused"}


def test_challenge_waits_until_it_is_asked_and_is_looked_at_once(acme: Acme) -> None:
    someone = acme.client()
    order = someone.order(HOST).json()
    assert acme.look() == 0
    (challenge,) = someone.challenges(order)
    assert someone.post(challenge["url"]).json()["status"] == "pending"
    assert kind(someone.post(challenge["url"], b"nonsense")) == "400 malformed"
    show(acme, someone, order)
    assert someone.post(challenge["url"], {}).json()["status"] == "valid"
    assert acme.look() == 0


def test_authorization_can_be_given_up(acme: Acme) -> None:
    someone = acme.client()
    answer = someone.order(HOST)
    (url,) = answer.json()["authorizations"]
    assert kind(someone.post(url, {"status": "valid"})) == "400 malformed"
    assert someone.post(url, {"status": "deactivated"}).json()["status"] == "deactivated"
    assert kind(someone.post(url, {"status": "deactivated"})) == "409 malformed"
    assert someone.post(answer.headers["location"]).json()["status"] == "invalid"


def test_request_names_exactly_what_was_ordered(acme: Acme) -> None:
    someone = acme.client()
    order = ready(acme, someone, HOST, OTHER)
    reused = client.new_key()
    before = count(acme, IssuanceIntent)
    bad = {
        "fewer": csr(HOST),
        "more": csr(HOST, OTHER, "www.fin.beichen.example"),
        "another": csr(HOST, "www.fin.beichen.example"),
        "with an address": csr(HOST, OTHER, ADDRESS),
        "somebody else's common name": csr(HOST, OTHER, common_name="office.beichen.example"),
        "broken": csr(HOST, OTHER)[:-1] + b"\0",
        "weak": csr(HOST, OTHER, key=rsa.generate_private_key(65537, 2048)),
        "other curve": csr(HOST, OTHER, key=ec.generate_private_key(ec.SECP256K1())),
        "nonsense": b"nonsense",
        "empty": b"",
    }
    for name, content in bad.items():
        assert kind(someone.finalize(order, content)) == "400 badCSR", name
        assert someone.post(order["url"]).json()["status"] == "ready", name
    assert count(acme, IssuanceIntent) == before, "no serial number was used"
    done = someone.finalize(order, csr(HOST, OTHER, key=reused, common_name=HOST))
    assert done.json()["status"] == "valid"
    assert kind(someone.finalize(order, csr(HOST, OTHER))) == "403 orderNotReady"


def test_order_that_waits_too_long_is_invalid(acme: Acme) -> None:
    someone = acme.client()
    order = ready(acme, someone)
    acme.pki.clock.advance(hours=25)
    assert someone.post(order["url"]).json()["status"] == "invalid"
    assert kind(someone.finalize(order, csr(HOST))) == "403 orderNotReady"
    acme.pki.clock.advance(days=8)
    with acme.pki.database.write() as session:
        jobs.tidy(session, acme.pki.clock.now())
    assert (count(acme, AcmeOrder), count(acme, AcmeChallenge), count(acme, AcmeAccount)) == (0, 0, 1)


@pytest.mark.parametrize("issued_before", [True, False])
def test_order_that_lost_its_worker_comes_to_its_end(acme_on_both: Acme, issued_before: bool) -> None:
    acme = acme_on_both
    someone = acme.client()
    order = ready(acme, someone)
    content = csr(HOST)
    identifier = order["url"].rsplit("/", 1)[1]
    if issued_before:
        assert someone.finalize(order, content).json()["status"] == "valid"
    with acme.pki.database.write() as session:
        row = session.get_one(AcmeOrder, identifier)
        row.status, row.serial, row.request = "processing", "", row.request or "0" * 64
        row.finalized_at = acme.pki.clock.now()
    acme.pki.clock.advance(minutes=2)
    with acme.pki.database.write() as session:
        assert finalize.resume(session, acme.pki.clock.now()) == 0
    acme.pki.clock.advance(minutes=2)
    with acme.pki.database.write() as session:
        assert finalize.resume(session, acme.pki.clock.now()) == 1
    found = someone.post(order["url"]).json()
    assert found["status"] == ("valid" if issued_before else "invalid")
    assert ("certificate" in found) == issued_before
    assert ("error" in found) != issued_before


def test_where_two_officers_are_needed_one_binding_is_not_enough(acme: Acme) -> None:
    someone = acme.client()
    order = ready(acme, someone)
    with acme.pki.database.write() as session:
        session.get_one(SecurityDomain, "outer-finance").level = 4
    with acme.pki.database.read() as session, pytest.raises(NeedsSecond, match="take two officers"):
        binding.check_officers(session, binding.find_holder(session, "fin-budget"))
    before = count(acme, IssuanceIntent)
    assert kind(someone.finalize(order, csr(HOST))) == "403 unauthorized"
    assert count(acme, IssuanceIntent) == before, "no serial number was used"
    assert someone.post(order["url"]).json()["status"] == "ready"
    assert acme.refusals()[-1] == "unauthorized"
    (refused,) = acme.records("pki.request.refused")
    assert refused["details"]["reason"] == "needs-second-officer"  # type: ignore[index]


def test_order_that_lost_its_worker_gets_no_certificate_of_an_earlier_one(acme: Acme) -> None:
    """A renewal over the same RSA key is the same request, octet for octet."""
    someone, content = acme.client(), csr(HOST)
    first = ready(acme, someone)
    assert someone.finalize(first, content).json()["status"] == "valid"
    acme.pki.clock.advance(hours=1)
    second = ready(acme, someone)
    with acme.pki.database.write() as session:
        earlier, row = (session.get_one(AcmeOrder, one["url"].rsplit("/", 1)[1]) for one in (first, second))
        row.status, row.request, row.finalized_at = "processing", earlier.request, acme.pki.clock.now()
    acme.pki.clock.advance(minutes=4)
    with acme.pki.database.write() as session:
        assert finalize.resume(session, acme.pki.clock.now()) == 1
    assert someone.post(second["url"]).json()["status"] == "invalid"


def test_certificate_is_its_holders(acme: Acme) -> None:
    someone, other, colleague = acme.client(), acme.client("office-docs"), acme.client()
    _der, order = issued(acme, someone)
    assert kind(other.post(order["certificate"])) == "404 malformed"
    assert colleague.post(order["certificate"]).status_code == 200, "another account of the same machine"
    assert kind(someone.post(order["certificate"], {})) == "400 malformed"
    assert kind(someone.post(order["certificate"][:-1] + "x")) == "404 malformed"


def revoke(someone: Client, der: bytes, reason: object = 4) -> Any:
    return someone.post(someone.directory["revokeCert"], {"certificate": b64(der), "reason": reason})


def test_certificate_is_revoked_by_its_account_or_its_own_key(acme: Acme) -> None:
    someone, other, key = acme.client(), acme.client("office-docs"), client.new_key()
    first, _ = issued(acme, someone)
    second, _ = issued(acme, someone, key=key)
    stranger, owner = acme.stranger(), acme.stranger()
    owner.key = key
    assert kind(revoke(other, first)) == "403 unauthorized"
    assert kind(revoke(stranger, first)) == "403 unauthorized"
    assert kind(revoke(owner, first)) == "403 unauthorized"
    for bad in (2, 6, 8, 99, -1):
        assert kind(revoke(someone, first, bad)) == "400 badRevocationReason"
    assert kind(revoke(someone, first, "4")) == "400 malformed"
    assert kind(revoke(someone, first[:-3] + b"\0\0\0")) in ("400 malformed", "404 malformed")
    assert revoke(someone, first).status_code == 200
    assert kind(revoke(someone, first)) == "409 alreadyRevoked"
    assert revoke(owner, second, 1).status_code == 200
    with acme.pki.database.read() as session:
        states = [
            credential.get(session, Serial(f"{x509.load_der_x509_certificate(der).serial_number:040x}"))
            for der in (first, second)
        ]
    assert [(one.state, one.revocation_reason) for one in states] == [
        ("revoked", "superseded"),
        ("revoked", "key-compromise"),
    ]
    acme.pki.publisher.refresh()
    listed = x509.load_der_x509_crl(acme.pki.publisher.current("issuing"))
    assert {one.serial_number for one in listed} == {int(one.serial, 16) for one in states}


def roll(someone: Client, new: client.Key, **more: Any) -> Any:
    url = someone.directory["keyChange"]
    body = {"account": someone.kid, "oldKey": client.jwk(someone.key), **more.pop("body", {})}
    header = {"alg": client.algorithm(new), "url": url, "jwk": client.jwk(new), **more}
    return someone.post(url, jws(header, body, new))


def test_account_gets_another_key(acme: Acme) -> None:
    someone, other, old = acme.client(), acme.client(), None
    new = ed25519.Ed25519PrivateKey.generate()
    assert kind(roll(someone, other.key)) == "409 malformed"
    assert kind(roll(someone, someone.key)) == "409 malformed"
    assert kind(roll(someone, new, body={"account": other.kid})) == "400 malformed"
    assert kind(roll(someone, new, body={"oldKey": client.jwk(other.key)})) == "400 malformed"
    assert kind(roll(someone, new, url=someone.directory["newOrder"])) == "400 malformed"
    assert kind(roll(someone, new, nonce=someone.nonce())) == "400 malformed"
    assert kind(roll(someone, new, jwk=client.jwk(other.key))) == "400 badSignatureAlgorithm"
    assert roll(someone, new).status_code == 200
    old, someone.key = someone.key, new
    assert someone.order(HOST).status_code == 201
    someone.key = old
    assert kind(someone.order(HOST)) == "400 badSignatureAlgorithm"


def test_who_asks_too_often_waits(acme: Acme) -> None:
    someone = acme.client()
    for _ in range(limit.WAITING):
        assert someone.order(HOST).status_code == 201
    answer = someone.order(HOST)
    assert kind(answer) == "429 rateLimited"
    assert int(answer.headers["retry-after"]) > 0
    answers = [acme.web.get("/acme/issuing/new-nonce") for _ in range(700)]
    assert {one.status_code for one in answers} == {204, 429}
    acme.pki.clock.advance(minutes=2)
    assert acme.web.get("/acme/issuing/new-nonce").status_code == 204
    assert acme.refusals() == [], "who asks too often does not fill the evidence"


def test_refusals_of_strangers_do_not_fill_the_evidence(acme: Acme) -> None:
    someone = acme.stranger()
    answers = [someone.send(someone.directory["newAccount"], b"{}") for _ in range(340)]
    assert {one.status_code for one in answers} == {400, 429}
    assert len(acme.refusals()) == 300
