"""Kill a working site at random, again and again.

A worker that does everything, the sequencer and the signer run as processes of their own. At a random moment one of
them, chosen at random, is killed with SIGKILL, and what then cannot go on is killed too; the site is repaired by what
the product does by itself, and everything must hold. Both stores take turns. The same seed makes the same choices.
"""

import contextlib
import random
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

from core.errors import Unavailable
from core.registry import role
from hsm.models import KeyAlgorithm, KeyPurpose
from pki import revocation, revocation_api
from pki.request import IssuedCertificate
from tests.crash.invariant import check
from tests.crash.ledger_scenarios import together
from tests.crash.nursery import Child, Say
from tests.crash.parts import Parts, Place
from tests.crash.site import Site, Token, postgres_stores, running_token, sqlite_stores
from tests.memory import MEMORY
from tests.services import postgres

#: Seconds of work before a kill, at most; how often it may come before the worker is ready; and how long a signer
#: takes to start, at most.
LONGEST, STARTING, LOGGED_IN = 0.5, 0.1, 0.1

PEOPLE = ("chen-dev", "chu-dev", "wu-ops", "jiang-tax", "shen-tax", "xu-hr", "lv-hr")


def work(place: Place, seed: int, issuance: bool, say: Say) -> None:
    """Issue, decide, revoke, publish, assign, generate and run jobs, in random order, until killed.

    With ``issuance`` nothing but that: one by one, in batches, and by many at once.
    """
    chosen = random.Random(seed)
    parts = Parts(place)
    acts = [issue_and_decide, issue_and_decide, revoke, revoke_with_list, hold, assign, run_jobs, publish, generate]
    acts += [write_together, write_together, issue_batch]
    if issuance:
        acts = [issue_one, issue_batch, issue_batch, issue_side_by_side]
    say("ready", "")
    while True:
        # A signer that was killed is told to the caller, who goes on with something else.
        with contextlib.suppress(Unavailable):
            chosen.choice(acts)(parts, say)


def issue_and_decide(parts: Parts, say: Say) -> None:
    issued = parts.issue(secrets.choice(PEOPLE))
    say("issued", issued.serial)
    say("recorded", parts.decide(issued.der))


def issue_one(parts: Parts, say: Say) -> None:
    say("issued", parts.issue(secrets.choice(PEOPLE)).serial)


def issue_batch(parts: Parts, say: Say) -> None:
    """Some of them are refused; what is answered for stays."""
    for one in parts.issue_batch([secrets.choice((*PEOPLE, "nobody-here")) for _ in range(secrets.choice((2, 9, 40)))]):
        if isinstance(one, IssuedCertificate):
            say("issued", one.serial)


def issue_side_by_side(parts: Parts, say: Say) -> None:
    """Threads of one process, whose intentions and outcomes share transactions."""
    with ThreadPoolExecutor(6) as threads:
        for one in threads.map(parts.issue, PEOPLE):
            say("issued", one.serial)


def revoke(parts: Parts, say: Say) -> None:
    issued = parts.issue(secrets.choice(PEOPLE))
    say("issued", issued.serial)
    with parts.database.write() as session:
        record = revocation.revoke(
            session, issued.serial, reason="superseded", actor="lu-security", at=parts.clock.now()
        )
    say("revoked", issued.serial)
    say("recorded", record)


def revoke_with_list(parts: Parts, say: Say) -> None:
    """The whole endpoint: answered when the list is out and the record is mirrored."""
    issued, officer = parts.issue(), parts.issue("sun-yue")
    principal = parts.authenticator.authenticate(officer.der)
    body = revocation_api.RevocationRequest(reason="key-compromise")
    done = revocation_api.revoke(issued.serial, body, principal, parts.database, parts.clock)
    say("revoked", issued.serial)
    say("recorded", done.record)


def hold(parts: Parts, say: Say) -> None:
    """On hold, and then released, revoked, or neither."""
    serial, at = parts.issue(secrets.choice(PEOPLE)).serial, parts.clock.now()
    with parts.database.write() as session:
        revocation.hold(session, serial, until=at + timedelta(days=30), message="", actor="lu-security", at=at)
    say("held", serial)
    chosen = secrets.choice(("release", "revoke", "neither"))
    with parts.database.write() as session:
        if chosen == "release":
            revocation.release(session, serial, actor="lu-security", at=parts.clock.now())
        elif chosen == "revoke":
            revocation.revoke(session, serial, reason="superseded", actor="lu-security", at=parts.clock.now())


