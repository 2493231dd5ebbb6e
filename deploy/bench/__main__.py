"""``python -m deploy.bench [--json] [--rounds N] [--directory DIR]``: every comparison, on the disk of ``DIR``."""

import argparse
import json
import secrets
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from core.clock import SystemClock
from core.errors import TrustError
from deploy.bench import issuance, ledger, scale, sequencing, signature, status
from deploy.bench.measurement import Measurement
from deploy.children import Child
from deploy.rehearsal.step import wait_for
from hsm import token
from hsm.client import SignerClient
from hsm.models import KeyAlgorithm, KeyPurpose
from hsm.settings import HsmSettings


def measure(directory: Path, tokens: Path, *, rounds: int, large: int) -> list[Measurement]:
    """Run every comparison: files in ``directory``, a signer of our own below ``tokens`` (a short path)."""
    with _signer(tokens / "ours") as (client, process):
        client.generate(sequencing.CHECKPOINT_KEY, KeyAlgorithm.ED25519, KeyPurpose.CHECKPOINT)
        found = ledger.measure(directory, tokens / "ours", SystemClock(), rounds=rounds)
        found += status.measure(client, tokens / "ours", directory, SystemClock(), rounds=rounds)
        found += issuance.measure(directory, client, process, SystemClock(), rounds=rounds)
        found += scale.measure(directory, client, SystemClock(), large=large, rounds=rounds)
        return [*found, signature.measure(client, tokens / "peer", rounds=rounds)]


@contextmanager
def _signer(state: Path) -> Iterator[tuple[SignerClient, int]]:
    settings = HsmSettings(state=state)
    token.initialise(settings, secrets.token_bytes)
    child = Child("signer", [sys.executable, "-m", "hsm.signerd", str(state)], log=state / "signer.log")
    client = SignerClient(settings.socket)
    try:
        if wait_for(settings.socket.exists, seconds=20) is None:
            raise TimeoutError(f"the signer does not start: {child.last_words()}")
        yield client, child.pid
    finally:
        client.close()
        child.stop()


def _table(found: Sequence[Measurement]) -> Table:
    table = Table(header_style="bold")
    for heading in ("what", "ours", "peer", "ratio"):
        table.add_column(heading, overflow="fold", justify="left" if heading == "what" else "right")
    for one in found:
        table.add_row(
            f"{one.name}\n[dim]{one.unit}; peer: {one.peer_name}[/dim]",
            f"{one.ours:,.0f}",
            f"{one.peer:,.0f}",
            f"{one.ours / one.peer:.3f}",
        )
    return table


def main() -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(prog="python -m deploy.bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON for programs instead of a table")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each side, in turn; the median counts")
    parser.add_argument("--certificates", type=int, default=1_000_000, help="in the large store (ten million: 16 GB)")
    parser.add_argument("--directory", type=Path, default=Path(), help="whose disk is measured (default: here)")
    asked = parser.parse_args()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="gs-bench-", dir=asked.directory) as directory,
            tempfile.TemporaryDirectory(prefix="gs-") as tokens,
        ):
            found = measure(Path(directory).resolve(), Path(tokens), rounds=asked.rounds, large=asked.certificates)
    except (TrustError, OSError) as error:
        print(f"the benchmark cannot be run: {error}", file=sys.stderr)
        return 1
    if asked.json:
        print(json.dumps([one.as_json() for one in found], indent=2))
        return 0
    Console().print(_table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
