"""The worker process: leased jobs of every package (CRLs, expiry). Any number of workers; each job runs once."""

import os
import sys
import threading
from collections.abc import Sequence
from concurrent import futures
from pathlib import Path

from core.clock import SystemClock
from core.database import Database
from core.jobs import Job, run_due
from deploy import settings as site_settings
from deploy import supervisor, wiring


def main() -> None:
    """Run as ``python -m deploy.worker STATE`` until a signal ends it."""
    settings = site_settings.load(Path(sys.argv[1]))
    stop = threading.Event()
    supervisor.install_signals(stop)
    database = wiring.store(settings)
    work(database, wiring.jobs(settings, database), stop)
    database.close()


def work(database: Database, groups: Sequence[Sequence[Job]], stop: threading.Event) -> None:
    """Run the jobs of each group in order, in a thread of its own, until ``stop``.

    What a job raises is its failure (see ``run_due``); what ends one thread, as a store that does not answer, ends all,
    and is raised.
    """
    owner = f"{os.uname().nodename}:{os.getpid()}"

    def repeat(jobs: Sequence[Job]) -> None:
        try:
            while not stop.wait(0.25):
                for failure in run_due(database, jobs, SystemClock(), owner):
                    print(failure, file=sys.stderr, flush=True)  # noqa: T201
        finally:
            stop.set()

    with futures.ThreadPoolExecutor(len(groups)) as threads:
        for done in [threads.submit(repeat, group) for group in groups]:
            done.result()


if __name__ == "__main__":
    main()
