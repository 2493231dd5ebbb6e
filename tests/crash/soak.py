"""``python -m tests.crash.soak [KILLS [SEED]] [--issuance]``: kill at random and print the figures.

With ``--issuance`` in the midst of issuing alone, one by one, in batches and side by side.

Apart from what it runs: every child of a program loads the program's own module once more.
"""

import secrets
import sys
import time

from tests.crash.random_kills import soak


def main() -> None:
    issuance = "--issuance" in sys.argv
    numbers = [int(word) for word in sys.argv[1:] if word != "--issuance"]
    kills = numbers[0] if numbers else 200
    seed = numbers[1] if len(numbers) > 1 else secrets.randbelow(2**32)
    began = time.monotonic()
    print(f"seed {seed}", flush=True)
    figures = soak(kills, seed, report=True, issuance=issuance)
    for line in figures.lines():
        print(line)
    print(f"violations: 0, in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
