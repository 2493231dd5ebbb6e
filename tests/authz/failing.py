"""Commits that fail in the two ways a store can: not applied, and applied all the same."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

#: When the error comes, and so what is left behind.
WAYS = {"failed": "before_commit", "failed but applied": "after_commit"}


@contextmanager
def commits(way: str) -> Iterator[None]:
    def fail(_session: Session) -> None:
        raise OperationalError("COMMIT", None, Exception("the disk is gone"))

    event.listen(Session, WAYS[way], fail)
    try:
        yield
    finally:
        event.remove(Session, WAYS[way], fail)
