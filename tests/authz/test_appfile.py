"""``app.yaml``: every fault with its line, and no value that could reach into nginx's configuration."""

import pytest

from authz import application
from authz.appfile import parse_application
from authz.application import Application
from authz.errors import ApplicationRejected
from authz.target import BadTarget
from tests.authz.house import APPS, POLICIES

GOOD = """app: fin-budget
host: fin-budget.fin.beichen.example
upstream: http://10.20.0.10:8000
system: fin-budget
domain: outer-finance
public: [/healthz]
routes:
  - {path: /budget/*, methods: [GET], action: "budget:read", resource: {type: document, id: budget, level: 1}}
  - path: /budget/report
    methods: [GET, PUT]
    action: budget:write
    resource: {type: document, id: report, level: 0}
"""


def refused(text: str) -> str:
    with pytest.raises(ApplicationRejected) as error:
        parse_application(text)
    return error.value.detail


def test_a_good_description() -> None:
    found = parse_application(GOOD)
    assert (found.app, found.upstream, found.public) == ("fin-budget", "10.20.0.10:8000", ("/healthz",))
    assert [route.line for route in found.routes] == [8, 9]
    assert found.routes[1].methods == {"GET", "PUT"}


def test_the_shipped_descriptions_agree_with_the_shipped_policies() -> None:
    found = [parse_application(path.read_text("utf-8")) for path in sorted(APPS.glob("*.yaml"))]
    actions = {one.domain: POLICIES.actions(one.domain) for one in found}
    known = application.catalogue(found, actions)
    assert set(known.hosts) == {"fin-budget.fin.beichen.example", "office-docs.office.beichen.example"}
    assert set(known.resources) == {("document", "budget"), ("document", "office")}


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("app: fin-budget", "app: Fin Budget", 1),
        ("app: fin-budget", "app: a;b", 1),
        ("app: fin-budget", "app: 12", 1),
        ("app: fin-budget", "app: [a]", 1),
        ("host: fin-budget.fin.beichen.example", "host: UPPER.example", 2),
        ("host: fin-budget.fin.beichen.example", "host: localhost", 2),
        ("host: fin-budget.fin.beichen.example", 'host: "a.example; return 200"', 2),
        ("host: fin-budget.fin.beichen.example", 'host: "*.example.com"', 2),
        ("host: fin-budget.fin.beichen.example", "host: 10.20.0.10", 2),
        ("host: fin-budget.fin.beichen.example", 'host: "$host.example"', 2),
        ("upstream: http://10.20.0.10:8000", "upstream: https://10.20.0.10:8000", 3),
        ("upstream: http://10.20.0.10:8000", "upstream: http://app.example:8000", 3),
        ("upstream: http://10.20.0.10:8000", "upstream: http://10.20.0.10:0", 3),
        ("upstream: http://10.20.0.10:8000", "upstream: http://10.20.0.10:80000", 3),
        ("upstream: http://10.20.0.10:8000", "upstream: http://10.20.0.300:80", 3),
        ("upstream: http://10.20.0.10:8000", 'upstream: "http://10.20.0.10:80;"', 3),
        ("system: fin-budget", "system: ''", 4),
        ("domain: outer-finance", "domain: null", 5),
        ("domain: outer-finance", "domain: outer-finance\ndomain: inner-office", 6),
        ("domain: outer-finance", "domain: outer-finance\ncolour: red", 6),
        ("public: [/healthz]", "public: [/health/*]", 6),
        ("public: [/healthz]", "public: [healthz]", 6),
        ("public: [/healthz]", "public: /healthz", 6),
        ("public: [/healthz]", 'public: ["/health%7A"]', 6),
        ("public: [/healthz]", 'public: ["/a;b"]', 6),
        ("public: [/healthz]", 'public: ["/a b"]', 6),
        ("public: [/healthz]", 'public: ["/a{"]', 6),
        ("public: [/healthz]", 'public: ["/a$host"]', 6),
        ("public: [/healthz]", "public: [/_guosuo/decide]", 6),
        ("public: [/healthz]", "public: [/_GUOSUO/x]", 6),
        ("public: [/healthz]", "public: [/budget/report]", 9),
        ("path: /budget/report", "path: budget", 9),
        ("path: /budget/report", "path: /budget/*/x", 9),
        ("path: /budget/report", "path: /budget/../x", 9),
        ("path: /budget/report", "path: //x", 9),
        ("path: /budget/report", "path: /_guosuo", 9),
        ("methods: [GET, PUT]", "methods: []", 10),
        ("methods: [GET, PUT]", "methods: [get]", 10),
        ("methods: [GET, PUT]", "methods: [CONNECT]", 10),
        ("action: budget:write", "action: write", 11),
        ("action: budget:write", 'action: "budget:write; x"', 11),
        ("level: 0", "level: 5", 12),
        ("level: 0", "level: -1", 12),
        ("level: 0", "level: true", 12),
        ("level: 0", "level: '1'", 12),
        ("id: report", "id: '../x'", 12),
    ],
)
def test_each_fault_is_named_with_its_line(old: str, new: str, line: int) -> None:
    assert old in GOOD
    assert f"line {line}: " in refused(GOOD.replace(old, new, 1))


