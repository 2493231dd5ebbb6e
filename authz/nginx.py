"""nginx as a gateway: its whole configuration, from reviewed descriptions. Pure.

Why it is written as it is (measured, see DECISIONS.md):

- TLS sessions are never resumed, and every request is decided anew: a revoked certificate is out at the next request.
- ``optional_no_ca``: TLS proves possession of the key, and our own path validation says what is wrong with a
  certificate. What OpenSSL itself refuses (an expired one) ends in error 495, and is asked about all the same, in a
  place that can only refuse.
"""

import ipaddress
import re
from collections.abc import Sequence

from authz import locations, refusal
from authz.errors import ApplicationRejected
from authz.events import shortened
from authz.locations import Host, Placement
from core.errors import Malformed

_PATH = re.compile(r"/[A-Za-z0-9/._+@-]*")

#: What an operator gives besides: an address, ``ADDRESS:PORT``, a DNS name, nginx's user and group.
_SERVICE = re.compile(r"([A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_USER = re.compile(r"([a-z_][a-z0-9_-]*( [a-z_][a-z0-9_-]*)?)?")


def render(placement: Placement, hosts: Sequence[Host]) -> str:
    """Return ``nginx.conf``.

    Raises ``ApplicationRejected`` when two applications share a host or a path is odd, ``Malformed`` for a bad address.
    """
    _check(placement, hosts)
    sections = [_main(placement), "http {", _indent(_http(placement)), _indent(_LIMITS), _indent(_maps())]
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
ssl_verify_depth 3;"""


# What is accepted of a request at all, and how often.
_LIMITS = """# A header that is not written in letters, digits and hyphens is dropped, one with an underscore too.
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
    parts += [(locations.upstream(host.application), host.application.upstream) for host in hosts]
    return "\n".join(
        f"upstream {name} {{\n    server {address} max_fails=0;\n    keepalive 32;\n    keepalive_timeout 4s;\n}}"
        for name, address in parts
    )


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
    return f"""server {{
    listen {address} ssl;
    server_name {host.application.host};
    ssl_certificate {host.certificate};
    ssl_certificate_key {host.key};
{_indent(_sessions(resumption=resumption))}
{_indent(locations.places(placement, host.application))}
}}"""


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.splitlines())
