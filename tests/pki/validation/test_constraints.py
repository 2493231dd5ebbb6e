"""Name constraints: what lies within what, form by form; and that more of them never allow more."""

import ipaddress

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as some

from pki import der
from pki.errors import RefusedPath
from pki.validation import certificate, constraints
from pki.validation.certificate import Certificate
from tests.pki.validation.chains import AUTHORITY, make, validate

Kind = type[x509.DNSName] | type[x509.RFC822Name] | type[x509.UniformResourceIdentifier]

DNS, MAIL, URI = x509.DNSName, x509.RFC822Name, x509.UniformResourceIdentifier


def constrained(permitted: list[x509.GeneralName], excluded: list[x509.GeneralName], *, place: int = 1) -> bytes:
    value = x509.NameConstraints(permitted or None, excluded or None)
    above = f"Authority {place - 1}" if place > 1 else "Root"
    return make(f"Authority {place}", above, [*AUTHORITY, (value, True)])


def holder(names: list[x509.GeneralName], *, place: int = 1, subject: str | x509.Name = "last") -> bytes:
    value = [(x509.SubjectAlternativeName(names), False)] if names else []
    return make(subject, f"Authority {place}", value, own_key="last")


def word(*contents: bytes) -> str:
    try:
        validate(contents)
    except RefusedPath as error:
        return error.word
    return "accepted"


WITHIN = [
    (DNS, "a.example", "a.example", True),
    (DNS, "x.a.example", "a.example", True),
    (DNS, "x.y.A.Example", "a.example", True),
    (DNS, "xa.example", "a.example", False),
    (DNS, "example", "a.example", False),
    (DNS, "x.a.example", ".a.example", True),
    (DNS, "a.example", ".a.example", False),
    (DNS, "anything.example", "", True),
    (DNS, "*.a.example", "a.example", True),
    (DNS, "*.a.example", ".a.example", True),
    (DNS, "*.example", "a.example", False),
    (MAIL, "li@a.example", "li@a.example", True),
    (MAIL, "li@A.EXAMPLE", "li@a.example", True),
    (MAIL, "LI@a.example", "li@a.example", False),
    (MAIL, "li@a.example", "a.example", True),
    (MAIL, "li@x.a.example", "a.example", False),
    (MAIL, "li@x.a.example", ".a.example", True),
    (MAIL, "li@a.example", ".a.example", False),
    (URI, "https://a.example/x?y#z", "a.example", True),
    (URI, "https://li:pw@A.example:8443/x", "a.example", True),
    (URI, "https://x.a.example/", "a.example", False),
    (URI, "https://x.a.example/", ".a.example", True),
    (URI, "https://a.example/", ".a.example", False),
    (URI, "https://elsewhere.example/@a.example", "a.example", False),
]


@pytest.mark.parametrize(("kind", "name", "constraint", "within"), WITHIN)
def test_within(kind: Kind, name: str, constraint: str, within: bool) -> None:
    found = word(constrained([kind(constraint)], []), holder([kind(name)]))
    assert found == ("accepted" if within else "name-not-permitted")


@pytest.mark.parametrize(("kind", "name", "constraint", "within"), [row for row in WITHIN if "*" not in row[1]])
def test_excluded(kind: Kind, name: str, constraint: str, within: bool) -> None:
    found = word(constrained([], [kind(constraint)]), holder([kind(name)]))
    assert found == ("name-excluded" if within else "accepted")


@pytest.mark.parametrize("excluded", ["a.example", "x.a.example", ".a.example", "x.y.a.example", ""])
def test_wildcard_that_could_be_an_excluded_host_is_excluded(excluded: str) -> None:
    assert word(constrained([], [DNS(excluded)]), holder([DNS("*.a.example")])) == "name-excluded"
    assert word(constrained([], [DNS("b.example")]), holder([DNS("*.a.example")])) == "accepted"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (DNS, "a.example."),
        (DNS, ""),
        (DNS, "a..example"),
        (DNS, "x*.a.example"),
        (DNS, "a.example\x00.b.example"),
        (MAIL, "nobody"),
        (MAIL, "@a.example"),
        (URI, "urn:guosuo:person:li-wen"),
        (URI, "https://10.0.0.1/"),
        (URI, "https://[::1]/"),
        (URI, "https://[::1"),
        (URI, "https:///x"),
    ],
)
def test_what_cannot_be_judged_is_refused(kind: Kind, name: str) -> None:
    for above in (constrained([kind("a.example")], []), constrained([], [kind("a.example")])):
        assert word(above, holder([kind(name)])) == "name-not-permitted"


@pytest.mark.parametrize(
    ("network", "address", "within"),
    [
        ("10.20.0.0/16", "10.20.255.1", True),
        ("10.20.0.0/16", "10.21.0.1", False),
        ("0.0.0.0/0", "10.21.0.1", True),
        ("10.20.0.0/16", "::ffff:10.20.0.1", False),
        ("fd00::/8", "fd12::1", True),
        ("fd00::/8", "fe80::1", False),
    ],
)
def test_addresses(network: str, address: str, within: bool) -> None:
    constraint, name = x509.IPAddress(ipaddress.ip_network(network)), x509.IPAddress(ipaddress.ip_address(address))
    assert word(constrained([constraint], []), holder([name])) == ("accepted" if within else "name-not-permitted")
    assert word(constrained([], [constraint]), holder([name])) == ("name-excluded" if within else "accepted")


