"""The sequencer beside the writers, in a process of its own as in production."""

import sys
import threading
from pathlib import Path

from core.clock import SystemClock
from core.database import Database
from core.ledger.sequencer import Sequencer
from deploy import supervisor
from hsm.client import SignerClient
from hsm.settings import HsmSettings
from hsm.signer import TokenCheckpointSigner

ORIGIN = "guosuo.example/bench"
CHECKPOINT_KEY = "bench-evidence"


def main() -> None:
    """Run as ``python -m deploy.bench.sequencing STORE DIRECTORY SIGNER`` until a signal ends it."""
    store, directory, signer = sys.argv[1:]
    stop = threading.Event()
    supervisor.install_signals(stop)
    database = Database(store)
    Sequencer(
        database=database,
        clock=SystemClock(),
        directory=Path(directory),
        origin=ORIGIN,
        signer=TokenCheckpointSigner(SignerClient(HsmSettings(state=Path(signer)).socket), CHECKPOINT_KEY),
        owner="bench",
        mirror=None,
    ).run(stop)
    database.close()


if __name__ == "__main__":
    main()
