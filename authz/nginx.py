"""nginx as a gateway: its whole configuration, from reviewed descriptions. Pure.

Why it is written as it is (measured, see DECISIONS.md):

- TLS sessions are never resumed, and every request is decided anew: a revoked certificate is out at the next request.
- ``optional_no_ca``: TLS proves possession of the key, and our own path validation says what is wrong with a
  certificate. What OpenSSL itself refuses (an expired one) ends in error 495, and is asked about all the same, in a
  place that can only refuse.
- A request's headers are passed by a list of names: whatever else a client sends, ``X-Guosuo-…`` in any spelling, or
  one that makes the application see another method or path, ends at the gateway. Nor does it pass ``Range`` or
  ``Accept-Encoding``: on the clear hop a whole, plain document passes the sensor.
- ``auth_request`` knows 2xx, 401 and 403; anything else, and no answer at all, is the page for 503.
"""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from authz import refusal
from authz.application import Application
from authz.errors import ApplicationRejected
from authz.events import shortened
from core.errors import Malformed

#: Where the gateway keeps its own places; no description may map anything in it (``authz/appfile.py``).
_OWN = "/_guosuo"

#: Request headers that reach an application; all others end at the gateway.
_PASSED = (
    *("Accept", "Accept-Language", "Authorization", "Cache-Control", "Content-Encoding", "Content-Language"),
    *("Content-Type", "Cookie", "If-Match", "If-Modified-Since", "If-None-Match", "If-Unmodified-Since", "Origin"),
    *("Pragma", "Referer", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "User-Agent", "X-CSRF-Token"),
    *("X-CSRFToken", "X-Requested-With", "X-XSRF-TOKEN"),
)

#: What the application is told about the person, taken from the answer of the decision service.
IDENTITY = ("Serial", "Kind", "Person", "Name", "Organisation", "Department", "Domain", "Clearance")

#: Answers that nginx makes itself: which become which status, and under which reason.
_OWN_ANSWERS: tuple[tuple[str, int | None, str], ...] = (
    ("400 494 497", 400, "malformed-request"),
    ("404", None, "not-found"),
    ("405", None, "method-not-allowed"),
    ("413 414", None, "too-large"),
    ("421", None, "wrong-host"),
    ("429", None, "too-many-requests"),
    # The only 500 that nginx makes here is an auth_request without a good answer.
    ("500 503", 503, "decision-unavailable"),
    ("502 504", 502, "application-unavailable"),
)

_PATH = re.compile(r"/[A-Za-z0-9/._+@-]*")

