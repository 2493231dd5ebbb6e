"""The configuration as text: what must stand in every one, and what can never get into it."""

import os
import re
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from authz import nginx, refusal
from authz.errors import ApplicationRejected
from authz.locations import IDENTITY, Host, Placement
from core.errors import Malformed
from pki.validation.refusal import Why
from tests.authz.house import applications
from tests.authz.laboratory import namespace

APPS = applications()


def placement(folder: Path, **more: object) -> Placement:
    files = {name: folder / name for name in ("certificate", "key", "trusted")}
    basic = Placement(folder, "10.30.0.1", 8443, "10.90.1.10:8443", "trust.mgmt.beichen.example", **files)
    return replace(basic, **more)  # type: ignore[arg-type]  # the tests name real fields


def hosts(folder: Path) -> list[Host]:
    return [Host(one, folder / "certificate", folder / "key") for one in APPS]


def render(**more: object) -> str:
    return nginx.render(placement(Path("/srv/gateway"), **more), hosts(Path("/srv/gateway")))


def blocks(text: str, head: str) -> list[str]:
    """Return the bodies of every block that begins with ``head``, counted by braces."""
    found = []
    for match in re.finditer(re.escape(head) + r"[^{;]*\{", text):
        depth, end = 1, match.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        found.append(text[match.end() : end - 1])
    return found


def test_every_way_to_an_application_is_public_by_name_or_asked_about() -> None:
    text = render(control_port=9443)
    servers = blocks(text, "server {"[:-1])
    leading = [place for server in servers for place in blocks(server, "location ") if "proxy_pass http://" in place]
    assert len(leading) == 2 * 2 * 2
    for place in leading:
        asked = "auth_request /_guosuo/decide;" in place
        public = "set $guosuo_told public;" in place and "proxy_pass http://app_fin-budget/healthz;" in place
        public = public or "proxy_pass http://app_office-docs/healthz;" in place
        assert asked is not public
        assert "proxy_pass_request_headers off;" in place
        names = set(re.findall(r"proxy_set_header (X-Guosuo-\S+)", place))
        assert names == {"X-Guosuo-Request", *(f"X-Guosuo-{name}" for name in IDENTITY if asked)}


def test_no_session_resumes_but_at_the_control_listener() -> None:
    text = render()
    assert "ssl_session_cache off;" in text
    assert "ssl_session_tickets off;" in text
    assert not re.search(r"ssl_session_cache (?!off)|ssl_session_tickets on", text)
    control = [block for block in blocks(render(control_port=9443), "server ") if "ssl_session_tickets on;" in block]
    assert len(control) == 3
    assert all("listen 10.30.0.1:9443 ssl" in block for block in control)


def test_the_decision_service_is_asked_over_verified_mutual_tls() -> None:
    places = blocks(render(), "location = /_guosuo/decide") + blocks(render(), "location = /_guosuo/explain")
    assert len(places) == 4
    for place in places:
        for directive in (
            *("internal;", "proxy_ssl_verify on;", "proxy_ssl_protocols TLSv1.3;", "proxy_ssl_session_reuse off;"),
            *("proxy_pass_request_headers off;", "proxy_pass_request_body off;", "proxy_method GET;"),
            *("proxy_ssl_name trust.mgmt.beichen.example;", "proxy_set_header X-Guosuo-Target $request_uri;"),
        ):
            assert directive in place, directive
    assert sum("X-Guosuo-Handshake refused" in place for place in places) == 2


def test_every_file_is_below_the_directory() -> None:
    paths = re.findall(r"(?<![\w:/$.~^])(/[A-Za-z][\w./-]+)", re.sub(r'"[^"]*"', '""', render()))
    own = ("/_guosuo", "/healthz", "/gateway/v1/nginx", "/nothing")
    assert all(path.startswith("/srv/gateway/") or path.startswith(own) for path in paths), paths


