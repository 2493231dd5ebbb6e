"""What nobody answers for: found from the register as values. Pure.

谁主管谁负责, 谁运行谁负责: empty is the rule, and whatever stands here is shown in red.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answered:
    """A thing in the register and the posts that answer for it."""

    kind: str
    identifier: str
    title: str
    posts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """The register at one time.

    ``posts`` are titles by id, ``holders`` who holds a post, ``left`` the people who are gone; ``roles`` are (person,
    domain, role) held, ``duties`` (id, title, post) that wait.
    """

    posts: Mapping[str, str]
    holders: Mapping[str, str]
    left: Collection[str]
    things: Sequence[Answered]
    roles: Sequence[tuple[str, str, str]]
    duties: Sequence[tuple[str, str, str]]


@dataclass(frozen=True, slots=True, order=True)
class Orphan:
    """One thing that nobody answers for, and why."""

    kind: str
    identifier: str
    title: str
    why: str


def vacant(facts: Facts) -> frozenset[str]:
    """Return the posts that nobody holds, or only somebody who left, or that are gone and still asked for."""
    asked = {*facts.posts, *(post for thing in facts.things for post in thing.posts), *(one[2] for one in facts.duties)}
    gone = {None, *facts.left}
    return frozenset(post for post in asked if post not in facts.posts or facts.holders.get(post) in gone)


def orphans(facts: Facts) -> list[Orphan]:
    """Return everything that nobody answers for, posts first, then what hangs on them."""
    empty = vacant(facts)
    known = sorted(empty & set(facts.posts))
    found = [Orphan("post", post, facts.posts[post], _why_vacant(facts, post)) for post in known]
    for thing in facts.things:
        found += [
            Orphan(thing.kind, thing.identifier, thing.title, f"its post `{post}` is vacant")
            for post in dict.fromkeys(thing.posts)
            if post in empty
        ]
    found += [
        Orphan("role", f"{domain}/{name}", f"{name} of {person}", f"`{person}` has left")
        for person, domain, name in facts.roles
        if person in facts.left
    ]
    found += [
        Orphan("duty", identifier, title, f"its post `{post}` is vacant")
        for identifier, title, post in facts.duties
        if post in empty
    ]
    return found


def _why_vacant(facts: Facts, post: str) -> str:
    holder = facts.holders.get(post)
    return "nobody holds it" if holder is None else f"`{holder}`, who held it, has left"
