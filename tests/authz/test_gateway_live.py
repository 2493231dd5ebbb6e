"""The gateway as a person meets it: real TLS handshakes with nginx, a real decision service behind it."""

import html
import json
import re
import socket
import ssl
import time
from collections.abc import Callable

import pytest
from sqlmodel import select

from authz.models import GatewayRequest
from core.identity import Serial
from deploy.rehearsal import impostors
from deploy.rehearsal.doors import Connection, Identity, Page
from pki import revocation
from tests.authz.house import BUDGET, DOCUMENTS
from tests.authz.laboratory import Laboratory, until

REPORT = "/budget/report"


def row_of(laboratory: Laboratory, request: str) -> GatewayRequest | None:
    with laboratory.house.database.read() as session:
        return session.exec(select(GatewayRequest).where(GatewayRequest.request_id == request)).first()


def answer_of(raw: bytes) -> tuple[int, str]:
    """Return the status and the reason of a raw answer."""
    head = raw.split(b"\r\n\r\n")[0].decode("latin-1")
    reason = re.search(r"(?i)^x-guosuo-reason: (.*)$", head, re.MULTILINE)
    assert re.search(r"(?im)^x-guosuo-request: [0-9a-f]{32}\r?$", head), head
    return int(head.split(" ")[1]), reason[1].strip() if reason else ""


def request(target: str, method: str = "GET", host: str = BUDGET, *lines: str) -> bytes:
    head = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")


def test_a_person_is_greeted(laboratory: Laboratory) -> None:
    identity, serial = laboratory.person("li-wen")
    page = laboratory.door().open(REPORT, identity)
    assert (page.status, page.protocol) == (200, "TLSv1.3")
    assert "财政厅 李文" in page.body
    assert serial in page.body
    assert page.headers["x-guosuo-reason"] == "permitted"
    assert page.headers["x-guosuo-request"] in page.body
    row = row_of(laboratory, page.headers["x-guosuo-request"])
    assert row is not None
    assert (row.person, row.serial, row.allowed, row.gateway) == ("li-wen", serial, True, "gw-1")


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16le"])
def test_the_sample_serves_its_marked_document_in_each_encoding(laboratory: Laboratory, encoding: str) -> None:
    identity, _serial = laboratory.person("li-wen")
    page = laboratory.door().open(f"/budget/marked?encoding={encoding}", identity)
    assert (page.status, page.headers["content-type"]) == (200, f"text/plain; charset={encoding}")
    assert page.body.startswith("机密★10年")
    assert "演练样本" in page.body
    assert laboratory.door().open("/budget/marked?encoding=latin-1", identity).status == 400


Caller = Callable[[Laboratory], tuple[Identity | None, str]]


def expired(laboratory: Laboratory) -> tuple[Identity, str]:
    made = laboratory.person("sun-yue", lifetime_seconds=1)
    laboratory.house.clock.advance(seconds=2)
    return made


def revoked(laboratory: Laboratory) -> tuple[Identity, str]:
    identity, serial = laboratory.person("sun-yue")
    with laboratory.house.database.write() as session:
        at = laboratory.house.clock.now()
        revocation.revoke(session, Serial(serial), reason="key-compromise", actor="lu-security", at=at)
    return identity, serial


def foreign(laboratory: Laboratory) -> tuple[Identity, str]:
    folder = laboratory.folder / "impostors"
    return impostors.certify(folder, "foreign", subject="li-wen", issuer=impostors.foreign_name()), ""


def alike(laboratory: Laboratory) -> tuple[Identity, str]:
    own, _serial = laboratory.person("li-wen")
    name = impostors.issuer_name(own.certificate)
    return impostors.certify(laboratory.folder / "impostors", "alike", subject="li-wen", issuer=name), ""


def nobody(_laboratory: Laboratory) -> tuple[None, str]:
    return None, ""