#: What an operator gives besides: an address, ``ADDRESS:PORT``, a DNS name, nginx's user and group.
_SERVICE = re.compile(r"([A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_USER = re.compile(r"([a-z_][a-z0-9_-]*( [a-z_][a-z0-9_-]*)?)?")


@dataclass(frozen=True, slots=True)
class Host:
    """An application with the certificate (chain) and key that the gateway shows under its host name, as PEM files."""

    application: Application
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a gateway lives and whom it asks.

    ``directory`` holds everything it reads and writes, with ``certificate``, ``key`` (its own, shown to the decision
    service) and ``trusted`` (root and issuing authority); ``service`` is ``ADDRESS:PORT``, ``service_name`` the DNS
    name in the service's certificate; ``user`` is nginx's user and group, empty for the one it starts as.
    ``control_port`` opens a second listener with resumption on: only a rehearsal needs to show the difference.
    """

    directory: Path
    listen: str
    port: int
    service: str
    service_name: str
    certificate: Path
    key: Path
    trusted: Path
    user: str = ""
    control_port: int | None = None


def render(placement: Placement, hosts: Sequence[Host]) -> str:
    """Return ``nginx.conf``.

    Raises ``ApplicationRejected`` when two applications share a host or a path is odd, ``Malformed`` for a bad address.
    """
    _check(placement, hosts)
    sections = [_main(placement), "http {", _indent(_http(placement)), _indent(_maps())]
    sections += [_indent(_upstreams(placement, hosts))]
    for port, resumption in ((placement.port, False), (placement.control_port, True)):
        if port is not None:
            address = _listener(placement, port)
            sections.append(_indent(_nobody(address, resumption=resumption)))
            sections += [_indent(_server(placement, host, address, resumption=resumption)) for host in hosts]
    return "\n".join([*sections, "}", ""])


def _check(placement: Placement, hosts: Sequence[Host]) -> None:
    _check_placement(placement)
    if not hosts:
        raise ApplicationRejected("a gateway without applications refuses everything", hint="give an app.yaml")
    for kind, names in (
        ("host", [host.application.host for host in hosts]),
        ("name", [host.application.app for host in hosts]),
    ):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ApplicationRejected(f"two applications have the {kind} `{twice[0]}`")
    paths = [placement.directory, placement.certificate, placement.key, placement.trusted]
    paths += [path for host in hosts for path in (host.certificate, host.key)]
    odd = next((path for path in paths if not _PATH.fullmatch(str(path))), None)
    if odd is not None:
        raise ApplicationRejected(f"the path `{odd}` is not absolute or holds a character that nginx would interpret")


def _check_placement(placement: Placement) -> None:
    try:
        ipaddress.ip_address(placement.listen)
    except ValueError as error:
        raise Malformed(f"`{shortened(placement.listen)}` is no address to listen on") from error
    for value, form, what in (
        (placement.service, _SERVICE, "`ADDRESS:PORT`"),
        (placement.service_name, _NAME, "a host name"),
        (placement.user, _USER, "a user and a group"),
    ):
        if not form.fullmatch(value):
            raise Malformed(f"`{shortened(value)}` is not {what}")


def _listener(placement: Placement, port: int) -> str:
    return f"[{placement.listen}]:{port}" if ":" in placement.listen else f"{placement.listen}:{port}"


def _main(placement: Placement) -> str:
    directory = placement.directory
    user = f"user {placement.user};\n" if placement.user else ""
    return f"""# Written by `guosuo gateway config` from reviewed descriptions. Change those, not this.
daemon off;
{user}worker_processes auto;
worker_shutdown_timeout 10s;
pid {directory}/nginx.pid;
error_log {directory}/log/error.log warn;
events {{
    worker_connections 1024;
}}"""


def _http(placement: Placement) -> str:
    directory, temporary = placement.directory, placement.directory / "tmp"
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = "\n".join(f"{kind}_temp_path {temporary}/{kind};" for kind in kinds)
    return f"""server_tokens off;
absolute_redirect off;
default_type application/octet-stream;
{folders}

log_format guosuo escape=json '{{"at":"$time_iso8601","request":"$request_id","address":"$remote_addr",'
    '"host":"$host","method":"$request_method","path":"$uri","status":"$status","reason":"$guosuo_reason",'
    '"tls":"$ssl_protocol","resumed":"$ssl_session_reused","seconds":"$request_time"}}';
access_log {directory}/log/access.log guosuo;

# No session is ever resumed: a resumed one would be a handshake nobody judged.
ssl_session_cache off;
ssl_session_tickets off;
ssl_protocols TLSv1.2 TLSv1.3;
ssl_ciphers ECDHE+AESGCM;
ssl_prefer_server_ciphers on;
ssl_client_certificate {placement.trusted};
ssl_verify_client optional_no_ca;
ssl_verify_depth 3;

# A header that is not written in letters, digits and hyphens is dropped, one with an underscore too.
underscores_in_headers off;
ignore_invalid_headers on;
large_client_header_buffers 4 8k;
client_max_body_size 16m;
client_header_timeout 10s;
client_body_timeout 30s;
send_timeout 30s;
keepalive_timeout 65s;
reset_timedout_connection on;

# What a stranger can make us record is limited here, and much more so than what a certificate of ours can.
limit_req_zone $guosuo_stranger zone=guosuo_strangers:2m rate=10r/s;
limit_req_zone $binary_remote_addr zone=guosuo_everyone:2m rate=100r/s;
limit_req_status 429;

recursive_error_pages on;
add_header X-Guosuo-Request $request_id always;
add_header X-Guosuo-Reason $guosuo_reason always;"""


def _maps() -> str:
    chinese = "\n".join(f'    {word} "{words.chinese}";' for word, words in refusal.REASONS.items())
    english = "\n".join(f'    {word} "{words.english}";' for word, words in refusal.REASONS.items())
    page = refusal.page(
        chinese="$guosuo_chinese",
        english="$guosuo_english",
        reason="$guosuo_reason",
        explanation="$guosuo_explanation",
        contact="$guosuo_contact",
        request="$request_id",
    )
    return f"""map $ssl_client_verify $guosuo_stranger {{
    SUCCESS "";
    default $binary_remote_addr;
}}
map $guosuo_told $guosuo_reason {{
    "" gateway-not-accepted;
    default $guosuo_told;
}}
map $guosuo_reason $guosuo_chinese {{
    default "{refusal.OTHERWISE.chinese}";
{chinese}
}}
map $guosuo_reason $guosuo_english {{
    default "{refusal.OTHERWISE.english}";
{english}
}}
map $guosuo_ask $guosuo_contact {{
    "" "{refusal.CONTACT}";
    default $guosuo_ask;
}}
map $host $guosuo_page {{
    default "{page}";
}}"""


def _upstreams(placement: Placement, hosts: Sequence[Host]) -> str:
    # Idle connections end here before they end over there, so that no request meets one that is being closed.
    parts = [("guosuo_decision", placement.service)]
    parts += [(_upstream(host.application), host.application.upstream) for host in hosts]
    return "\n".join(
        f"upstream {name} {{\n    server {address} max_fails=0;\n    keepalive 32;\n    keepalive_timeout 4s;\n}}"
        for name, address in parts
    )


def _upstream(application: Application) -> str:
    return f"app_{application.app}"


def _nobody(address: str, *, resumption: bool) -> str:
    """Return the default server: an unknown name ends in the handshake, before there is a request."""
    return f"""server {{
    listen {address} ssl default_server;
    server_name _;
    ssl_reject_handshake on;
{_indent(_sessions(resumption=resumption))}}}"""


def _sessions(*, resumption: bool) -> str:
    # OpenSSL takes these from the default server of a listener, whatever the host's own say: they stand in both.
    return "ssl_session_cache shared:guosuo_control:1m;\nssl_session_tickets on;\n" if resumption else ""


def _server(placement: Placement, host: Host, address: str, *, resumption: bool) -> str:
    application = host.application
    places = [_decision(placement, application, refused=False), _decision(placement, application, refused=True)]
    places += [_bad_certificate(), _refusals()]
    places += [_public(application, path) for path in application.public]
    places.append(_protected(application))
    return f"""server {{
    listen {address} ssl;
    server_name {application.host};
    ssl_certificate {host.certificate};
    ssl_certificate_key {host.key};
{_indent(_sessions(resumption=resumption))}
{_indent(_error_pages())}
{_indent(chr(10).join(places))}
}}"""


def _error_pages() -> str:
    own = [
        f"error_page {codes} {f'={status} ' if status else ''}{_OWN}/refused/{reason};"
        for codes, status, reason in _OWN_ANSWERS
    ]
    return "\n".join([f"error_page 401 403 {_OWN}/refused;", f"error_page 495 =401 {_OWN}/bad-certificate;", *own])


def _refusals() -> str:
    def place(path: str, said: str) -> str:
        return f"""location = {path} {{
    internal;
    {said}default_type "text/html; charset=utf-8";
    add_header X-Guosuo-Request $request_id always;
    add_header X-Guosuo-Reason $guosuo_reason always;
    add_header Cache-Control no-store always;
    add_header Content-Security-Policy "default-src 'none'; style-src 'unsafe-inline'" always;
    return 200 $guosuo_page;
}}"""

    own = [place(f"{_OWN}/refused/{reason}", f"set $guosuo_told {reason};\n    ") for _, _, reason in _OWN_ANSWERS]
    # The answer of the decision service stands already in the variables.
    return "\n".join([place(f"{_OWN}/refused", ""), *own])


def _decision(placement: Placement, application: Application, *, refused: bool) -> str:
    handshake = "\n    proxy_set_header X-Guosuo-Handshake refused;" if refused else ""
    return f"""location = {_OWN}/{"explain" if refused else "decide"} {{
    internal;
    # A question that fails has no page of its own, so the other pages are not inherited.
    error_page 404 {_OWN}/refused/not-found;
    proxy_pass https://guosuo_decision/gateway/v1/nginx;
    proxy_method GET;
    proxy_http_version 1.1;
    proxy_pass_request_body off;
    proxy_pass_request_headers off;
    proxy_set_header Host {placement.service_name};
    proxy_set_header Connection "";
    proxy_set_header Content-Length "";
    proxy_set_header Transfer-Encoding "";
    proxy_set_header X-Guosuo-Request $request_id;
    proxy_set_header X-Guosuo-Host {application.host};
    proxy_set_header X-Guosuo-Method $request_method;
    proxy_set_header X-Guosuo-Target $request_uri;
    proxy_set_header X-Guosuo-Address $remote_addr;
    proxy_set_header X-Guosuo-Certificate $ssl_client_escaped_cert;{handshake}
    proxy_connect_timeout 2s;
    proxy_send_timeout 5s;
    proxy_read_timeout 5s;
    proxy_buffer_size 32k;
    proxy_buffers 4 32k;
    proxy_ssl_certificate {placement.certificate};
    proxy_ssl_certificate_key {placement.key};
    proxy_ssl_trusted_certificate {placement.trusted};
    proxy_ssl_verify on;
    proxy_ssl_verify_depth 3;
    proxy_ssl_name {placement.service_name};
    proxy_ssl_server_name on;
    proxy_ssl_protocols TLSv1.3;
    proxy_ssl_session_reuse off;
}}"""


def _asking(place: str) -> Iterator[str]:
    yield "limit_req zone=guosuo_strangers burst=40 nodelay;"
    yield "limit_req zone=guosuo_everyone burst=200 nodelay;"
    yield f"auth_request {_OWN}/{place};"
    yield "auth_request_set $guosuo_told $upstream_http_x_guosuo_reason;"
    for name in ("Explanation", "Ask"):
        yield f"auth_request_set $guosuo_{name.lower()} $upstream_http_x_guosuo_{name.lower()};"


def _bad_certificate() -> str:
    asking = "\n    ".join(_asking("explain"))
    # There is nothing to be served here: should the answer ever be yes, it is refused all the same.
    return f"""location = {_OWN}/bad-certificate {{
    internal;
    {asking}
    try_files /nothing =410;
    error_page 410 =401 {_OWN}/refused;
    error_page 401 403 {_OWN}/refused;
    error_page 404 {_OWN}/refused/not-found;
    error_page 500 =503 {_OWN}/refused/decision-unavailable;
}}"""


def _passing(application: Application) -> Iterator[str]:
    yield "proxy_http_version 1.1;"
    yield "proxy_pass_request_headers off;"
    for name in _PASSED:
        yield f"proxy_set_header {name} $http_{name.lower().replace('-', '_')};"
    yield f"proxy_set_header Host {application.host};"
    yield 'proxy_set_header Connection "";'
    yield "proxy_set_header X-Guosuo-Request $request_id;"
    # An answer cannot speak for the gateway, nor send it elsewhere.
    for name in ("Request", "Reason"):
        yield f"proxy_hide_header X-Guosuo-{name};"
    accelerated = ("Redirect", "Expires", "Limit-Rate", "Buffering", "Charset")
    yield f"proxy_ignore_headers {' '.join(f'X-Accel-{name}' for name in accelerated)};"
    yield "proxy_redirect off;"
    yield "proxy_next_upstream error;"
    yield "proxy_connect_timeout 3s;"
    yield "proxy_read_timeout 60s;"


def _public(application: Application, path: str) -> str:
    passing = "\n    ".join(_passing(application))
    # The path is written out: what the client sent, in whatever spelling, is not what the application reads.
    return f"""location = {path} {{
    set $guosuo_told public;
    if ($request_method !~ ^(GET|HEAD)$) {{
        return 405;
    }}
    {passing}
    proxy_pass http://{_upstream(application)}{path};
}}"""


def _protected(application: Application) -> str:
    asking, passing = "\n    ".join(_asking("decide")), "\n    ".join(_passing(application))
    known = [f"auth_request_set $guosuo_{name.lower()} $upstream_http_x_guosuo_{name.lower()};" for name in IDENTITY]
    told = [f"proxy_set_header X-Guosuo-{name} $guosuo_{name.lower()};" for name in IDENTITY]
    identity = "\n    ".join([*known, *told])
    return f"""location / {{
    {asking}
    {identity}
    {passing}
    proxy_pass http://{_upstream(application)};
}}"""


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.splitlines())
