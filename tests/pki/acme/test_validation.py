"""How machines are looked at: all three challenges, and never further than the ranges of the domain."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.errors import TrustError
from pki.acme import jws, network, shown
from pki.acme.identifier import Identifier, IdentifierKind
from pki.acme.network import Network
from pki.acme.settings import AcmeSettings
from tests.pki.acme import machine
from tests.pki.acme.client import Client
from tests.pki.acme.conftest import ADDRESS, HOST, OTHER, Acme
from tests.services import certificate
from tests.services.nameserver import Zone
from tests.services.site import free_port

RANGES = ("127.20.0.0/16",)
OUTSIDE = "127.30.0.10"
NAMED = Identifier(IdentifierKind.DNS, HOST)
PATH = "/.well-known/acme-challenge/token"


@pytest.fixture
def asked_for(zone: Zone) -> AcmeSettings:
    return AcmeSettings(public_url="https://x", resolvers=(zone.address,), http_port=free_port(), tls_port=free_port())


@pytest.fixture
def looking(asked_for: AcmeSettings) -> Network:
    return Network(asked_for)


def refused(looking: Network, identifier: Identifier = NAMED) -> str:
    with pytest.raises(TrustError) as caught:
        looking.fetch(identifier, PATH, RANGES)
    return f"{caught.value.word}: {caught.value.detail}"


def test_name_with_an_address_outside_of_the_domain_is_not_reached(
    looking: Network, asked_for: AcmeSettings, zone: Zone
) -> None:
    zone.records[HOST, "A"] = [ADDRESS, OUTSIDE]
    with (
        machine.web(OUTSIDE, asked_for.http_port, lambda _: (200, {}, b"x")) as outside,
        machine.web(ADDRESS, asked_for.http_port, lambda _: (200, {}, b"x")) as inside,
    ):
        assert refused(looking).startswith("unauthorized: ")
        zone.records[HOST, "A"] = ["127.0.0.1"]
        zone.records[HOST, "AAAA"] = ["::1"]
        assert refused(looking).startswith("unauthorized: ")
        assert refused(looking, Identifier(IdentifierKind.IP, OUTSIDE)).startswith("unauthorized: ")
        assert (inside, outside) == ([], [])


def test_name_that_changes_while_it_is_looked_at_leads_nowhere_else(
    looking: Network, asked_for: AcmeSettings, zone: Zone
) -> None:
    """The connection goes to the address that was checked: the name is asked for once."""
    with machine.web(ADDRESS, asked_for.http_port, lambda _: (200, {}, b"here")) as asked:
        assert looking.fetch(NAMED, PATH, RANGES) == b"here"
    assert zone.asked == [(HOST, "AAAA"), (HOST, "A")]
    assert asked == [f"{HOST}{PATH}"]


@pytest.mark.parametrize(
    ("leads", "word"),
    [
        (f"http://{OTHER}/there?a=b", ""),
        ("/there", ""),
        ("//" + OTHER + "/there", ""),
        (f"http://{OUTSIDE}/there", "unauthorized"),
        ("http://127.0.0.1/there", "unauthorized"),
        ("http://[::1]/there", "unauthorized"),
        ("http://outside.fin.beichen.example/there", "unauthorized"),
        (f"http://{OTHER}:22/there", "incorrectResponse"),
        ("ftp://" + OTHER + "/there", "incorrectResponse"),
        ("file:///etc/passwd", "incorrectResponse"),
        ("gopher://" + OTHER + "/_x", "incorrectResponse"),
        (f"http://user@{OTHER}/there", "incorrectResponse"),
        ("http://" + OTHER + ":99999/there", "incorrectResponse"),
        ("http://", "incorrectResponse"),
        ("", "incorrectResponse"),
        ("http://" + "a" * 300 + "/there", "dns"),
        ("http://nowhere.fin.beichen.example/", "dns"),
    ],
)
def test_redirection_stays_inside_of_the_domain(
    looking: Network, asked_for: AcmeSettings, zone: Zone, leads: str, word: str
) -> None:
    zone.records["outside.fin.beichen.example", "A"] = [OUTSIDE]
    port = asked_for.http_port

    def answer(path: str) -> machine.Answer:
        return (302, {"Location": leads}, b"") if path == PATH else (200, {}, b"there")

    with (
        machine.web(ADDRESS, port, answer),
        machine.web(OUTSIDE, port, lambda _: (200, {}, b"outside")) as outside,
        machine.web("127.0.0.1", port, lambda _: (200, {}, b"ours")) as ours,
    ):
        if word:
            assert refused(looking).startswith(f"{word}: ")
        else:
            assert looking.fetch(NAMED, PATH, RANGES) == b"there"
        assert (outside, ours) == ([], [])


def test_redirection_to_https_needs_no_certificate_that_can_be_verified(
    looking: Network, asked_for: AcmeSettings, tmp_path: Path
) -> None:
    http, tls = asked_for.http_port, asked_for.tls_port
    context = certificate.make(tmp_path).server()
    moved = {"Location": f"https://{HOST}{PATH}"}
    with (
        machine.web(ADDRESS, http, lambda _: (301, moved, b"")),
        machine.web(ADDRESS, tls, lambda _: (200, {}, b"secured"), context),
    ):
        assert looking.fetch(NAMED, PATH, RANGES) == b"secured"


def test_redirections_come_to_an_end(looking: Network, asked_for: AcmeSettings) -> None:
    with machine.web(ADDRESS, asked_for.http_port, lambda _: (302, {"Location": PATH}, b"")) as asked:
        assert "redirections" in refused(looking)
    assert len(asked) == network.MOST_STEPS + 1


def test_file_is_small_and_there(looking: Network, asked_for: AcmeSettings) -> None:
    port = asked_for.http_port
    with machine.web(ADDRESS, port, lambda _: (200, {}, b"x" * 100_000)):
        assert refused(looking).startswith("incorrectResponse: ")
    with machine.web(ADDRESS, port, lambda _: (404, {}, b"x")):
        assert "404" in refused(looking)
    assert refused(looking).startswith("connection: ")


@contextmanager
def raw(port: int, content: bytes, *, slowly: float = 0.0) -> Iterator[None]:
    """A machine that says these octets and nothing else."""
    listening = socket.create_server((ADDRESS, port))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.settimeout(20)
            try:
                connection.recv(4096)
                for octet in content:
                    connection.send(bytes([octet]))
                    time.sleep(slowly)
            except OSError:
                pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        listening.close()
        thread.join()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200\xff OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    ],
)
def test_what_is_no_answer_is_told_as_such(looking: Network, asked_for: AcmeSettings, content: bytes) -> None:
    with raw(asked_for.http_port, content):
        assert refused(looking).split(":")[0] in ("connection", "incorrectResponse")


def test_machine_that_says_an_octet_now_and_then_holds_nobody(
    asked_for: AcmeSettings,
) -> None:
    start = time.monotonic()
    with raw(asked_for.http_port, b"HTTP/1.1 200 OK\r\nA: " + b"a" * 100, slowly=0.1):
        assert "did not end within" in refused(Network(asked_for, patience=0.5))
        assert time.monotonic() - start < 3


def test_silent_resolver_is_told_as_such() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        settings = AcmeSettings(public_url="https://x", resolvers=(f"127.0.0.1:{silent.getsockname()[1]}",))
        assert refused(Network(settings, resolving=0.3)).startswith("dns: ")


def prepared(acme: Acme, kind: str, *names: str) -> tuple[Client, dict[str, str], bytes, str]:
    """A client whose machine is ready for one challenge: its order, the digest and the text that are to be shown."""
    someone = acme.client()
    answer = someone.order(*(names or (HOST,)))
    (challenge,) = someone.challenges(answer.json(), kind)
    assert someone.post(challenge["url"], {}).json()["status"] == "processing"
    text = someone.key_authorization(challenge["token"])
    return someone, {"order": answer.headers["location"], "challenge": challenge["url"]}, jws.digest_of(text), text


def outcome(someone: Client, urls: dict[str, str]) -> str:
    found = someone.post(urls["challenge"]).json()
    error = found.get("error", {}).get("type", "").rsplit(":", 1)[-1]
    return f"{someone.post(urls['order']).json()['status']} {found['status']} {error}".strip()


@pytest.mark.parametrize("shown_text", ["right", "among others", "wrong", "none"])
def test_dns_record(acme: Acme, shown_text: str) -> None:
    someone, urls, digest, _ = prepared(acme, "dns-01")
    right = f'"{shown.encoding.encode(digest)}"'
    record = {"right": [right], "among others": ['"other"', right], "wrong": ['"other"'], "none": []}[shown_text]
    if record:
        acme.zone.records[f"_acme-challenge.{HOST}", "TXT"] = record
    assert acme.look() == 1
    expected = {"wrong": "invalid invalid incorrectResponse", "none": "invalid invalid dns"}
    assert outcome(someone, urls) == expected.get(shown_text, "ready valid")


@pytest.mark.parametrize("name", [HOST, ADDRESS])
def test_handshake_shows_the_digest(acme: Acme, name: str) -> None:
    someone, urls, digest, _ = prepared(acme, "tls-alpn-01", name)
    port = acme.server.settings.tls_port
    with machine.handshakes(ADDRESS, port, machine.certificate(name, digest), ["acme-tls/1"]) as asked:
        assert acme.look() == 1
    assert outcome(someone, urls) == "ready valid"
    # RFC 8738, 6: an address is asked for by its name in reverse.
    assert asked == [HOST if name == HOST else "10.0.20.127.in-addr.arpa"]


def contexts(digest: bytes) -> dict[str, tuple[ssl.SSLContext, list[str]]]:
    spoken = ["acme-tls/1"]
    return {
        "tls": (machine.certificate(HOST, digest), ["http/1.1"]),
        "incorrectResponse other name": (machine.certificate(OTHER, digest), spoken),
        "incorrectResponse another name": (machine.certificate(HOST, digest, more=(OTHER,)), spoken),
        "incorrectResponse no digest": (machine.certificate(HOST, None), spoken),
        "incorrectResponse not critical": (machine.certificate(HOST, digest, critical=False), spoken),
        "incorrectResponse other digest": (machine.certificate(HOST, bytes(32)), spoken),
    }


@pytest.mark.parametrize("flaw", contexts(bytes(32)))
def test_handshake_that_shows_something_else(acme: Acme, flaw: str) -> None:
    someone, urls, digest, _ = prepared(acme, "tls-alpn-01")
    with machine.handshakes(ADDRESS, acme.server.settings.tls_port, *contexts(digest)[flaw]):
        assert acme.look() == 1
    assert outcome(someone, urls) == f"invalid invalid {flaw.split(maxsplit=1)[0]}"


def test_many_machines_are_looked_at_side_by_side(acme: Acme) -> None:
    """Sixteen slow ones take as long as one."""
    someone = acme.client()
    for _ in range(16):
        (challenge,) = someone.challenges(someone.order(HOST).json())
        someone.post(challenge["url"], {})

    def slow(_path: str) -> machine.Answer:
        time.sleep(0.3)
        return 200, {}, b"something else"

    start = time.monotonic()
    with machine.web(ADDRESS, acme.server.settings.http_port, slow):
        assert acme.look() == 16
    assert time.monotonic() - start < 3


@given(some.binary(max_size=200))
def test_no_other_octets_pass_for_the_file(body: bytes) -> None:
    try:
        shown.check_body(body, "token.thumbprint")
    except TrustError:
        return
    assert body.strip() == b"token.thumbprint"