@pytest.mark.parametrize(
    ("reason", "caller", "version"),
    [
        ("no-certificate", nobody, ssl.TLSVersion.TLSv1_3),
        ("expired", expired, ssl.TLSVersion.TLSv1_3),
        ("expired", expired, ssl.TLSVersion.TLSv1_2),
        ("foreign-issuer", foreign, ssl.TLSVersion.TLSv1_3),
        ("look-alike-issuer", alike, ssl.TLSVersion.TLSv1_3),
        ("revoked", revoked, ssl.TLSVersion.TLSv1_3),
    ],
)
def test_each_refusal_has_its_reason_its_page_and_its_record(
    laboratory: Laboratory, reason: str, caller: Caller, version: ssl.TLSVersion
) -> None:
    identity, serial = caller(laboratory)
    page = laboratory.door().open(REPORT, identity, version=version)
    assert (page.status, page.headers["x-guosuo-reason"]) == (401, reason)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    identifier = page.headers["x-guosuo-request"]
    for part in ("未予放行", "Access refused", reason, identifier, "the registration officer of your department"):
        assert part in page.body
    row = row_of(laboratory, identifier)
    assert row is not None
    assert (row.allowed, row.reason, row.person) == (False, reason, "")
    assert not serial or row.serial == serial
    record = json.loads(laboratory.house.records("gateway.request.refused")[-1].content)
    assert (record["actor"], record["details"]["request_id"]) == ("anonymous", identifier)


def test_what_is_not_mapped_is_refused_and_names_who_is_in_charge(laboratory: Laboratory) -> None:
    identity, _serial = laboratory.person("li-wen")
    page = laboratory.door().open("/budget/secret-door", identity)
    assert (page.status, page.headers["x-guosuo-reason"]) == (403, "unmapped-path")
    assert "周主政" in html.unescape(page.body)
    denied = laboratory.door().open(REPORT, laboratory.person("han-office")[0])
    assert (denied.status, denied.headers["x-guosuo-reason"]) == (403, "forbidden")
    assert "非本域成员不得访问" in html.unescape(denied.body)


def test_identity_headers_are_the_gateways_own(laboratory: Laboratory) -> None:
    identity, serial = laboratory.person("li-wen")
    forged = {
        "X-Guosuo-Serial": "f" * 40,
        "X-Guosuo-Person": "han-office",
        "x-guosuo-name": "somebody",
        "X_Guosuo_Person": "han-office",
        "X-Guosuo_Person": "han-office",
        "X-Guosuo-Role": "minister",
        "X-Guosuo-Request": "0" * 32,
        "X-Guosuo-Clearance": "4",
        "X-HTTP-Method-Override": "DELETE",
        "X-Original-URL": "/docs/secret",
        "X-Forwarded-For": "10.0.0.1",
        "Forwarded": "for=10.0.0.1",
        "Range": "bytes=0-1",
        "Accept-Encoding": "br",
        "Upgrade": "websocket",
        "Accept": "text/plain",
    }
    page = laboratory.door(DOCUMENTS).open("/docs/marked", identity, headers=forged)
    assert page.status == 200
    method, path, headers = laboratory.echo.seen[-1]
    assert (method, path) == ("GET", "/docs/marked")
    reached = {name.lower(): value for name, value in headers}
    assert len(reached) == len(headers), "no header twice"
    assert {name for name in reached if "guosuo" in name} == {
        *("x-guosuo-request", "x-guosuo-serial", "x-guosuo-kind", "x-guosuo-person", "x-guosuo-name"),
        *("x-guosuo-organisation", "x-guosuo-department", "x-guosuo-domain", "x-guosuo-clearance"),
    }
    assert (reached["x-guosuo-person"], reached["x-guosuo-serial"]) == ("li-wen", serial)
    assert (reached["x-guosuo-clearance"], reached["x-guosuo-domain"]) == ("3", "outer-finance")
    assert reached["x-guosuo-request"] == page.headers["x-guosuo-request"] != "0" * 32
    assert reached["accept"] == "text/plain"
    assert not set(reached) & {"range", "accept-encoding", "upgrade", "forwarded", "x-forwarded-for", "x-original-url"}
    assert "x-http-method-override" not in reached


