"""The sequencer process: numbers, hashes and signs the evidence. One per installation, held by a lease."""

import os
import sys
import threading
from pathlib import Path

from deploy import settings as site_settings
from deploy import supervisor, wiring


def main() -> None:
    """Run as ``python -m deploy.sequencer STATE`` until a signal ends it."""
    settings = site_settings.load(Path(sys.argv[1]))
    stop = threading.Event()
    supervisor.install_signals(stop)
    database = wiring.store(settings)
    # The place and not the process: one that was killed is followed at once, nobody waits for its lease to end.
    owner = f"{os.uname().nodename}:{settings.state.resolve()}"
    wiring.sequencer(settings, database, wiring.signer(settings), owner=owner).run(stop)
    database.close()


if __name__ == "__main__":
    main()
