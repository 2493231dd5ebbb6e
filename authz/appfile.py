"""Read ``app.yaml``. Every value has a narrow grammar, so that none can reach into nginx's configuration. Pure."""

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import yaml

from authz import target
from authz.application import Application, Resource, Route
from authz.errors import ApplicationRejected
from core.identity import DomainId, SystemId
from core.registry.level import Classification

Value = TypeVar("Value")

#: Most octets of a description.
LARGEST = 64 * 1024

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_ACTION = re.compile(r"[a-z][a-z0-9-]*(:[a-z][a-z0-9-]*){1,3}")
_RESOURCE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,119}")
_PATTERN = re.compile(r"/[A-Za-z0-9/._~%-]*\*?")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

#: Paths that the gateway keeps for itself.
RESERVED = "/_guosuo/"


class _Reader:
    """Collects faults with their lines while values are taken out of YAML nodes."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def fault(self, node: yaml.Node, message: str) -> None:
        self.faults.append(f"line {node.start_mark.line + 1}: {message}")

    def mapping(self, node: yaml.Node, fields: tuple[str, ...]) -> Mapping[str, yaml.Node]:
        found: dict[str, yaml.Node] = {}
        for key, value in self._pairs(node):
            name = str(key.value)
            if name not in fields:
                self.fault(key, f"unknown field `{name[:80]}`")
            elif name in found:
                self.fault(key, f"`{name}` is given twice")
            else:
                found[name] = value
        for missing in (name for name in fields if name not in found):
            self.fault(node, f"`{missing}` is missing")
        return found

    def _pairs(self, node: yaml.Node) -> list[tuple[yaml.Node, yaml.Node]]:
        if isinstance(node, yaml.MappingNode):
            return [(key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)]
        self.fault(node, "expected fields with values")
        return []

    def items(self, node: yaml.Node | None) -> Iterator[yaml.Node]:
        if isinstance(node, yaml.SequenceNode):
            yield from node.value
        elif node is not None:
            self.fault(node, "expected a list")

    def text(self, node: yaml.Node | None, check: Callable[[str], str | None]) -> str:
        """Return the scalar when ``check`` returns no complaint; otherwise note the fault and return nothing."""
        if node is None:
            return ""
        if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
            self.fault(node, "expected a text")
            return ""
        complaint = check(node.value)
        if complaint:
            self.fault(node, f"`{node.value[:80]}` {complaint}")
        return "" if complaint else str(node.value)

    def level(self, node: yaml.Node | None) -> int:
        if node is None:
            return 0
        levels = {str(int(one)) for one in Classification}
        if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:int" or node.value not in levels:
            self.fault(node, f"the level is a number from 0 to {max(levels)}")
            return 0
        return int(node.value)


def parse_application(text: str) -> Application:
    """Return the application that ``text`` (YAML) describes. Raises ``ApplicationRejected`` with every fault."""
    reader = _Reader()
    root = reader.mapping(_compose(text), ("app", "host", "upstream", "system", "domain", "public", "routes"))
    application = Application(
        app=reader.text(root.get("app"), _pattern(_NAME, "is not a name")),
        host=reader.text(root.get("host"), _host),
        upstream=reader.text(root.get("upstream"), _upstream).removeprefix("http://"),
        system=SystemId(reader.text(root.get("system"), _pattern(_NAME, "is not a system's id"))),
        domain=DomainId(reader.text(root.get("domain"), _pattern(_NAME, "is not a domain's id"))),
        public=tuple(reader.text(node, _public) for node in reader.items(root.get("public"))),
        routes=tuple(_route(reader, node) for node in reader.items(root.get("routes"))),
    )
    if "routes" in root and not application.routes:
        reader.fault(root["routes"], "an application without routes denies everything")
    reader.faults += _overlaps(application)
    if reader.faults:
        raise ApplicationRejected("; ".join(reader.faults), hint="correct every line named, then load it again")
    return application


def _compose(text: str) -> yaml.Node:
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        raise ApplicationRejected(f"the description is larger than {LARGEST} octets")
    try:
        for event in yaml.parse(text, yaml.SafeLoader):
            # An alias would make one line mean another one.
            if isinstance(event, yaml.AliasEvent):
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise ApplicationRejected(f"line {line}: aliases are not allowed")
        node = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ApplicationRejected(f"line {line}: {error.problem}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ApplicationRejected(f"line 1: this is not YAML: {error}") from error
    if node is None:
        raise ApplicationRejected("line 1: the description is empty")
    return node


def _route(reader: _Reader, node: yaml.Node) -> Route:
    fields = reader.mapping(node, ("path", "methods", "action", "resource"))
    resource = reader.mapping(fields["resource"], ("type", "id", "level")) if "resource" in fields else {}
    methods = [reader.text(one, _method) for one in reader.items(fields.get("methods"))]
    if "methods" in fields and not methods:
        reader.fault(fields["methods"], "a route needs a method")
    return Route(
        path=reader.text(fields.get("path"), _path),
        methods=frozenset(methods),
        action=reader.text(fields.get("action"), _pattern(_ACTION, "is not an action, write `noun:verb`")),
        resource=Resource(
            type=reader.text(resource.get("type"), _pattern(_NAME, "is not a resource's type")),
            id=reader.text(resource.get("id"), _pattern(_RESOURCE_ID, "is not a resource's id")),
            level=reader.level(resource.get("level")),
        ),
        line=node.start_mark.line + 1,
    )


def _overlaps(application: Application) -> Iterator[str]:
    seen: set[tuple[str, str]] = set()
    for route in application.routes:
        for method in sorted(route.methods):
            if (route.path, method) in seen:
                yield f"line {route.line}: `{method} {route.path}` is mapped twice"
            seen.add((route.path, method))
        exact = route.path and not route.path.endswith("/*")
        if exact and any(target.closest_tolerant(public, [route.path]) for public in application.public if public):
            yield f"line {route.line}: `{route.path}` is public as well"


def _pattern(grammar: re.Pattern[str], complaint: str) -> Callable[[str], str | None]:
    return lambda value: None if grammar.fullmatch(value) else complaint


def _method(value: str) -> str | None:
    return None if value in _METHODS else f"is not one of {' '.join(_METHODS)}"


def _host(value: str) -> str | None:
    labels = value.split(".")
    good = len(value) <= 253 and len(labels) > 1 and all(_LABEL.fullmatch(label) for label in labels)
    return None if good and not labels[-1].isdigit() else "is not a host name in small letters"


def _upstream(value: str) -> str | None:
    found = re.fullmatch(r"http://(\[[0-9a-f:.]+\]|[0-9.]+):([0-9]{1,5})", value)
    try:
        good = found is not None and bool(ipaddress.ip_address(found[1].strip("[]"))) and 0 < int(found[2]) < 65536
    except ValueError:
        good = False
    return None if good else "is not `http://ADDRESS:PORT`"


def _path(value: str) -> str | None:
    if not _PATTERN.fullmatch(value) or ("*" in value and not value.endswith("/*")):
        return "is not a path, exact or ending in `/*`"
    try:
        target.check_path(value.removesuffix("*"))
    except target.BadTarget as error:
        return f"is refused: {error.detail}"
    if f"{value}/".lower().startswith(RESERVED):
        return f"is inside `{RESERVED}`, which the gateway keeps for itself"
    return None


def _public(value: str) -> str | None:
    # What needs no certificate is named one by one: a pattern would open more than its author sees.
    return "is a pattern, public paths are exact and plain" if "*" in value or "%" in value else _path(value)
