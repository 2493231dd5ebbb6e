"""``python -m tests.crash.soak [KILLS [SEED]]``: kill at random and print the figures.

Apart from what it runs: every child of a program loads the program's own module once more.
"""

import secrets
import sys
import time

from tests.crash.random_kills import soak


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else secrets.randbelow(2**32)
    began = time.monotonic()
    print(f"seed {seed}", flush=True)
    figures = soak(kills, seed, report=True)
    for line in figures.lines():
        print(line)
    print(f"violations: 0, in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
