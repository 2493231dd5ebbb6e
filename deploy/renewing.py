"""Renewal from the side of the holder: a new key (or the same), a request, and a pair that changes at one moment.

The present certificate proves who asks. Key and request are kept before anything is sent: whoever was interrupted sends
the very same request, and gets the certificate that was issued for it.
"""

import os
import shlex
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from core.clock import Clock, to_rfc3339
from core.errors import Conflict, Malformed, NotFound, Rejected, TrustError, Unauthenticated
from deploy import anchor, schedule
from deploy.carduri import is_uri
from deploy.client import Answer, ServiceClient
from deploy.login import Login
from deploy.onboarding import requester
from deploy.pair import Pair, PairFolder, Pending
from deploy.request import ask_for, make_key, write_secret

#: Seconds that a command after a renewal may take.
_COMMAND_SECONDS = 600

#: What a request at the desk ends with when it is not issued.
_OVER = ("returned", "rejected")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """How to renew: ``new_key`` is a PKCS#11 URI for a key on a token, ``command`` what is run afterwards."""

    same_key: bool = False
    new_key: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it; ``waits_for`` says who is to act when nothing was issued yet."""

    pair: Pair
    renewed: bool
    waits_for: str = ""


class Renewer:
    """Renews the pair of one folder."""

    def __init__(self, folder: Path, wish: Wish, *, clock: Clock) -> None:
        """Work in ``folder``."""
        self._kept = PairFolder(folder)
        self._wish = wish
        self._clock = clock

    def present(self) -> Pair:
        """Return the pair that counts. Raises ``NotFound``."""
        found = self._kept.current()
        if found is None:
            raise NotFound(f"`{self._kept.folder}` holds no certificate", hint="begin with `guosuo cert enroll`")
        return found

    def due(self, part: float = 0.0) -> datetime:
        """Return when the present certificate is renewed."""
        return schedule.due(self.present().span, part)

    def renew(self, *, now: bool = False, part: float = 0.0) -> Outcome:
        """Renew when it is due (``part``: see ``due``), or ``now``; first finish what an earlier run left.

        Raises the refusal.

        The command is run when the pair is in its place; that it failed is raised, and it is due until it succeeds.
        """
        with self._kept.held():
            self._kept.clear()
            present = self.present()
            waiting = self._kept.pending()
            if not now and waiting is None and self._clock.now() < self.due(part):
                self._run_command(present)
                return Outcome(present, renewed=False)
            _check_alive(present, self._clock.now())
            waiting = waiting or self._begin(present)
            told = self._ask(present, waiting)
            if not told["chain"]:
                return Outcome(present, renewed=False, waits_for=str(told["waits_for"]))
            chain = str(told["chain"]).encode("ascii")
            anchor.check_chain(chain, anchor.load(self._kept.trust), waiting.spki)
            made = self._kept.install(chain, command=bool(self._wish.command))
            self._run_command(made)
            return Outcome(made, renewed=True)

    def _begin(self, present: Pair) -> Pending:
        if self._wish.same_key:
            uri = present.key if is_uri(present.key) else ""
            return self._kept.begin(
                requester(uri, make_key=False) if uri else _same(present), uri=uri, renews=present.serial
            )
        if is_uri(present.key) and not self._wish.new_key:
            hint = "name it with --new-key, and it is made there; or --same-key, where the profile lets one"
            raise Conflict("the present key is on a token, and its successor has no name yet", hint=hint)
        if self._wish.new_key:
            make = requester(self._wish.new_key, make_key=True)
            return self._kept.begin(make, uri=self._wish.new_key, renews=present.serial)
        return self._kept.begin(make_key, renews=present.serial)

    def _ask(self, present: Pair, waiting: Pending) -> Answer:
        who = Login(self._kept.url(), str(present.chain), present.key, str(self._kept.trust))
        try:
            with ServiceClient(who, clock=self._clock) as client:
                told = client.post("/api/v1/certificate/renewal", {"csr": waiting.request.decode("ascii")})
        except (Rejected, Malformed):
            # This request will never be granted: the next try makes another.
            self._kept.drop()
            raise
        if told["state"] in _OVER:
            self._kept.drop()
            raise Rejected(f"the renewal was {told['state']}: {told['comment']}", reason=f"request-{told['state']}")
        return told

    def _run_command(self, pair: Pair) -> None:
        if not self._wish.command or not self._kept.is_command_due():
            return
        run_command(self._wish.command, pair, self._kept.folder)
        self._kept.command_done()


def run_command(command: str, pair: Pair, folder: Path) -> None:
    """Run a command for a pair that is new: without a shell. Raises ``Rejected`` when it fails."""
    told = {"GUOSUO_FOLDER": str(folder), "GUOSUO_SERIAL": pair.serial, "GUOSUO_NOT_AFTER": to_rfc3339(pair.span[1])}
    hint = "the new certificate is in its place; the command is tried again with the next run"
    try:
        done = subprocess.run(shlex.split(command), env={**os.environ, **told}, check=False, timeout=_COMMAND_SECONDS)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise Rejected(f"`{command}` cannot be run: {error}", hint=hint, reason="command-failed") from error
    if done.returncode != 0:
        raise Rejected(f"`{command}` ended with {done.returncode}", hint=hint, reason="command-failed")


def keep_renewing(
    renewer: Renewer, *, clock: Clock, chance: Callable[[], float], stop: threading.Event, say: Say
) -> None:
    """Renew for ever, or until ``stop``: at two thirds of each life, and again after a while when that fails.

    Raises ``Unauthenticated`` when the present certificate has ended: only a new code helps then.
    """
    failures, part = 0, chance()
    while not stop.is_set():
        try:
            _check_alive(renewer.present(), clock.now())
            outcome = renewer.renew(part=part)
        except TrustError as error:
            if isinstance(error, Unauthenticated) and error.word == "ended":
                raise
            failures += 1
            say(f"not renewed: {error.detail}")
            outcome = None
        if outcome is not None and outcome.renewed:
            part = chance()
            say(f"renewed: {outcome.pair.serial} until {to_rfc3339(outcome.pair.span[1])}")
        if outcome is not None and outcome.waits_for:
            failures += 1
        elif outcome is not None:
            failures = 0
        wait = _until_next(renewer, failures, clock.now(), part, chance)
        stop.wait(wait)


def _until_next(renewer: Renewer, failures: int, now: datetime, part: float, chance: Callable[[], float]) -> float:
    if failures:
        left = renewer.present().span[1] - now
        return schedule.pause(failures, left, chance()).total_seconds()
    # Looked at every hour in any case: somebody else may renew by hand, and clocks are set.
    return min(max((renewer.due(part) - now).total_seconds(), 1.0), 3600.0)


def _check_alive(pair: Pair, now: datetime) -> None:
    if now > pair.span[1]:
        detail = f"the present certificate ended at {to_rfc3339(pair.span[1])}"
        raise Unauthenticated(detail, hint="ask for a one-time code, and enrol in a new folder", reason="ended")


def _same(present: Pair) -> Callable[[Path], bytes]:
    def make(path: Path) -> bytes:
        pem = Path(present.key).read_bytes()
        write_secret(path, pem)
        key = load_pem_private_key(pem, password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
        return ask_for(key)

    return make