def test_a_repeated_forged_header_does_not_survive_either(laboratory: Laboratory) -> None:
    identity, serial = laboratory.person("li-wen")
    lines = [f"X-Guosuo-Serial: {'e' * 40}", f"X-GUOSUO-SERIAL: {'f' * 40}", "X-Guosuo-Serial : x"]
    answer = laboratory.raw(request("/docs/marked", "GET", DOCUMENTS, *lines), identity, DOCUMENTS)
    if answer_of(answer)[0] == 200:
        serials = [value for name, value in laboratory.echo.seen[-1][2] if name.lower() == "x-guosuo-serial"]
        assert serials == [serial]
    else:
        assert answer_of(answer) == (400, "malformed-request")


def test_an_answer_cannot_speak_for_the_gateway(laboratory: Laboratory) -> None:
    identity, _serial = laboratory.person("li-wen")
    laboratory.echo.extra[:] = [
        ("X-Guosuo-Request", "0" * 32),
        ("X-Guosuo-Reason", "forged"),
        ("X-Accel-Redirect", "/_guosuo/refused"),
    ]
    page = laboratory.door(DOCUMENTS).open("/docs/marked", identity)
    laboratory.echo.extra.clear()
    assert (page.status, page.body) == (200, "echo")
    assert page.headers["x-guosuo-reason"] == "permitted"
    assert row_of(laboratory, page.headers["x-guosuo-request"]) is not None


@pytest.mark.parametrize(
    "target",
    [
        "/docs/../docs/marked",
        "/docs//marked",
        "//docs/marked",
        "/docs/%6darked",
        "/docs/marked/",
        "/docs/Marked",
        "/docs/marked%00",
        "/docs/marked;x=1",
        "/docs/marked#x",
        "/docs/./marked",
        "/docs\\marked",
        "/healthz/../docs/marked",
        "/_guosuo/decide",
        "/_guosuo/refused",
        "/_guosuo/bad-certificate",
        "/docs/marked?\xff",
        f"/docs/marked?{'x' * 5000}",
    ],
)
def test_what_could_be_read_in_two_ways_never_reaches_the_application(laboratory: Laboratory, target: str) -> None:
    identity, _serial = laboratory.person("li-wen")
    before = len(laboratory.echo.seen)
    status, reason = answer_of(laboratory.raw(request(target, "GET", DOCUMENTS), identity, DOCUMENTS))
    assert 400 <= status < 500, status
    assert reason in {"malformed-path", "ambiguous-path", "unmapped-path", "not-found", "malformed-request"}
    assert len(laboratory.echo.seen) == before


@pytest.mark.parametrize(
    "target", ["/healthz", "//healthz", "/docs/../healthz", "/%68ealthz", "/docs/marked/../../healthz"]
)
def test_a_public_path_reaches_the_application_as_itself_only(laboratory: Laboratory, target: str) -> None:
    before = len(laboratory.echo.seen)
    lines = ["X-Guosuo-Person: li-wen", f"X-Guosuo-Serial: {'f' * 40}"]
    status, reason = answer_of(laboratory.raw(request(target, "GET", DOCUMENTS, *lines), None, DOCUMENTS))
    assert (status, reason) == (200, "public")
    ((_method, path, headers),) = laboratory.echo.seen[before:]
    assert path == "/healthz"
    assert [name for name, _value in headers if "guosuo" in name.lower()] == ["X-Guosuo-Request"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (request("/healthz", "POST", BUDGET, "Content-Length: 0"), (405, "method-not-allowed")),
        (request(REPORT, "TRACE"), (405, "method-not-allowed")),
        (request(REPORT, "POST", BUDGET, f"Content-Length: {17 * 1024 * 1024}"), (413, "too-large")),
        (request(f"/{'a' * 9000}"), (414, "too-large")),
        (request(REPORT, "GET", BUDGET, f"Cookie: {'a' * 9000}"), (400, "malformed-request")),
        (request(REPORT, "GET", f"{BUDGET}\r\nHost: {BUDGET}"), (400, "malformed-request")),
        (request(REPORT, "GET", "a b"), (400, "malformed-request")),
        (request(REPORT, "GET", DOCUMENTS), (421, "wrong-host")),
        (request(f"https://{DOCUMENTS}/docs/marked"), (421, "wrong-host")),
    ],
)
def test_nginxs_own_refusals_carry_reason_and_request_too(
    laboratory: Laboratory, content: bytes, expected: tuple[int, str]
) -> None:
    answer = laboratory.raw(content)
    assert answer_of(answer) == expected
    assert "未予放行".encode() in answer