@pytest.mark.parametrize(
    ("subtree", "reason"),
    [
        ("8708 0a000000 ff00ff00", "syntax"),
        ("8706 0a00ff00ff00", "syntax"),
        ("8208 612e2e6578616d70", "syntax"),
        ("8602 612f", "syntax"),
        ("8100", "syntax"),
        ("8103 614062 800101", "a name alone"),
        ("", "a name alone"),
        ("8901 00", "no form"),
    ],
    ids=["mask with a hole", "odd mask", "a..examp", "a/", "empty mail", "minimum", "nothing", "form 9"],
)
def test_constraint_that_says_nothing_sound_is_refused(subtree: str, reason: str) -> None:
    content = bytes.fromhex(subtree)
    for tag in (0x30, 0xA0, 0x30):
        content = der.encode(tag, content)
    value = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.30"), content)
    above = make("Authority 1", "Root", [*AUTHORITY, (value, True)])
    with pytest.raises(RefusedPath, match=reason) as caught:
        validate([above, holder([])])
    assert caught.value.word == "malformed"


def test_form_that_nobody_compares_is_refused_when_it_comes() -> None:
    odd = x509.RegisteredID(x509.ObjectIdentifier("1.2.3"))
    assert word(constrained([odd], []), holder([DNS("a.example")])) == "accepted"
    assert word(constrained([odd], []), holder([odd])) == "name-not-permitted"
    assert word(constrained([], [odd]), holder([odd])) == "name-not-permitted"


def test_mail_address_in_the_subject_is_constrained_too() -> None:
    subject = x509.Name([x509.NameAttribute(NameOID.EMAIL_ADDRESS, "li@elsewhere.example")])
    above = constrained([MAIL("a.example")], [])
    assert word(above, holder([], subject=subject)) == "name-not-permitted"
    assert word(above, holder([DNS("any.example")], subject=subject)) == "name-not-permitted"


def directory(*values: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, value) for value in values])


@pytest.mark.parametrize("dressed", ["财政厅", " 财政厅 ", "财\u200b政\u00ad厅", "财政\ufe0f厅"])
def test_excluded_directory_name_cannot_be_dressed_up(dressed: str) -> None:
    above = constrained([], [x509.DirectoryName(directory("省", "财政厅"))])
    assert word(above, holder([], subject=directory("省", dressed, "x"))) == "name-excluded"
    assert word(above, holder([x509.DirectoryName(directory("省", dressed))])) == "name-excluded"
    assert word(above, holder([], subject=directory("省", "民政厅"))) == "accepted"


LABELS = some.lists(some.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).map(".".join)
HOSTS = some.lists(LABELS, max_size=3)


def verdict(state: constraints.State, found: Certificate) -> bool:
    try:
        constraints.check(state, found)
    except RefusedPath:
        return False
    return True


def state_of(authorities: list[tuple[list[str], list[str]]]) -> constraints.State:
    state = constraints.FREE
    for permitted, excluded in authorities:
        if permitted or excluded:
            made = constrained([DNS(one) for one in permitted], [DNS(one) for one in excluded])
            subtrees = certificate.parse(made).subtrees
            assert subtrees is not None
            state = constraints.add(state, subtrees)
    return state


@given(names=HOSTS, above=some.lists(some.tuples(HOSTS, HOSTS), max_size=2), one=some.tuples(HOSTS, HOSTS))
@settings(deadline=None, max_examples=150)
def test_more_constraints_never_allow_more(
    names: list[str], above: list[tuple[list[str], list[str]]], one: tuple[list[str], list[str]]
) -> None:
    found = certificate.parse(holder([DNS(name) for name in names]))
    with_all = verdict(state_of([*above, one]), found)
    assert not with_all or verdict(state_of(above), found)
    # The order of authorities does not matter; and what is accepted is so name by name.
    assert with_all == verdict(state_of([one, *above]), found)
    each = [certificate.parse(holder([DNS(name)])) for name in names] or [found]
    assert with_all == all(verdict(state_of([*above, one]), single) for single in each)


def test_comparisons_are_bounded() -> None:
    above = constrained([DNS(f"h{number}.example") for number in range(400)], [])
    names: list[x509.GeneralName] = [DNS("h0.example")] * 400
    assert word(above, holder(names)) == "too-much"
    assert word(above, holder(names[:100])) == "accepted"


@pytest.mark.parametrize(
    ("kind", "most", "name"),
    [
        (DNS, 255, "x." * 200 + "a.example"),
        (MAIL, 320, "x" * 400 + "@a.example"),
        (URI, 2_048, "https://a.example/" + "x" * 2_100),
    ],
    ids=["host", "mail", "uri"],
)
def test_a_name_that_is_longer_than_any_is_not_compared(kind: Kind, most: int, name: str) -> None:
    above = constrained([kind("a.example")], [])
    assert word(above, holder([kind(name)])) == "too-much"
    fits = {DNS: name[-(most - 6) :].lstrip("."), MAIL: name[-most:], URI: name[:most]}[kind]
    assert word(above, holder([kind(fits)])) == "accepted"
    # Where nobody constrains such names, nobody compares them.
    other = DNS if kind is not DNS else MAIL
    assert word(constrained([other("b.example")], []), holder([kind(name)])) == "accepted"
    assert word(constrained([kind("x." * most + "example")], []), holder([])) == "malformed"