def test_all_faults_are_named_together() -> None:
    told = refused(GOOD.replace("app: fin-budget", "app: X").replace("level: 0", "level: 9"))
    assert "line 1: " in told
    assert "line 12: " in told


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a\n- b\n",
        "just words",
        "a: b: c",
        "\x00",
        "app: &x fin\nhost: *x\n",
        "!!python/object/apply:os.system [id]",
        "app: [" * 5000,
        "a: " + "x" * 70_000,
        "\ud800",
        GOOD.replace("  - path: /budget/report", "  - &r\n    path: /budget/report") + "  - *r\n",
    ],
)
def test_what_is_no_description_at_all(text: str) -> None:
    assert "line" in refused(text) or "larger" in refused(text)


def test_a_route_twice_and_no_route() -> None:
    twice = (
        GOOD
        + "  - {path: /budget/report, methods: [PUT], action: 'budget:write', resource: {type: a, id: b, level: 0}}\n"
    )
    assert "mapped twice" in refused(twice)
    assert "denies everything" in refused(GOOD[: GOOD.index("routes:")] + "routes: []\n")
    assert "missing" in refused(GOOD[: GOOD.index("routes:")])


def test_two_applications_that_contradict_each_other() -> None:
    one = parse_application(GOOD)
    other = parse_application(GOOD.replace("app: fin-budget", "app: twin").replace("level: 0", "level: 3"))
    with pytest.raises(ApplicationRejected) as error:
        application.catalogue([one, other], {one.domain: frozenset({"budget:read"})})
    for part in ("already belongs to", "described elsewhere, differently", "no policy of `outer-finance` names"):
        assert part in error.value.detail


@pytest.fixture
def budget() -> Application:
    return parse_application(GOOD)


def test_finding_a_route(budget: Application) -> None:
    def action(method: str, path: str) -> str:
        found = budget.find(method, path)
        return found.action if found else ""

    assert action("PUT", "/budget/report") == "budget:write"
    assert action("HEAD", "/budget/other") == "budget:read"
    assert action("GET", "/budget/a/b") == "budget:read"
    assert action("POST", "/budget/other") == action("GET", "/other") == action("GET", "/budget") == ""


@pytest.mark.parametrize("path", ["/budget/Report", "/budget/report/", "/budget/%EF%BD%92eport", "/BUDGET/report"])
def test_a_path_that_a_tolerant_reader_maps_elsewhere_is_refused(budget: Application, path: str) -> None:
    if path == "/BUDGET/report":
        assert budget.find("GET", path) is None
        return
    with pytest.raises(BadTarget) as error:
        budget.find("GET", path)
    assert error.value.word == "ambiguous-path"
