"""The fuzzing targets themselves, quickly and without atheris: seeds, and seeds cut, doubled and flipped."""

import random

import pytest

from tests.fuzz.targets import TARGETS


# The library warns of certificates that it will refuse one day; that they are refused here is the point.
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@pytest.mark.parametrize("name", TARGETS)
def test_target_holds(name: str) -> None:
    target = TARGETS[name]
    seeds = target.seeds()
    assert seeds
    assert all(0 < len(seed) <= target.largest for seed in seeds)
    chance = random.Random(2026)
    for seed in seeds:
        target.run(seed)
        target.run(seed + seed)
        for _ in range(60):
            broken = bytearray(seed)
            for _ in range(chance.randint(1, 4)):
                broken[chance.randrange(len(broken))] = chance.randrange(256)
            target.run(bytes(broken[: chance.randrange(len(broken) + 1)]))
            target.run(bytes(broken))
    target.run(b"")
