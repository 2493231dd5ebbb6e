"""Certificates on pages: found, revoked after the consequences were shown, with a receipt that names its record."""

import re
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlmodel import select

from core.ledger.models import EvidenceRow
from core.registry import credential
from pki import revocation
from pki.request import IssuedCertificate
from tests.console.house import Browser, Console, Forms
from tests.console.test_desk import token


def page_of(issued: IssuedCertificate) -> str:
    return f"/console/certificate/{issued.serial}"


def state(console: Console, issued: IssuedCertificate) -> str:
    with console.database.read() as session:
        return credential.get(session, issued.serial).state


def test_it_is_found_by_holder_and_by_the_begin_of_its_number(console: Console) -> None:
    issued = console.certify("shen-tax")
    browser = console.browser("lu-security")
    for text in ("shen-tax", issued.serial[:10], issued.serial[:10].upper()):
        assert issued.serial in browser.get(f"/console/certificate?q={text}&state=good").text
    assert issued.serial not in browser.get("/console/certificate?q=shen-tax&state=revoked").text


def test_revoked_with_a_receipt_that_names_its_record(console: Console) -> None:
    issued = console.certify("feng-budget")
    browser, page = console.browser("lu-security"), page_of(issued)
    shown = browser.get(page).text
    assert "There is no way back" in shown
    assert "The holder has no other good certificate and can log in nowhere." in shown
    fields = {**browser.forms(page)[f"{page}/revocation"], "reason": "key-compromise", "seen": "yes"}
    done = browser.send(f"{page}/revocation", fields)
    assert done.status_code == 303
    address = done.headers["location"]
    record = address.rpartition("/")[2]
    receipt = browser.get(address).text
    with console.database.read() as session:
        row = next(iter(session.exec(select(EvidenceRow).where(EvidenceRow.identifier == record))))
    assert (row.type, row.actor, row.object) == (
        "pki.certificate.revoked",
        "lu-security",
        f"certificate:{issued.serial}",
    )
    assert state(console, issued) == "revoked"
    assert record in receipt
    assert f"guosuo evidence trace record:{row.sequence}" in receipt
    assert re.search(r"under a signed checkpoint of \d+ records", receipt)
    assert "not out yet" not in receipt
    # Reloading the receipt repeats nothing; sending the form again is told.
    assert browser.get(address).status_code == 200
    again = browser.send(f"{page}/revocation", fields)
    assert again.status_code == 409
    assert "was revoked before" in again.text
    assert "<form" not in browser.get(page).text
    assert len([one for one in console.records("pki.certificate.revoked") if one.object == row.object]) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"reason": "key-compromise"},
        {"seen": "yes", "reason": ""},
        {"seen": "yes", "reason": "certificate-hold"},
        {"seen": "yes", "reason": "remove-from-crl"},
        {"seen": "no", "reason": "superseded"},
        {"seen": "yes", "reason": "superseded", "at": "2020-01-01"},
    ],
)
def test_without_a_reason_and_a_look_at_the_consequences_nothing_is_done(
    console: Console, fields: dict[str, str]
) -> None:
    issued = console.certify("chu-dev")
    page = page_of(issued)
    answer = console.browser("lu-security").act(page, f"{page}/revocation", **fields)
    assert answer.status_code in (400, 422)
    assert state(console, issued) == "good"


def test_what_it_means_is_told_before(console: Console) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    first, second = console.pki.issue("zhou-head", key), console.pki.issue("zhou-head", key)
    shown = console.browser("lu-security").get(page_of(first)).text
    assert "Good certificates over the same key: 1." in shown
    assert page_of(second) in shown
    assert "Other good certificates of the holder, which stay as they are: 1" in shown
    # What the holder keeps: a post in charge.
    assert "<li>post: " in shown
    with console.database.write() as session:
        at = console.pki.clock.now()
        revocation.hold(session, second.serial, until=at + timedelta(days=1), message="", actor="lu-security", at=at)
    assert "counts as revoked from the day" in console.browser("lu-security").get(page_of(second)).text


def test_an_officer_s_agreement_ends_with_the_certificate(console: Console) -> None:
    row = console.file("han-office")
    officer = Browser(console.app, console.certify("zhao-ra"))
    desk = f"/console/request/{row.id}"
    assert officer.act(desk, f"{desk}/approval", comment="").status_code == 303
    assert officer.certificate is not None
    page, other = page_of(officer.certificate), console.browser("lu-security")
    shown = other.get(page).text
    assert "that will count no more" in shown
    assert desk in shown
    other.act(page, f"{page}/revocation", reason="superseded", seen="yes")
    assert "Agreed, and counts no more" in other.get(desk).text
    assert "Another officer must agree after you." in other.get(desk).text


def test_one_s_own_certificate_is_named_as_such(console: Console) -> None:
    browser = Browser(console.app, console.certify("lu-security"))
    assert browser.certificate is not None
    assert "This is the certificate that you are using now" in browser.get(page_of(browser.certificate)).text


def test_who_may_not_revoke_is_offered_nothing_and_refused(console: Console) -> None:
    issued = console.certify("chen-dev")
    browser, page = console.browser("zhao-ra"), page_of(issued)
    shown = browser.get(page).text
    assert Forms.of(shown) == {}
    form = token(console, "zhao-ra", "en", f"{page}/revocation")
    fields = {"form": form, "reason": "superseded", "seen": "yes"}
    assert browser.send(f"{page}/revocation", fields).status_code == 403
    assert state(console, issued) == "good"
    assert browser.get(f"{page}/receipt/{'0' * 32}").status_code == 403


def test_a_receipt_is_of_its_own_certificate(console: Console) -> None:
    issued, other = console.certify("zhu-office"), console.certify("qin-archive")
    browser, page = console.browser("lu-security"), page_of(issued)
    done = browser.act(page, f"{page}/revocation", reason="superseded", seen="yes")
    record = done.headers["location"].rpartition("/")[2]
    assert browser.get(f"{page_of(other)}/receipt/{record}").status_code == 404
    assert browser.get(f"{page}/receipt/{'0' * 32}").status_code == 404
    assert browser.get(f"{page}/receipt/x").status_code == 400
