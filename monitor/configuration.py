"""Renders Suricata's configuration: the musts of a passive sensor, everything under one directory.

Pure. `midstream` and `async-oneway` because a sensor (re)starts in the middle of long connections; no checksums because
veth and offloading cards never fill them in; the EVE file and not its socket, which loses events; no Lua, no pcap-log,
no rules about stream or decoder events.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

#: A configuration value as YAML prints it.
Value = str | int | bool | Sequence["Value"] | Mapping[str, "Value"]

#: Most octets of a body that are looked into; what lies beyond is not inspected.
BODY_LIMIT = "20mb"

EVE = "eve.json"
RULES = "guosuo.rules"
SOCKET = "command.socket"
CONFIGURATION = "suricata.yaml"
LOG = "suricata.log"


def render(directory: Path, interfaces: Sequence[str]) -> str:
    """Return the text of ``suricata.yaml`` for a sensor that lives in ``directory`` and captures on ``interfaces``."""
    content: dict[str, Value] = {
        "vars": {"address-groups": {"HOME_NET": "any", "EXTERNAL_NET": "any"}, "port-groups": {"HTTP_PORTS": "any"}},
        "default-log-dir": str(directory),
        "default-rule-path": str(directory),
        "rule-files": [RULES],
        "classification-file": str(directory / "classification.config"),
        "reference-config-file": str(directory / "reference.config"),
        "threshold-file": str(directory / "threshold.config"),
        "pid-file": str(directory / "suricata.pid"),
        "stats": {"enabled": True, "interval": 2},
        "logging": {
            "default-log-level": "notice",
            "outputs": [{"console": {"enabled": False}}, {"file": {"enabled": True, "filename": str(directory / LOG)}}],
        },
        "unix-command": {"enabled": True, "filename": str(directory / SOCKET)},
        "outputs": [{"eve-log": _eve()}],
        "af-packet": [_capture(name, number) for number, name in enumerate(interfaces)],
        "capture": {"checksum-validation": "none"},
        "stream": {
            "midstream": True,
            "async-oneway": True,
            # Look at data when it arrives and not when it is acknowledged: the end of a response on a connection
            # that is then kept idle would be looked at only with the next packet in its direction.
            "inline": True,
            "checksum-validation": False,
            "memcap": "64mb",
            "reassembly": {"memcap": "256mb", "depth": 0},
        },
        "app-layer": {"protocols": {"http": {"enabled": True, "libhtp": {"default-config": _http()}}}},
        "security": {"lua": {"allow-rules": False}},
        "host-mode": "sniffer-only",
    }
    text = yaml.safe_dump(_spelled(content), sort_keys=False, allow_unicode=True, width=200)
    return f"%YAML 1.1\n---\n{text}"


def _eve() -> dict[str, Value]:
    return {
        "enabled": True,
        "filetype": "regular",
        "filename": EVE,
        "community-id": True,
        "types": [
            {"alert": {"payload": False, "packet": False, "http-body": True, "metadata": True}},
            {"http": {"extended": True, "dump-all-headers": "both"}},
            {"stats": {"totals": True, "threads": False}},
        ],
    }


def _capture(interface: str, number: int) -> dict[str, Value]:
    return {
        "interface": interface,
        "cluster-id": 90 + number,
        "cluster-type": "cluster_flow",
        "defrag": True,
        "use-mmap": True,
        "tpacket-v3": True,
        "ring-size": 20000,
        "threads": 1,
        "checksum-checks": "no",
    }


def _http() -> dict[str, Value]:
    return {
        "personality": "IDS",
        "request-body-limit": BODY_LIMIT,
        "response-body-limit": BODY_LIMIT,
        "response-body-decompress-layer-limit": 2,
    }


def _spelled(value: Value) -> Value:
    """Spell booleans as Suricata's reader of YAML wants them: yes and no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return {key: _spelled(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_spelled(item) for item in value]
    return value
