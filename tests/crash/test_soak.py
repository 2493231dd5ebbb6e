"""A few kills at random in every run of the tests; ``make soak`` does two hundred."""

from tests.crash.random_kills import soak


def test_a_few_kills_while_certificates_are_issued() -> None:
    figures = soak(4, seed=20261125, issuance=True)
    assert figures.kills.total() >= 4


def test_a_few_random_kills() -> None:
    figures = soak(10, seed=20261120)
    assert figures.kills.total() >= 10
    assert figures.acknowledged > 0
