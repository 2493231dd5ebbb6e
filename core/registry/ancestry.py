"""Who is above whom: from parents by id to ancestors, and to those who are their own. Pure, and linear in time."""

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
