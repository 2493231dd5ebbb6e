"""A few kills at random in every run of the tests; ``make soak`` does two hundred."""

from tests.crash.random_kills import soak


def test_a_few_random_kills() -> None:
    figures = soak(10, seed=20261120)
    assert figures.kills.total() >= 10
    assert figures.acknowledged > 0
