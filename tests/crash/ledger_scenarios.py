"""Work of the evidence that is killed: many writers at once."""

import secrets
import threading
from functools import partial

from sqlmodel import Session

from core.ledger.entry import Event
from core.registry import role
from tests.crash.nursery import Say
from tests.crash.parts import Parts, Place


def gather(place: Place, say: Say) -> None:
    """Many writers hand in records and acts at once."""
    together(Parts(place), say, writers=6, times=20)


def together(parts: Parts, say: Say, *, writers: int, times: int) -> None:
    """Let ``writers`` threads hand in records and acts, each as soon as its last one is acknowledged."""
    speaking = threading.Lock()

    def write(number: int) -> None:
        for count in range(times):
            name = f"writer-{number}-{count}-{secrets.token_hex(4)}"
            if count % 3:
                parts.group.append(Event("test.thing.made", "li", f"thing:{name}"), at=parts.clock.now())
            else:
                parts.group.run(partial(assign, parts, name))
            with speaking:
                say("recorded", name)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def assign(parts: Parts, name: str, session: Session) -> None:
    person, at = secrets.choice(("chen-dev", "chu-dev", "wu-ops")), parts.clock.now()
    role.assign(session, person=person, domain="outer-finance", role=name, giver="lu-security", at=at)  # type: ignore[arg-type]  # a real id
