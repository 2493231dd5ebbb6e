"""A small real name server on loopback (UDP), whose zone a test changes as it goes."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


@dataclass
class Zone:
    """Records by name and type; ``asked`` is every question, in order."""

    port: int
    records: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def answer(self, content: bytes) -> bytes:
        question = dns.message.from_wire(content)
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.AA | dns.flags.RA
        name, kind = question.question[0].name, dns.rdatatype.to_text(question.question[0].rdtype)
        text = name.to_text(omit_final_dot=True).lower()
        self.asked.append((text, kind))
        if not any(known == text for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif found := self.records.get((text, kind)):
            answer.answer.append(dns.rrset.from_text_list(name, 1, "IN", kind, found))
        return answer.to_wire()


@contextmanager
def serving() -> Iterator[Zone]:
    """Answer for as long as the block lasts."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(0.1)
        zone, over = Zone(listening.getsockname()[1]), threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    content, sender = listening.recvfrom(4096)
                except TimeoutError:
                    continue
                listening.sendto(zone.answer(content), sender)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield zone
        finally:
            over.set()
            thread.join()
