"""The machine's walk with curl and openssl alone: first certificate by a secret, the next ones by the last."""

from collections.abc import Iterator

import pytest
from cryptography import x509

from tests.pki.device.conftest import HOST, Machines, serving_tls


@pytest.fixture(scope="module")
def url(lasting: Machines) -> Iterator[str]:
    with serving_tls(lasting) as address:
        yield f"{address}/.well-known/est"


def curl(site: Machines, *arguments: str) -> tuple[str, str]:
    done = site.run(
        "curl", "-sS", "--cacert", "trust.pem", "-o", "answer", "-w", "%{http_code} %{content_type}", *arguments
    )
    assert done.returncode == 0, done.stderr
    status, _, media = done.stdout.decode().partition(" ")
    return status, media


def make_request(site: Machines, name: str, subject: str = "/CN=fin-budget-app", *more: str) -> None:
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    names = ("-addext", f"subjectAltName=DNS:{HOST}")
    made = ("-nodes", "-keyout", f"{name}.key", "-outform", "DER", "-out", f"{name}.der")
    done = site.run("openssl", "req", "-new", *kind, *made, "-subj", subject, *names, *more)
    assert done.returncode == 0, done.stderr
    done = site.run("openssl", "base64", "-in", f"{name}.der", "-out", f"{name}.b64")
    assert done.returncode == 0


def read_answer(site: Machines, name: str) -> x509.Certificate:
    done = site.run("openssl", "base64", "-d", "-in", "answer", "-out", "answer.der")
    assert done.returncode == 0
    done = site.run(
        "openssl", "pkcs7", "-inform", "DER", "-in", "answer.der", "-print_certs", "-out", f"{name}.all.pem"
    )
    assert done.returncode == 0, done.stderr
    done = site.run("openssl", "x509", "-in", f"{name}.all.pem", "-out", f"{name}.pem")
    assert done.returncode == 0, done.stderr
    return x509.load_pem_x509_certificate((site.folder / f"{name}.pem").read_bytes())


def enrol(site: Machines, url: str, operation: str, name: str, *proof: str) -> tuple[str, str]:
    sent = ("-H", "Content-Type: application/pkcs10", "--data-binary", f"@{name}.b64")
    return curl(site, *sent, *proof, f"{url}/{operation}")


def test_the_walk_of_a_machine(site: Machines, url: str) -> None:
    assert curl(site, f"{url}/cacerts") == ("200", "application/pkcs7-mime; smime-type=certs-only")
    site.run("openssl", "base64", "-d", "-in", "answer", "-out", "answer.der")
    done = site.run("openssl", "pkcs7", "-inform", "DER", "-in", "answer.der", "-print_certs", "-noout")
    assert done.stdout.count(b"subject=") == 2
    identifier, value = site.secret()
    make_request(site, "first")
    known = ("-u", f"{identifier}:{value}")
    assert curl(site, *known, f"{url}/csrattrs") == ("200", "application/csrattrs")
    assert enrol(site, url, "simpleenroll", "first", *known)[0] == "200"
    first = read_answer(site, "first")
    assert site.state(identifier) == "used"
    verified = site.run(
        "openssl", "verify", "-x509_strict", "-verify_hostname", HOST, "-CAfile", "trust.pem", "first.pem"
    )
    assert verified.returncode == 0, verified.stderr
    # Asked again with the very same request: whose answer was lost gets it once more.
    assert enrol(site, url, "issuing/simpleenroll", "first", *known)[0] == "200"
    assert read_answer(site, "again") == first
    make_request(site, "second")
    assert enrol(site, url, "simpleenroll", "second", *known) == ("401", "text/plain; charset=utf-8")
    shown = ("--cert", "first.pem", "--key", "first.key")
    assert enrol(site, url, "simplereenroll", "second", *shown)[0] == "200"
    second = read_answer(site, "second")
    assert second.subject == first.subject
    assert second.serial_number != first.serial_number


def test_curl_is_told_why(site: Machines, url: str) -> None:
    make_request(site, "wrong", "/CN=office-docs-app")
    identifier, value = site.secret()
    assert enrol(site, url, "simpleenroll", "wrong", "-u", f"{identifier}:{value}")[0] == "422"
    assert b"foreign-name: the request says CN=`office-docs-app`" in (site.folder / "answer").read_bytes()
    assert site.state(identifier) == "open"
    assert enrol(site, url, "simpleenroll", "wrong", "-u", f"{identifier}:guessed")[0] == "401"
    assert enrol(site, url, "simpleenroll", "wrong")[0] == "401"
    assert site.refusals()[-3:] == ["foreign-name", "bad-initial-secret", "no-proof-of-identity"]
