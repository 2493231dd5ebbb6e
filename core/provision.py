"""How an endpoint gets what ``deploy/wiring.py`` built: by type, from the application's own table."""

from collections.abc import Callable, Iterator
from typing import Annotated, TypeVar, cast

from fastapi import Depends, Request
from sqlmodel import Session

from core.database import Database

Thing = TypeVar("Thing")


def provided(kind: type[Thing]) -> Callable[[Request], Thing]:
    """Return a dependency that finds the one built thing of type ``kind`` (a class or a ``Protocol``)."""

    def find(request: Request) -> Thing:
        return cast("Thing", request.app.state.provided[kind])

    return find


def writing(request: Request) -> Iterator[Session]:
    """Open the request's write transaction; commit before the response leaves."""
    database = cast("Database", request.app.state.provided[Database])
    with database.write() as session:
        yield session


def reading(request: Request) -> Iterator[Session]:
    """Open the request's read transaction."""
    database = cast("Database", request.app.state.provided[Database])
    with database.read() as session:
        yield session


#: The request's transactions. ``scope="function"`` ends them before the response is sent: with the default scope a
#: commit that fails would still be answered with 200.
WriteSession = Annotated[Session, Depends(writing, scope="function")]
ReadSession = Annotated[Session, Depends(reading, scope="function")]