def assign(parts: Parts, say: Say) -> None:
    name = f"reader-{secrets.token_hex(4)}"
    with parts.database.write() as session:
        person, at = secrets.choice(PEOPLE), parts.clock.now()
        role.assign(session, person=person, domain="outer-finance", role=name, giver="lu-security", at=at)  # type: ignore[arg-type]  # a real id
    say("recorded", name)


def write_together(parts: Parts, say: Say) -> None:
    """Many writers, one transaction: what is killed in its middle was acknowledged to nobody."""
    together(parts, say, writers=8, times=4)


def run_jobs(parts: Parts, _say: Say) -> None:
    parts.clock.advance(seconds=3)
    parts.work_off("first")


def publish(parts: Parts, say: Say) -> None:
    for name, number in zip(("root", "issuing"), parts.publisher.refresh(force=True), strict=True):
        say("published", f"{name}:{number}")


def generate(parts: Parts, say: Say) -> None:
    label = f"key-{secrets.token_hex(4)}"
    parts.keys.generate(label, KeyAlgorithm.P256, KeyPurpose.CRL)
    say("key", label)


def sequence(place: Place, _say: Say) -> None:
    """Be the sequencer process."""
    sequencer = Parts(place).sequencer()
    while True:
        with contextlib.suppress(Unavailable):
            sequencer.run_once()
        time.sleep(0.01)


@dataclass
class Figures:
    """What happened: kills by process and by what was repaired."""

    kills: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0

    def lines(self) -> Iterator[str]:
        yield f"kills: {self.kills.total()} ({', '.join(f'{name} {n}' for name, n in sorted(self.kills.items()))})"
        yield f"repaired: {', '.join(f'{name} {n}' for name, n in sorted(self.repaired.items())) or 'nothing was open'}"
        yield f"acknowledged and still there: {self.acknowledged}"


def strike(site: Site, chosen: random.Random, figures: Figures, *, issuance: bool) -> None:
    """Let the three processes work, kill one of them at some moment, then end the others and repair."""
    worker = Child(work, site.place, chosen.randrange(2**32), issuance)
    sequencer = Child(sequence, site.place)
    assert site.token.signer is not None  # settled
    processes = {"worker": worker, "sequencer": sequencer, "signer": site.token.signer}
    victim = chosen.choice(sorted(processes))
    if chosen.random() > STARTING:
        worker.hear()
    time.sleep(chosen.random() * LONGEST)
    processes[victim].kill()
    figures.kills[victim] += 1
    # The others have met the failure for a moment; then the whole machine goes down.
    time.sleep(0.02)
    worker.kill()
    sequencer.kill()
    heard = [one for one in worker.said() if one[0] != "ready"]
    site.acknowledged += [one for one in heard if one[0] != "key"]
    site.token.expected |= {value for kind, value in heard if kind == "key"}
    figures.acknowledged += len(heard)
    figures.repaired += site.open_ends()
    if victim == "signer":
        # Once more while it starts: the log-in rewrites a file of the token, and a kill then may empty it.
        site.token.start(wait=False)
        time.sleep(chosen.random() * LOGGED_IN)
        site.token.signer.kill()
        figures.kills["signer while it starts"] += 1
    site.settle()
    check(site)


def soak(kills: int, seed: int, *, report: bool = False, issuance: bool = False) -> Figures:
    """Kill ``kills`` times, in the midst of everything or of ``issuance`` alone.

    Raises ``AssertionError`` at the first violation, naming the seed.
    """
    chosen, figures = random.Random(seed), Figures()
    with running_token() as token, sqlite_stores() as small, postgres.running(MEMORY) as cluster:
        makers = [small, postgres_stores(cluster)]
        sites: list[Site] = []
        try:
            for number in range(kills):
                if number % 20 in (0, 10):
                    # A new site now and then, so that checking all of it stays quick.
                    sites.append(_founded(token, makers[number // 10 % 2]()))
                strike(sites[-1], chosen, figures, issuance=issuance)
                if report and number % 20 == 19:
                    print(f"{number + 1} kills", flush=True)
        except AssertionError as error:
            raise AssertionError(f"after {figures.kills.total()} kills with seed {seed}: {error}") from error
        finally:
            for site in sites:
                site.close()
    return figures


def _founded(token: Token, url: str) -> Site:
    site = Site(token, url)
    site.settle()
    return site
