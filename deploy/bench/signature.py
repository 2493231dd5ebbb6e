"""P-256 signatures through the signer process (socket, pool, verification), beside a bare PKCS#11 loop.

The peer has a token of its own and runs in a process of its own: two processes must never log in to one SoftHSM token.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.bench.measurement import Measurement, compare
from hsm.client import SignerClient
from hsm.models import KeyAlgorithm, KeyPurpose

KEY = "bench-p256"

#: Signatures in one round.
_COUNT = 300

_DIGEST = bytes(range(32))


def measure(client: SignerClient, directory: Path, *, rounds: int) -> Measurement:
    """Compare, with a peer token below ``directory``."""
    client.generate(KEY, KeyAlgorithm.P256, KeyPurpose.CA)

    def ours() -> float:
        begun = time.perf_counter()
        for _ in range(_COUNT):
            client.sign(KEY, _DIGEST)
        return _COUNT / (time.perf_counter() - begun)

    with _bare(directory) as peer:

        def bare() -> float:
            return float(_ask(peer, _COUNT))

        return compare(
            "sign-p256-vs-bare-pkcs11",
            ours=ours,
            peer=bare,
            peer_name="python-pkcs11 on SoftHSM in one thread, nothing verified",
            unit="signatures/s",
            rounds=rounds,
        )


@contextmanager
def _bare(directory: Path) -> "Iterator[subprocess.Popen[str]]":
    command = [sys.executable, "-m", "deploy.bench.bare_pkcs11", str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            # The end of its input ends it.
            assert process.stdin is not None
            process.stdin.close()


def _ask(process: "subprocess.Popen[str]", count: int) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{count}\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        raise RuntimeError("the bare loop ended early")
    return answer
