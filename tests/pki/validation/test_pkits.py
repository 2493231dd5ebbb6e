"""Every test of the NIST suite comes out as NIST says, for the reason that the test is about."""

import re
from collections import Counter

import pytest

from pki.errors import RefusedPath
from pki.validation import certificate, path
from pki.validation.signature import MODERN
from tests.pki.validation import pkits
from tests.pki.validation.pkits import Case

CASES = pkits.cases()

#: How many tests each section of the suite has.
TESTS = (6, 8, 11, 21, 8, 17, 5, 20, 8, 14, 11, 10, 38, 35, 10, 2)


def outcome(case: Case) -> tuple[str, str, int]:
    try:
        proven = case.validate()
    except RefusedPath as error:
        return error.word, error.section, error.place
    assert proven.certificate is pkits.certificate_of(case.path[-1])
    assert not case.policies or proven.policies <= case.parameters().policies
    return "accepted", "", 0


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.section} {case.name}")
def test_case(case: Case) -> None:
    assert outcome(case) == (case.expected, case.rfc, case.place)


def test_table_has_every_test(capsys: pytest.CaptureFixture[str]) -> None:
    found = Counter(int(section.split(".")[1]) for section in {case.section for case in CASES})
    assert tuple(found[number] for number in range(1, 17)) == TESTS
    right = {case.section for case in CASES} - {
        case.section for case in CASES if outcome(case) != (case.expected, case.rfc, case.place)
    }
    with capsys.disabled():
        print(f"\nNIST PKITS: {len(right)} of {sum(TESTS)} tests right, in {len(CASES)} parts")
    assert len(right) == sum(TESTS)


def test_names_agree_with_outcomes() -> None:
    """NIST says in the name of most tests what comes out: the table must not say otherwise."""
    for case in CASES:
        if case.name.startswith("Invalid"):
            assert case.expected != "accepted", case.section
        elif case.name.startswith("Valid") and not (case.policies or case.explicit or case.inhibit_mapping):
            assert case.expected == "accepted", case.section


def test_old_algorithms_are_refused_unless_somebody_asks() -> None:
    case = next(case for case in CASES if case.section == "4.1.4")
    chain = [pkits.certificate_of(name) for name in case.path]
    with pytest.raises(RefusedPath) as caught:
        path.validate(chain, pkits.anchor(), case.parameters(MODERN))
    assert (caught.value.word, caught.value.place) == ("algorithm-not-allowed", 2)


def test_every_file_of_the_suite_is_read() -> None:
    files = sorted((pkits.DATA / "certs").glob("*.crt"))
    assert len(files) == 405
    for file in files:
        found = certificate.parse(file.read_bytes())
        assert re.search(r"(^|,)(CN|OU|O)=", str(found.subject)) or found.subject.relative == ()
