"""One comparison: both sides take turns, so that whatever else the machine does meets both."""

import statistics
from collections.abc import Callable
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


def compare(name: str, *, ours: Rate, peer: Rate, peer_name: str, unit: str, rounds: int) -> Measurement:
    """Run each side ``rounds`` times, in turn, after a round of each that does not count."""
    pairs = [(ours(), peer()) for _ in range(rounds + 1)][1:]
    return Measurement(
        name=name,
        ours=statistics.median(one for one, _ in pairs),
        peer=statistics.median(other for _, other in pairs),
        peer_name=peer_name,
        unit=unit,
    )
