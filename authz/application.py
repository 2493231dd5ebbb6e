"""An application behind the gateway, as one reviewable ``app.yaml`` says it; and the map from a request to an action.

Pure. A bad file is refused whole, every fault with its line. What no route maps is denied; what could be read in two
ways (by us, by nginx, by the application) is denied as malformed, see ``authz/target.py``.

```
app: fin-budget
host: fin-budget.finance.beichen.example
upstream: http://10.77.2.2:8080
system: fin-budget
domain: outer-finance
public: [/healthz]
routes:
  - {path: /budget/*, methods: [GET], action: "budget:read", resource: {type: document, id: budget, level: 0}}
```
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from authz import target
from authz.errors import ApplicationRejected
from core.identity import DomainId, SystemId


@dataclass(frozen=True, slots=True)
class Resource:
    """What a route stands for. ``level`` is a ``Classification``; (type, id) is unique in an installation."""

    type: str
    id: str
    level: int


@dataclass(frozen=True, slots=True)
class Route:
    """``path`` is exact, or ends in ``/*`` and then holds for everything below."""

    path: str
    methods: frozenset[str]
    action: str
    resource: Resource
    line: int = 0


@dataclass(frozen=True, slots=True)
class Application:
    """One application; ``upstream`` is ``ADDRESS:PORT`` on the clear hop, ``public`` are exact paths."""

    app: str
    host: str
    upstream: str
    system: SystemId
    domain: DomainId
    public: tuple[str, ...]
    routes: tuple[Route, ...]

    def find(self, method: str, path: str) -> Route | None:
        """Return the route for a canonical path: an exact one first, then the longest pattern.

        Raises ``BadTarget`` when a more tolerant reader (no case, no width, no last slash) would take another route.
        """
        closest = target.closest(path, [route.path for route in self.routes])
        if closest is None:
            return None
        tolerant = target.closest_tolerant(path, [route.path for route in self.routes])
        if tolerant != closest:
            raise target.BadTarget(f"`{path}` could also be read as `{tolerant}`", reason="ambiguous-path")
        # HEAD asks for what GET would send.
        wanted = "GET" if method == "HEAD" else method
        return next((one for one in self.routes if one.path == closest and wanted in one.methods), None)


@dataclass(frozen=True, slots=True)
class KnownResource:
    """A resource with what only a reviewed description may say of it: level, domain, system."""

    resource: Resource
    domain: DomainId
    system: SystemId


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every application of an installation, by host, and every resource, by (type, id)."""

    hosts: Mapping[str, Application] = field(default_factory=dict)
    resources: Mapping[tuple[str, str], KnownResource] = field(default_factory=dict)


def catalogue(applications: Sequence[Application], actions: Mapping[DomainId, frozenset[str]]) -> Catalogue:
    """Join applications; ``actions`` are those that the policies of each domain name.

    Raises ``ApplicationRejected`` when two contradict each other or an action has no policy.
    """
    hosts: dict[str, Application] = {}
    resources: dict[tuple[str, str], KnownResource] = {}
    faults: list[str] = []
    for one in applications:
        if one.host in hosts:
            faults.append(f"`{one.app}`: the host `{one.host}` already belongs to `{hosts[one.host].app}`")
        hosts[one.host] = one
        for route in one.routes:
            known = KnownResource(route.resource, one.domain, one.system)
            key = (route.resource.type, route.resource.id)
            if resources.setdefault(key, known) != known:
                faults.append(f"`{one.app}` line {route.line}: `{key[0]}/{key[1]}` is described elsewhere, differently")
            if route.action not in actions.get(one.domain, frozenset()):
                faults.append(f"`{one.app}` line {route.line}: no policy of `{one.domain}` names `{route.action}`")
    if faults:
        raise ApplicationRejected("; ".join(faults))
    return Catalogue(hosts, resources)
