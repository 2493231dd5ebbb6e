"""Something happens between two statements of somebody else's transaction: once, at a place that is named."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import event

from core.database import Database


@contextmanager
def between(database: Database, words: str, act: Callable[[], object], *, after: bool = False) -> Iterator[None]:
    """Call ``act`` before (or after) the next statement whose text holds ``words``; it must come to that."""
    seen: list[str] = []

    def reached(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if not seen and words in statement:
            seen.append(statement)
            act()

    name = "after_cursor_execute" if after else "before_cursor_execute"
    event.listen(database.engine, name, reached)
    try:
        yield
    finally:
        event.remove(database.engine, name, reached)
    assert seen, f"no statement holds `{words}`"