def test_an_unknown_host_ends_in_the_handshake(laboratory: Laboratory) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized"):
        laboratory.door("other.fin.beichen.example").open(REPORT, None)
    answer = laboratory.raw(request(REPORT, "GET", "other.fin.beichen.example"), laboratory.person("li-wen")[0])
    assert answer_of(answer)[0] in (404, 421)


VERSIONS = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_resumes_only_where_the_cache_is_on_and_a_revoked_certificate_nowhere(
    laboratory: Laboratory, version: str
) -> None:
    identity, serial = laboratory.person("sun-yue")

    def visit(*, control: bool, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> Page:
        with laboratory.door(control=control).connect(context, session) as connection:
            return connection.get(REPORT)

    kept: dict[bool, tuple[ssl.SSLContext, ssl.SSLSession | None]] = {}
    for control in (True, False):
        context = laboratory.door().context(identity, VERSIONS[version])
        first = visit(control=control, context=context)
        second = visit(control=control, context=context, session=first.session)
        assert (first.status, second.status, second.resumed) == (200, 200, control)
        kept[control] = (context, first.session)
    with laboratory.door().connect(laboratory.door().context(identity)) as connection:
        assert connection.get(REPORT).status == 200
        with laboratory.house.database.write() as session:
            at = laboratory.house.clock.now()
            revocation.revoke(session, Serial(serial), reason="key-compromise", actor="lu-security", at=at)
        page = connection.get(REPORT)
        assert (page.status, page.headers["x-guosuo-reason"]) == (401, "revoked")
    for control, (context, old) in kept.items():
        page = visit(control=control, context=context, session=old)
        assert (page.status, page.headers["x-guosuo-reason"], page.resumed) == (401, "revoked", control)


def test_without_the_decision_service_nothing_passes_but_what_is_public(laboratory: Laboratory) -> None:
    identity, _serial = laboratory.person("li-wen")
    door, bad = laboratory.door(DOCUMENTS), expired(laboratory)[0]
    with door.connect(door.context(identity)) as connection:
        assert connection.get("/docs/marked").status == 200
        laboratory.without_service()
        before = len(laboratory.echo.seen)
        try:
            page = connection.get("/docs/marked")
            assert (page.status, page.headers["x-guosuo-reason"]) == (503, "decision-unavailable")
            assert "判定服务暂不可用" in page.body
            assert "The decision service does not answer" in page.body
            assert len(laboratory.echo.seen) == before
            worse = laboratory.door().open(REPORT, bad)
            assert (worse.status, worse.headers["x-guosuo-reason"]) == (503, "decision-unavailable")
            assert door.open("/healthz", None).status == 200
        finally:
            laboratory.serve()
    assert door.open("/docs/marked", identity).status == 200


def test_an_application_that_is_down_is_said_to_be(laboratory: Laboratory) -> None:
    identity, _serial = laboratory.person("li-wen")
    sample = laboratory.processes[0]
    sample.terminate()
    sample.wait(10)
    page = laboratory.door().open(REPORT, identity)
    laboratory.processes[0] = laboratory.start_sample()
    assert (page.status, page.headers["x-guosuo-reason"]) == (502, "application-unavailable")
    assert laboratory.door().open(REPORT, identity).status == 200


def test_a_configuration_that_is_wrong_leaves_the_old_one_in_force(laboratory: Laboratory) -> None:
    path = laboratory.gateway / "nginx.conf"
    before = path.read_bytes()
    people, twin = laboratory.people, str(laboratory.folder / "fin-budget.yaml")
    faulty = laboratory.folder / "faulty.yaml"
    faulty.write_text("app: X\nhost: nowhere\n", "utf-8")
    own = f"{people}/fin-budget-app.pem,{people}/fin-budget-app.key"
    cases = {
        "is not for": {"budget": f"{people}/office-docs-app.pem,{people}/office-docs-app.key"},
        "cannot be used together": {"budget": f"{people}/fin-budget-app.pem,{people}/office-docs-app.key"},
        "cannot be used": {"budget": f"{people}/nothing.pem,{people}/nothing.key"},
        "is not HOST=CERTIFICATE,KEY": {"budget": f"{people}/fin-budget-app.pem"},
        "two applications have the host": {"more": ("--app", twin)},
        "faulty.yaml: line 1: ": {"more": ("--app", str(faulty))},
        "is given twice": {"more": ("--certificate", f"{BUDGET}={own}")},
        "no address to listen on": {"listen": "127.0.0.1;"},
        "nginx refuses the configuration": {"listen": "192.0.2.1"},
        "cannot be verified": {"more": ("--service", "127.0.0.1:1")},
    }
    for complaint, case in cases.items():
        done = laboratory.configure(*case.pop("more", ()), **case)
        assert done.returncode in (1, 4), (complaint, done.stdout)
        assert complaint in done.stderr.replace("\n", " "), (complaint, done.stderr)
        assert path.read_bytes() == before
    assert laboratory.configure().returncode == 0
    assert path.read_bytes() == before
    assert (laboratory.gateway / "tls" / "gateway.key").stat().st_mode & 0o777 == 0o600
    assert not (laboratory.gateway / "nginx.conf.new").exists()


def test_a_gateway_whose_own_certificate_is_revoked_lets_nothing_pass(laboratory: Laboratory) -> None:
    identity, _serial = laboratory.person("li-wen")
    database, clock = laboratory.house.database, laboratory.house.clock
    assert laboratory.door().open(REPORT, identity).status == 200
    certificate = laboratory.people / "gw-1.pem"
    serial = impostors.x509.load_pem_x509_certificate(certificate.read_bytes()).serial_number
    with database.write() as session:
        revocation.revoke(session, Serial(f"{serial:040x}"), reason="superseded", actor="lu-security", at=clock.now())
    page = laboratory.door().open(REPORT, identity)
    assert (page.status, page.headers["x-guosuo-reason"]) == (401, "gateway-not-accepted")
    assert "判定服务不接受本网关" in page.body
    laboratory.renew()
    until(lambda: laboratory.door().open(REPORT, identity).status == 200)


def test_a_stranger_cannot_fill_the_records(laboratory: Laboratory) -> None:
    before = len(laboratory.house.records("gateway.request.refused"))
    begin, statuses = time.monotonic(), []
    door = laboratory.door()
    # From another address than the other tests, whose few requests it must not hinder.
    plain = socket.create_connection((door.address, door.port), timeout=10, source_address=("127.0.0.2", 0))
    secured = door.context(None).wrap_socket(plain, server_hostname=door.host)
    with Connection(door, secured) as connection:
        for _ in range(120):
            page = connection.get(REPORT)
            statuses.append((page.status, page.headers["x-guosuo-reason"]))
    elapsed = time.monotonic() - begin
    assert (429, "too-many-requests") in statuses
    written = len(laboratory.house.records("gateway.request.refused")) - before
    assert written <= 41 + 10 * elapsed + 1
