"""Who is above whom: from parents by id to ancestors, and to those who are their own. Pure, and linear in time."""

from collections import defaultdict
from collections.abc import Mapping

Parents = Mapping[str, str | None]


def ancestors(start: str, parents: Parents) -> frozenset[str]:
    """Return everything above ``start``; in a cycle that is itself too."""
    found: set[str] = set()
    current = parents.get(start)
    while current is not None and current not in found:
        found.add(current)
        current = parents.get(current)
    return frozenset(found)


def circular(parents: Parents) -> frozenset[str]:
    """Return everything that is its own ancestor."""
    done: set[str] = set()
    found: set[str] = set()
    for start in parents:
        path: dict[str, int] = {}
        current: str | None = start
        while current is not None and current in parents and current not in done and current not in path:
            path[current] = len(path)
            current = parents[current]
        if current is not None and current in path:
            found |= {name for name, place in path.items() if place >= path[current]}
        done |= path.keys()
    return frozenset(found)


class Lineage:
    """Who is above whom, asked often: prepared once, then answered at once, however long a line is."""

    def __init__(self, parents: Parents) -> None:
        """Number everybody on the way down and on the way up again, from those who have nobody above."""
        below: defaultdict[str | None, list[str]] = defaultdict(list)
        for name, parent in parents.items():
            below[parent if parent in parents else None].append(name)
        self._spans: dict[str, tuple[int, int]] = {}
        entered: dict[str, int] = {}
        waiting = list(below[None])
        while waiting:
            name = waiting[-1]
            if name not in entered:
                entered[name] = len(entered)
                waiting += below[name]
            else:
                self._spans[name] = (entered[name], len(entered))
                waiting.pop()

    def is_above(self, one: str, other: str) -> bool:
        """Whether ``one`` is above ``other``. In and below a cycle, a fault of its own, everybody is."""
        if other not in self._spans:
            return True
        first, end = self._spans.get(one, (0, 0))
        return first < self._spans[other][0] < end