def test_every_reason_has_its_words_in_both_languages() -> None:
    text = render()
    for word, words in refusal.REASONS.items():
        assert re.fullmatch(r"[a-z-]+", word)
        assert re.search(r"[\u4e00-\u9fff]", words.chinese)
        assert words.english.isascii()
        for one in (words.chinese, words.english):
            assert f'{word} "{one}";' in text
            assert not set(one) & set('"$\\;{}<>&')
    page = next(line for line in text.splitlines() if "<!doctype" in line)
    # nginx takes no longer words.
    assert len(page.encode()) < 4000


def test_what_is_answered_has_words() -> None:
    """Every reason that our own code gives, found in the sources."""
    folder = Path(nginx.__file__).parents[1]
    sources = [folder / "authz" / name for name in ("gateway.py", "target.py", "errors.py")]
    sources.append(folder / "pki" / "errors.py")
    given = set(re.findall(r'_Refusal\(\d+, "([a-z-]+)"', sources[0].read_text()))
    given |= set(re.findall(r'reason="([a-z-]+)"', sources[1].read_text()))
    kinds = re.findall(r'class \w+\(Unauthenticated\):.*?reason = "([a-z-]+)"', sources[3].read_text(), re.DOTALL)
    assert len(kinds) >= 8
    paths = {why.value[0] for why in Why}
    assert given | set(kinds) | paths <= set(refusal.REASONS)


@pytest.mark.parametrize("path", ["/srv/a b", "/srv/a;b", "/srv/$x", "/srv/{", '/srv/"', "/srv/\n", "relative"])
def test_a_path_that_nginx_would_interpret_is_refused(path: str) -> None:
    with pytest.raises(ApplicationRejected, match="path"):
        nginx.render(placement(Path(path)), hosts(Path("/srv/gateway")))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("listen", "10.0.0.1; x"),
        ("listen", "gateway.example"),
        ("listen", ""),
        ("service", "10.0.0.1"),
        ("service", "10.0.0.1:80; x"),
        ("service", "10.0.0.1:80 backup"),
        ("service_name", "a b"),
        ("service_name", "$host"),
        ("service_name", ""),
        ("user", "root; x"),
        ("user", "root root root"),
    ],
)
def test_what_an_operator_gives_cannot_reach_into_the_configuration(name: str, value: str) -> None:
    with pytest.raises(Malformed):
        render(**{name: value})


def test_an_address_of_version_6() -> None:
    assert "listen [fd00:40::1]:8443 ssl;" in render(listen="fd00:40::1")


def test_two_applications_under_one_host_or_none_at_all() -> None:
    folder = Path("/srv/gateway")
    with pytest.raises(ApplicationRejected, match="two applications have the host"):
        nginx.render(placement(folder), [*hosts(folder), hosts(folder)[0]])
    twin = Host(replace(APPS[0], host="other.example"), folder, folder)
    with pytest.raises(ApplicationRejected, match="two applications have the name"):
        nginx.render(placement(folder), [*hosts(folder), twin])
    with pytest.raises(ApplicationRejected, match="without applications"):
        nginx.render(placement(folder), [])


def test_nginx_accepts_it(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "演练样本")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    start = datetime(2026, 1, 1, tzinfo=UTC)
    dated = builder.serial_number(1).not_valid_before(start).not_valid_after(start + timedelta(days=9000))
    made = dated.sign(key, hashes.SHA256())
    pem = made.public_bytes(serialization.Encoding.PEM)
    (tmp_path / "certificate").write_bytes(pem)
    (tmp_path / "trusted").write_bytes(pem)
    (tmp_path / "key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    for folder in ("log", "tmp"):
        (tmp_path / folder).mkdir()
    user = "root root" if os.geteuid() == 0 else ""
    text = nginx.render(placement(tmp_path, listen="127.0.0.1", control_port=9443, user=user), hosts(tmp_path))
    (tmp_path / "nginx.conf").write_text(text, "utf-8")
    command = [*namespace(), "nginx", "-t", "-q", "-e", str(tmp_path / "log/error.log")]
    done = subprocess.run([*command, "-c", str(tmp_path / "nginx.conf")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
