"""``python -m tests.fuzz --minutes N [TARGET …]``: every target for N minutes; what broke it is left in ``.fuzz``."""

import argparse
import hashlib
import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz.targets import TARGETS

#: Inputs found so far stay here, so that the next run goes on from them.
PLACE = Path(".fuzz")

#: Seconds for one input, and most memory.
_SLOWEST, _MEGABYTES = 10, 2048


def fuzz(name: str, seconds: int) -> bool:
    """Fuzz one target and say how it went; return whether it held."""
    target, corpus, found = TARGETS[name], PLACE / "corpus" / name, PLACE / "found"
    corpus.mkdir(parents=True, exist_ok=True)
    found.mkdir(exist_ok=True)
    for seed in target.seeds():
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    limits = [f"-max_total_time={seconds}", f"-max_len={target.largest}", f"-timeout={_SLOWEST}"]
    limits += [f"-rss_limit_mb={_MEGABYTES}", "-print_final_stats=1", f"-artifact_prefix={found}/{name}-"]
    command = [sys.executable, "-m", "tests.fuzz.harness", name, *limits, str(corpus)]
    log = PLACE / f"{name}.log"
    with log.open("wb") as sink:
        held = subprocess.run(command, stdout=sink, stderr=sink, check=False).returncode == 0
    text = log.read_text(encoding="utf-8", errors="replace")
    executed = re.search(r"number_of_executed_units:\s*(\d+)", text)
    count = int(executed[1]) if executed else 0
    held = held and count > 0
    print(f"  {name:12} {count:>10,} inputs   {'held' if held else f'BROKE: see {log}'}", flush=True)
    return held


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="for each target")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)} (default: all)")
    asked = parser.parse_args()
    if unknown := set(asked.targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    # Every target gets its turn, whatever the one before did.
    verdicts = [fuzz(name, int(asked.minutes * 60)) for name in asked.targets or TARGETS]
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
