"""Guard-rails and a domain's policies against an oracle, in every case that a small world has."""

from itertools import product

from authz import engine, policy
from authz.engine import Entity, Question, Reference
from core.identity import DomainId

FINANCE, OFFICE = ("SecurityDomain", "outer-finance"), ("SecurityDomain", "inner-office")
ROLES = {"reader": "outer-finance/budget-reader", "editor": "outer-finance/budget-editor"}


def domain(uid: tuple[str, str], ceiling: int, *, suspended: bool) -> Entity:
    return Entity(uid, {"level": 3, "ceiling": ceiling, "suspended": suspended})


def oracle(case: dict[str, object], action: str) -> bool:
    """What the rules say in plain words, written apart from them."""
    if case["person suspended"] or case["domain suspended"] or not case["member"]:
        return False
    if not int(str(case["level"])) <= min(int(str(case["clearance"])), int(str(case["ceiling"]))):
        return False
    needed = {"budget:read": {"reader", "editor"}, "budget:write": {"editor"}}[action]
    return case["role"] in needed


def test_every_case_is_decided_as_the_oracle_says() -> None:
    policies = policy.load()
    levels, yes_no = range(5), (False, True)
    names = ("clearance", "level", "ceiling", "member", "person suspended", "domain suspended", "role")
    roles = ("", "reader", "editor", "elsewhere")
    cases = 0
    for values in product(levels, levels, (1, 3), yes_no, yes_no, yes_no, roles):
        case = dict(zip(names, values, strict=True))
        held = {**ROLES, "elsewhere": "inner-office/budget-editor"}.get(str(case["role"]))
        role = [Entity(("Role", held))] if held else []
        member = (Reference(FINANCE if case["member"] else OFFICE),)
        person = Entity(
            ("Person", "p"),
            {"clearance": case["clearance"], "domains": member, "suspended": case["person suspended"]},
            tuple(one.uid for one in role),
        )
        resource = Entity(
            ("Resource", "document/budget"),
            {"kind": "document", "level": case["level"], "domain": Reference(FINANCE)},
            (FINANCE,),
        )
        home = domain(FINANCE, case["ceiling"], suspended=bool(case["domain suspended"]))
        entities = [person, resource, home, domain(OFFICE, 3, suspended=False), *role]
        for action in ("budget:read", "budget:write"):
            part = policies.find(DomainId("outer-finance"), action)
            assert part is not None
            verdict = engine.decide(part.whole, Question(person.uid, action, resource.uid), entities)
            assert verdict.allowed is oracle(case, action), (case, action, verdict)
            assert verdict.reason in {"permitted", "forbidden", "no-permit"}
            cases += 1
    assert cases == 5 * 5 * 2 * 2 * 2 * 2 * 4 * 2
