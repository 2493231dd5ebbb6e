"""The machine's walk with ``openssl cmp`` alone: every operation once, by a secret first and then by signatures."""

import subprocess
from collections.abc import Iterator

import pytest
from cryptography import x509

from core.identity import Serial
from core.registry import credential
from pki import hierarchy
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
