"""The places (``location``) of one host at the gateway: asked about, public, and what nginx answers itself. Pure.

- A request's headers are passed by a list of names: whatever else a client sends, ``X-Guosuo-…`` in any spelling, or
  one that makes the application see another method or path, ends at the gateway. Nor does it pass ``Range`` or
  ``Accept-Encoding``: on the clear hop a whole, plain document passes the sensor.
- ``auth_request`` knows 2xx, 401 and 403; anything else, and no answer at all, is the page for 503.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from authz.application import Application

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


def places(placement: Placement, application: Application) -> str:
    """Return every place of an application's host."""
    parts = [_error_pages(), _decision(placement, application, refused=False)]
    parts += [_decision(placement, application, refused=True), _bad_certificate(), _refusals()]
    parts += [_public(application, path) for path in application.public]
    return "\n".join([*parts, _protected(application)])


def upstream(application: Application) -> str:
    """Return the name of an application's upstream."""
    return f"app_{application.app}"


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
    proxy_pass http://{upstream(application)}{path};
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
    proxy_pass http://{upstream(application)};
}}"""
