"""The machine's walk with ``openssl cmp`` alone: every operation once, by a secret first and then by signatures."""

import subprocess
import threading
import time
from collections.abc import Iterator

import pytest
from cryptography import x509

from core.identity import Serial
from core.registry import credential
from pki import desk, hierarchy
from tests.pki.device.conftest import HOST, Machines
from tests.services.http import serving


@pytest.fixture(scope="module")
def url(lasting: Machines) -> Iterator[str]:
    (lasting.folder / "trust.pem").write_text(hierarchy.pem_chain(lasting.pki.database))
    lasting.pki.publisher.refresh()
    with serving(lasting.app) as address:
        yield address.removeprefix("http://")


def cmp(site: Machines, url: str, command: str, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    server = ("-server", url, "-path", "/.well-known/cmp/p/issuing", "-cmd", command)
    return site.run("openssl", "cmp", "-config", "", *server, "-trusted", "trust.pem", *arguments)


def done(site: Machines, url: str, command: str, *arguments: str) -> str:
    outcome = cmp(site, url, command, *arguments)
    assert outcome.returncode == 0, outcome.stderr.decode()
    return outcome.stdout.decode() + outcome.stderr.decode()


def new_key(site: Machines, name: str) -> None:
    made = site.run(
        "openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{name}.key"
    )
    assert made.returncode == 0


def state(site: Machines, name: str) -> str:
    loaded = x509.load_pem_x509_certificate((site.folder / name).read_bytes())
    with site.pki.database.read() as session:
        return credential.get(session, Serial(f"{loaded.serial_number:040x}")).state


def test_the_walk_of_a_machine(site: Machines, url: str) -> None:
    identifier, value = site.secret()
    known = ("-ref", identifier, "-secret", f"pass:{value}")
    told = done(site, url, "genm", "-infotype", "caCerts", *known)
    assert "id-it-caCerts" in told
    new_key(site, "one")
    made = ("-newkey", "one.key", "-subject", "/CN=fin-budget-app", "-sans", HOST, "-certout", "one.pem")
    done(site, url, "ir", *known, *made, "-cacertsout", "roots.pem", "-chainout", "chain.pem")
    assert site.state(identifier) == "used"
    assert state(site, "one.pem") == "good"
    assert b"Root CA" in site.run("openssl", "x509", "-in", "roots.pem", "-noout", "-subject").stdout
    signed = ("-cert", "one.pem", "-key", "one.key")
    new_key(site, "two")
    named = ("-subject", "/CN=fin-budget-app", "-sans", HOST)
    done(site, url, "cr", *signed, "-newkey", "two.key", *named, "-certout", "two.pem", "-implicit_confirm")
    new_key(site, "three")
    done(site, url, "kur", *signed, "-oldcert", "one.pem", "-newkey", "three.key", "-certout", "three.pem")
    old, new = (x509.load_pem_x509_certificate((site.folder / name).read_bytes()) for name in ("one.pem", "three.pem"))
    assert (old.subject, old.serial_number != new.serial_number) == (new.subject, True)
    request = site.run("openssl", "req", "-new", "-key", "two.key", "-subj", "/CN=fin-budget-app", "-out", "req.pem")
    assert request.returncode == 0
    done(site, url, "p10cr", *signed, "-csr", "req.pem", "-certout", "four.pem")
    for infotype in ("caCerts", "certReqTemplate", "currentCRL"):
        assert f"id-it-{infotype}" in done(site, url, "genm", *signed, "-infotype", infotype)
    done(site, url, "rr", *signed, "-oldcert", "two.pem", "-revreason", "4")
    assert state(site, "two.pem") == "revoked"
    assert state(site, "one.pem") == state(site, "three.pem") == "good"


def test_openssl_is_told_why(site: Machines, url: str) -> None:
    new_key(site, "other")
    identifier, value = site.secret()
    known = ("-ref", identifier, "-secret", f"pass:{value}")
    asked = ("-newkey", "other.key", "-certout", "other.pem")
    for arguments, failure, text in (
        (("-subject", "/CN=office-docs-app"), "badCertTemplate", "the register does not say so"),
        (
            ("-subject", "/CN=fin-budget-app", "-sans", "elsewhere.fin.beichen.example"),
            "badCertTemplate",
            "not asked for",
        ),
        (("-subject", "/CN=fin-budget-app", "-sans", "*.fin.beichen.example"), "badCertTemplate", "wildcard"),
        (("-subject", "/CN=fin-budget-app", "-popo", "0"), "badPOP", "not proved by a signature"),
    ):
        outcome = cmp(site, url, "ir", *known, *asked, *arguments)
        told = (outcome.stdout + outcome.stderr).decode()
        assert (outcome.returncode, failure in told, text in told) == (1, True, True), (arguments, told)
        assert site.state(identifier) == "open"
    wrong = cmp(
        site, url, "ir", "-ref", identifier, "-secret", "pass:guessed", *asked, "-subject", "/CN=fin-budget-app"
    )
    assert wrong.returncode == 1
    assert site.refusals()[-1] == "bad-message-check"
    unknown = cmp(site, url, "ir", "-ref", "nobody", "-secret", f"pass:{value}", *asked, "-subject", "/CN=x")
    assert unknown.returncode == 1
    assert site.refusals()[-1] == "bad-message-check"


def test_a_certificate_that_is_not_wanted_is_revoked(site: Machines, url: str) -> None:
    """openssl rejects what does not lead to the roots that it is told to trust for that."""
    identifier, value = site.secret()
    new_key(site, "picky")
    foreign = site.run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", "foreign.key", "-out", "foreign.pem", "-subj", "/CN=foreign",
    )  # fmt: skip
    assert foreign.returncode == 0
    outcome = cmp(
        site, url, "ir", "-ref", identifier, "-secret", f"pass:{value}", "-newkey", "picky.key",
        "-subject", "/CN=fin-budget-app", "-certout", "picky.pem", "-out_trusted", "foreign.pem",
    )  # fmt: skip
    assert outcome.returncode == 1
    concluded = site.records("pki.cmp.concluded")[-1]
    assert concluded["details"]["state"] == "rejected"
    with site.pki.database.read() as session:
        assert credential.get(session, Serial(concluded["details"]["serial"])).state == "revoked"


def test_openssl_waits_for_two_officers(site: Machines, url: str) -> None:
    """At protection level 4 the request is filed at the desk, and asked about until it is decided."""
    identifier, value = site.secret("office-docs", hosts=("office-docs.office.beichen.example",))
    new_key(site, "docs")
    approved = threading.Thread(target=approve, args=(site,))
    approved.start()
    made = ("-newkey", "docs.key", "-subject", "/CN=office-docs-app", "-certout", "docs.pem", "-total_timeout", "8")
    known = ("-ref", identifier, "-secret", f"pass:{value}", "-sans", "office-docs.office.beichen.example")
    done(site, url, "ir", *known, *made)
    approved.join()
    assert state(site, "docs.pem") == "good"


def approve(site: Machines) -> None:
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        with site.pki.database.read() as session:
            waiting = desk.find(session, "submitted", 1)
        if waiting:
            assert [site.decide(officer) for officer in ("zhao-ra", "sun-yue")] == ["checked", "issued"]
            return
        time.sleep(0.05)
