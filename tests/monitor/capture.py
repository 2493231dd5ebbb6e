"""Writes captures of HTTP conversations: Ethernet, IPv4, TCP with right sequence numbers, classic pcap format."""

import gzip
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

_SEGMENT = 1400
_SYN, _ACK, _PUSH, _FIN = 0x02, 0x10, 0x08, 0x01


@dataclass(frozen=True)
class Exchange:
    """One request and its response on a connection."""

    request: bytes
    response: bytes


@dataclass
class Conversation:
    """One TCP connection from ``client`` to ``server`` that carries ``exchanges`` one after the other."""

    exchanges: Sequence[Exchange]
    client: tuple[str, int] = ("10.20.0.1", 40001)
    server: tuple[str, int] = ("10.20.0.10", 8000)
    start: float = 1_795_000_000.0
    segment: int = _SEGMENT
    _packets: list[tuple[float, bytes]] = field(default_factory=list)

    def packets(self) -> list[tuple[float, bytes]]:
        """Return (time, frame) pairs: handshake, data cut into segments and acknowledged, close."""
        self._packets, self._time = [], self.start
        self._next = {"client": 1000, "server": 9000}
        self._send("client", _SYN)
        self._send("server", _SYN | _ACK)
        self._send("client", _ACK)
        for exchange in self.exchanges:
            self._data("client", exchange.request)
            self._data("server", exchange.response)
        self._send("client", _FIN | _ACK)
        self._send("server", _FIN | _ACK)
        self._send("client", _ACK)
        return self._packets

    def _data(self, side: str, data: bytes) -> None:
        other = "server" if side == "client" else "client"
        for offset in range(0, len(data), self.segment):
            self._send(side, _PUSH | _ACK, data[offset : offset + self.segment])
            self._send(other, _ACK)

    def _send(self, side: str, flags: int, data: bytes = b"") -> None:
        other = "server" if side == "client" else "client"
        ends = {"client": self.client, "server": self.server}
        acknowledged = self._next[other] if flags & _ACK else 0
        header = struct.pack(
            "!HHIIBBHHH", ends[side][1], ends[other][1], self._next[side], acknowledged, 5 << 4, flags, 65535, 0, 0
        )
        source, target = IPv4Address(ends[side][0]).packed, IPv4Address(ends[other][0]).packed
        length = 20 + len(header) + len(data)
        internet = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, 0, 0, 64, 6, 0, source, target)
        frame = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0" + internet + header + data
        self._packets.append((self._time, frame))
        self._next[side] += len(data) + (1 if flags & (_SYN | _FIN) else 0)
        self._time += 0.001


def write(path: Path, conversations: Sequence[Conversation]) -> Path:
    """Write every packet of ``conversations`` in the order of time."""
    packets = sorted((pair for each in conversations for pair in each.packets()), key=lambda pair: pair[0])
    blocks = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)]
    for moment, frame in packets:
        blocks.append(struct.pack("<IIII", int(moment), round(moment % 1 * 1e6), len(frame), len(frame)) + frame)
    path.write_bytes(b"".join(blocks))
    return path


def get(path: str = "/doc", *, headers: dict[str, str] | None = None, host: str = "budget.example") -> bytes:
    """Return a GET request as the gateway sends it."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return "\r\n".join([*lines, "", ""]).encode()


def post(body: bytes, *, headers: dict[str, str] | None = None, kind: str = "application/octet-stream") -> bytes:
    """Return a POST request with ``body``."""
    lines = ["POST /upload HTTP/1.1", "Host: budget.example", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answer(body: bytes, *, kind: str = "text/plain", form: str = "plain") -> bytes:
    """Return a 200 response; ``form`` is ``plain``, ``chunked`` (5 octets each) or ``gzip``."""
    lines = ["HTTP/1.1 200 OK", f"Content-Type: {kind}"]
    if form == "chunked":
        lines.append("Transfer-Encoding: chunked")
        parts = [body[offset : offset + 5] for offset in range(0, len(body), 5)]
        content = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    else:
        content = gzip.compress(body, mtime=0) if form == "gzip" else body
        if form == "gzip":
            lines.append("Content-Encoding: gzip")
        lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join([*lines, "", ""]).encode() + content


class Cut(Conversation):
    """The packets of a conversation from number ``first`` on: a sensor that starts in the middle of it."""

    def __init__(self, whole: Conversation, *, first: int) -> None:
        super().__init__(whole.exchanges, client=whole.client, server=whole.server, start=whole.start)
        self.first = first

    def packets(self) -> list[tuple[float, bytes]]:
        return super().packets()[self.first :]
