"""The worker process: leased jobs of every package (CRLs, expiry). Any number of workers; each job runs once."""

import os
import sys
import threading
from pathlib import Path

from core.clock import SystemClock
from core.jobs import run_due
from deploy import settings as site_settings
from deploy import supervisor, wiring


def main() -> None:
    """Run as ``python -m deploy.worker STATE`` until a signal ends it."""
    settings = site_settings.load(Path(sys.argv[1]))
    stop = threading.Event()
    supervisor.install_signals(stop)
    database = wiring.store(settings)
    jobs = wiring.jobs(settings, database)
    owner = f"{os.uname().nodename}:{os.getpid()}"
    while not stop.wait(0.25):
        for failure in run_due(database, jobs, SystemClock(), owner):
            print(failure, file=sys.stderr, flush=True)  # noqa: T201
    database.close()


if __name__ == "__main__":
    main()
