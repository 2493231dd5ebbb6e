"""One comparison: both sides take turns, so that whatever else the machine does meets both."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Rate = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Measurement:
    """Medians of both sides in ``unit``; ``ratio`` is ours over the peer's, so that more is better."""

    name: str
    ours: float
    peer: float
    peer_name: str
    unit: str

    def as_json(self) -> dict[str, str | float]:
        """Return the promised shape."""
        return {
            "name": self.name,
            "ours": round(self.ours, 1),
            "peer": round(self.peer, 1),
            "peer_name": self.peer_name,
            "ratio": round(self.ours / self.peer, 4),
            "unit": self.unit,
        }


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom we are held against in the comparison ``name``."""

    name: str
    title: str
    rate: Rate


def compare(name: str, *, ours: Rate, peer: Rate, peer_name: str, unit: str, rounds: int) -> Measurement:
    """Run each side ``rounds`` times, in turn, after a round of each that does not count."""
    return compare_all([Peer(name, peer_name, peer)], ours=ours, unit=unit, rounds=rounds)[0]


def compare_all(peers: Sequence[Peer], *, ours: Rate, unit: str, rounds: int) -> list[Measurement]:
    """Do the same with several peers at once: one outcome for each."""
    taken = [(ours(), *(peer.rate() for peer in peers)) for _ in range(rounds + 1)][1:]
    own, *others = [statistics.median(side) for side in zip(*taken, strict=True)]
    return [
        Measurement(name=peer.name, ours=own, peer=rate, peer_name=peer.title, unit=unit)
        for peer, rate in zip(peers, others, strict=True)
    ]
