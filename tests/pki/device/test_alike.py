"""What may stand in a certificate does not depend on the protocol: refused on one, refused alike on every other."""

import base64
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from core.errors import TrustError
from core.identity import SubjectKind
from pki.cmp.message import Kind
from pki.request import IssuanceRequest
from tests.pki.conftest import PrivateKey, csr
from tests.pki.device import messages
from tests.pki.device.conftest import HOST, OTHER, Machines
from tests.pki.device.messages import Client, response

ALLOWED = (HOST, OTHER)


def der_of(octets: bytes) -> bytes:
    return base64.b64decode(b"".join(octets.split(b"-----")[2].split()))


def over_desk(site: Machines, octets: bytes) -> str:
    return _told(lambda asked: site.pki.desk.file(asked, actor="wu-ops"), octets)


def over_api(site: Machines, octets: bytes) -> str:
    """What `guosuo cert issue` asks for, one and many at once."""
    one = _told(lambda asked: site.pki.authority.issue(asked, actor="zhao-ra", officers=1), octets)
    (many,) = site.pki.authority.issue_batch([_asked(octets)], actor="zhao-ra", officers=1)
    assert one == (many.word if isinstance(many, TrustError) else "")
    return one


def over_est(site: Machines, octets: bytes) -> str:
    media = {"Content-Type": "application/pkcs10"}
    path, body = "/.well-known/est/simpleenroll", base64.encodebytes(der_of(octets))
    answer = site.web.post(path, content=body, headers=media, auth=site.secret(hosts=ALLOWED))
    return "" if answer.status_code == 200 else answer.text.partition(":")[0]


def over_est_with_certificate(site: Machines, octets: bytes) -> str:
    site.showing.shown = site.certificate(hosts=ALLOWED)[1]
    media = {"Content-Type": "application/pkcs10"}
    path, body = "/.well-known/est/issuing/simpleenroll", base64.encodebytes(der_of(octets))
    answer = site.web.post(path, content=body, headers=media)
    site.showing.shown = None
    return "" if answer.status_code == 200 else answer.text.partition(":")[0]


def over_cmp(site: Machines, octets: bytes) -> str:
    client = Client(secret=site.secret(hosts=ALLOWED))
    content = client.message(Kind.P10CR, der_of(octets))
    answer = site.web.post("/.well-known/cmp", content=content, headers={"Content-Type": "application/pkixcmp"})
    _said, made = response(client.read(answer.content))
    return "" if made else site.refusals()[-1]


def _asked(octets: bytes) -> IssuanceRequest:
    """What an officer would ask for: the names in the request that the register's machine may have."""
    names = tuple(one for one in ALLOWED if one.encode() in der_of(octets))
    return IssuanceRequest(octets, "application", SubjectKind.APPLICATION, "fin-budget-app", names)


def _told(act: Callable[[IssuanceRequest], object], octets: bytes) -> str:
    try:
        act(_asked(octets))
    except TrustError as error:
        return error.word
    return ""


WAYS: dict[str, Callable[[Machines, bytes], str]] = {
    "desk": over_desk,
    "api": over_api,
    "est": over_est,
    "est with a certificate": over_est_with_certificate,
    "cmp": over_cmp,
}


def key() -> PrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def asked(*hosts: str, named: str = "fin-budget-app", of: PrivateKey | None = None, more: object = ()) -> bytes:
    return csr(of or key(), named, dns=hosts, extensions=more)  # type: ignore[arg-type]


def broken() -> bytes:
    """A request whose last octet was changed: the signature's."""
    octets = der_of(asked(HOST))
    changed = octets[:-1] + bytes([octets[-1] ^ 1])
    return (
        b"-----BEGIN CERTIFICATE REQUEST-----\n" + base64.encodebytes(changed) + b"-----END CERTIFICATE REQUEST-----\n"
    )


REQUESTS: dict[str, tuple[Callable[[Machines], bytes], str]] = {
    "a good one": (lambda site: asked(HOST, OTHER), ""),
    "somebody else": (lambda site: asked(HOST, named="office-docs-app"), "foreign-name"),
    "a name of others": (lambda site: asked(HOST, "docs.office.beichen.example"), "foreign-name"),
    "a name nobody agreed to": (lambda site: asked("new.fin.beichen.example", HOST), "foreign-name"),
    "a wildcard": (lambda site: asked("*.fin.beichen.example"), "wildcard-name"),
    "a name misspelt": (lambda site: asked("API.fin.beichen.example"), "bad-host-name"),
    "another's identifier": (
        lambda site: asked(more=[x509.SubjectAlternativeName([x509.UniformResourceIdentifier("urn:guosuo:person:x")])]),
        "foreign-name",
    ),
    "a mail address": (
        lambda site: asked(more=[x509.SubjectAlternativeName([x509.RFC822Name("a@fin.beichen.example")])]),
        "foreign-name",
    ),
    "an authority": (lambda site: asked(more=[x509.BasicConstraints(ca=True, path_length=0)]), "forbidden-extension"),
    "a weak key": (lambda site: asked(HOST, of=rsa.generate_private_key(65_537, 2048)), "weak-key"),
    "a key of others": (lambda site: asked(of=site.certificate("gw-1", "gateway", ())[0]), "reused-key"),
    "a proof that fails": (lambda site: broken(), "broken-proof-of-possession"),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_refused_on_one_refused_alike_on_all(site: Machines, name: str) -> None:
    make, word = REQUESTS[name]
    octets = make(site)
    assert {way: ask(site, octets) for way, ask in WAYS.items()} == dict.fromkeys(WAYS, word)


def test_a_request_message_is_judged_by_the_same(site: Machines) -> None:
    """The other form of request (RFC 4211), by the same words."""
    for subject, hosts, word in (
        ("fin-budget-app", (HOST,), ""),
        ("office-docs-app", (HOST,), "foreign-name"),
        ("fin-budget-app", ("*.fin.beichen.example",), "wildcard-name"),
        ("fin-budget-app", ("new.fin.beichen.example",), "foreign-name"),
    ):
        client, own = Client(secret=site.secret(hosts=ALLOWED)), ec.generate_private_key(ec.SECP256R1())
        body = messages.certificate_request(own, subject=messages.name(subject), hosts=hosts)
        content = client.message(Kind.IR, body)
        answer = site.web.post("/.well-known/cmp", content=content, headers={"Content-Type": "application/pkixcmp"})
        made = response(client.read(answer.content))[1]
        assert ("" if made else site.refusals()[-1]) == word
