"""The rules of the house that no linter knows, read from the source itself. Layers and purity: see pyproject.toml."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
import tomllib
import types
import typing
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from fastapi import APIRouter
from pydantic import BaseModel
from sqlmodel import SQLModel
from starlette.responses import Response

from core.enforcement import EnforcedRoute

ROOT = Path(__file__).parents[1]
PACKAGES = ("core", "hsm", "pki", "authz", "monitor", "backup", "deploy")

#: They open write transactions themselves: the edges, and what must commit in its middle. All others take a session.
TRANSACTIONS = {
    "core/approval/jobs.py",
    "core/duty/api.py",
    "core/duty/jobs.py",
    "core/notice/outbox.py",
    "core/notice/trial.py",
    "core/jobs.py",
    "core/ledger/bundle.py",
    "core/ledger/jobs.py",
    "core/ledger/group.py",
    "core/ledger/lease.py",
    "core/ledger/publication.py",
    "core/ledger/purge.py",
    "core/ledger/sequencer.py",
    "core/ledger/timestamping.py",
    "core/ledger/witness.py",
    "core/ledger/witnessing.py",
    "core/provision.py",
    "core/refusal.py",
    "pki/acme/certificate_api.py",
    "pki/acme/finalize.py",
    "pki/acme/jobs.py",
    "pki/acme/nonce.py",
    "pki/acme/server.py",
    "pki/acme/validation.py",
    "pki/bulk_api.py",
    "pki/cmp/certification.py",
    "pki/cmp/jobs.py",
    "pki/cmp/server.py",
    "pki/cmp/transaction.py",
    "pki/crl.py",
    "pki/desk.py",
    "pki/device/door.py",
    "pki/device/requesting.py",
    "pki/hierarchy.py",
    "pki/issuance.py",
    "pki/jobs.py",
    "pki/redemption.py",
    "pki/revocation_api.py",
    "pki/takeover/api.py",
    "pki/takeover/jobs.py",
    "authz/decision.py",
    "pki/tsa/authority.py",
    "monitor/jobs.py",
    "backup/jobs.py",
    "backup/reconcile.py",
    "backup/run.py",
    "deploy/bench/issuance.py",
    "deploy/bench/scale.py",
    "deploy/bench/status.py",
    "deploy/founding.py",
    "deploy/identity.py",
    "deploy/installation.py",
}

#: They must say after their durable steps what a crash there leaves.
DURABLE = {
    "core/approval/jobs.py",
    "core/duty/api.py",
    "core/notice/outbox.py",
    "core/notice/trial.py",
    "core/durable.py",
    "core/jobs.py",
    "core/ledger/group.py",
    "core/ledger/lease.py",
    "core/ledger/purge.py",
    "core/ledger/sequencer.py",
    "core/ledger/storage.py",
    "core/ledger/timestamping.py",
    "core/ledger/witness.py",
    "core/ledger/witnessing.py",
    "core/refusal.py",
    "hsm/keys.py",
    "hsm/token.py",
    "pki/acme/finalize.py",
    "pki/acme/nonce.py",
    "pki/acme/validation.py",
    "pki/cmp/certification.py",
    "pki/cmp/transaction.py",
    "pki/crl.py",
    "pki/desk.py",
    "pki/redemption.py",
    "pki/device/requesting.py",
    "pki/revocation_api.py",
    "pki/hierarchy.py",
    "pki/issuance.py",
    "pki/takeover/jobs.py",
    "pki/tsa/authority.py",
    "authz/decision.py",
    "backup/run.py",
    "deploy/founding.py",
    "deploy/identity.py",
    "deploy/installation.py",
    "deploy/pair.py",
}

#: The auditor's program: one file that one person can read and carry, sharing nothing with what it checks.
VERIFIER = "guosuo_verify.py"

#: Makes all its checks too, and looks at who vouches for the records: it stands on the first and on nothing of ours.
VOUCHER = "guosuo_vouch.py"

#: They ask the machine for the time: the clock itself, the auditor's program, a forger of dates, a file name.
TIMES = {"core/clock.py", VERIFIER, VOUCHER, "deploy/rehearsal/impostors.py", "monitor/agent.py"}

#: Programs, where objects are built; everybody else is handed a clock.
BUILDERS = {
    "core/clock.py",
    "hsm/signerd.py",
    "deploy/bench/__main__.py",
    "deploy/bench/responding.py",
    "deploy/bench/sequencing.py",
    "deploy/cli/enrol.py",
    "deploy/client.py",
    "deploy/drilling.py",
    "deploy/founding.py",
    "deploy/recovery.py",
    "deploy/sensing.py",
    "deploy/wiring.py",
    "deploy/worker.py",
}

#: They read evidence, also of earlier versions, and name the types they know; what sensors send is a format of its own.
READERS = (
    VERIFIER,
    VOUCHER,
    "backup/replay.py",
    "backup/replay_acme.py",
    "backup/replay_approval.py",
    "backup/replay_authority.py",
    "backup/replay_code.py",
    "backup/replay_custody.py",
    "backup/replay_desk.py",
    "backup/replay_device.py",
    "backup/replay_duty.py",
    "backup/replay_profile.py",
    "backup/replay_register.py",
    "backup/replay_status.py",
    "backup/replay_takeover.py",
    "backup/replay_timestamp.py",
    "backup/examine.py",
)
REPEATING = (*READERS, "deploy/rehearsal/", "monitor/sighting.py")

FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "service", "services", "misc"}


@cache
def product() -> dict[str, ast.Module]:
    """Every module of the product by its path from the root."""
    places = [path for name in PACKAGES for path in (ROOT / name).rglob("*.py")] + [ROOT / VERIFIER, ROOT / VOUCHER]
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(places)}


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call with the dotted text of what is called."""
    return ((ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call))


def callers(pattern: str) -> set[str]:
    """The modules that call something whose dotted text matches ``pattern``."""
    return {path for path, tree in product().items() for name, _ in calls(tree) if re.search(pattern, name)}


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def tracked() -> list[str]:
    """Every file that is, or is about to be, in version control; in a bare copy every file below the sources."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0 and done.stdout:
        return [name for name in done.stdout.splitlines() if (ROOT / name).is_file()]
    return [*product(), "Makefile", "pyproject.toml", "requirements.lock", "deploy/setup.sh", ".ci/run"]


def test_the_product_is_found() -> None:
    assert len(product()) > 100


def test_things_have_their_names() -> None:
    named = [path for path in product() if FORBIDDEN_NAMES & set(Path(path).with_suffix("").parts)]
    assert named == []


def test_files_and_functions_can_be_read_at_once() -> None:
    files = [path for path in product() if path not in (VERIFIER, VOUCHER) and len(text_of(path).splitlines()) > 300]
    long = [
        f"{path}:{function.lineno} {function.name}"
        for path, tree in product().items()
        if not path.startswith("deploy/migrations/versions/")
        for function in functions(tree)
        if (function.end_lineno or 0) - function.lineno + 1 > 40
    ]
    assert (files, long) == ([], [])


def test_packages_hold_a_docstring_and_nothing_else() -> None:
    full = [path for path, tree in product().items() if path.endswith("__init__.py") and len(tree.body) != 1]
    assert full == []
    bare = [path for path, tree in product().items() if not ast.get_docstring(tree)]
    assert bare == []


def test_imports_stand_at_the_top() -> None:
    """Only commands import inside a function: `guosuo --help` would otherwise load everything there is."""
    inside = [
        f"{path}:{node.lineno}"
        for path, tree in product().items()
        if not path.startswith("deploy/cli/")
        for function in functions(tree)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert inside == []


def test_time_is_handed_in() -> None:
    found = callers(r"\b(datetime\.(now|utcnow|today)|date\.today|time\.time(_ns)?)$")
    assert found - TIMES == set()
    builders = {path for path, tree in product().items() if "SystemClock" in ast.dump(tree)}
    assert builders - BUILDERS == set()


def test_nobody_commits_but_the_store() -> None:
    assert callers(r"session\.commit$") == {"core/database.py"}


def test_transactions_are_opened_where_the_list_says() -> None:
    assert callers(r"((^|_|\.)database\.(insert|write)|group\.run)$") == TRANSACTIONS & product().keys()


def test_durable_steps_say_what_a_crash_leaves() -> None:
    silent = [path for path in DURABLE & product().keys() if "# A crash " not in text_of(path)]
    assert silent == []


@pytest.mark.parametrize(("program", "allowed"), [(VERIFIER, set()), (VOUCHER, {"guosuo_verify"})])
def test_the_verifiers_stand_alone(program: str, allowed: set[str]) -> None:
    """They are trusted because they share nothing with what they check."""
    imported = {
        name.split(".")[0]
        for node in ast.walk(product()[program])
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or "."] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert imported - set(sys.stdlib_module_names) - {"cryptography"} == allowed


def routers() -> list[tuple[str, APIRouter]]:
    modules = [path for path, tree in product().items() if any(name == "APIRouter" for name, _ in calls(tree))]
    found = []
    for path in modules:
        module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
        found += [(path, value) for value in vars(module).values() if isinstance(value, APIRouter)]
    return found


def test_every_route_is_enforced() -> None:
    found = routers()
    assert found
    assert [path for path, router in found if router.route_class is not EnforcedRoute] == []
    assert callers(r"\bAPIRoute$") == set()
    on_app = r"@(app|application|built)\.(get|post|put|patch|delete|api_route)\("
    assert [path for path in product() if re.search(on_app, text_of(path))] == []


def parts(kind: object) -> Iterator[object]:
    """The classes that an annotation is made of; containers and unions are taken apart."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        yield from parts(typing.get_args(kind)[0])
    elif origin in (list, tuple, dict, typing.Union, types.UnionType):
        for argument in typing.get_args(kind):
            yield from parts(argument)
    else:
        yield kind


def test_no_table_leaves_by_an_endpoint() -> None:
    """Each answer is a model of its own or plain values, so that a new column cannot leak."""
    wrong = []
    for path, router in routers():
        for route in router.routes:
            endpoint = getattr(route, "endpoint", None)
            if not inspect.isfunction(endpoint):
                continue
            answer = typing.get_type_hints(endpoint, include_extras=True).get("return", "not annotated")
            for kind in parts(answer):
                sound = inspect.isclass(kind) and issubclass(kind, BaseModel | Response | types.NoneType | str | int)
                if not sound or (inspect.isclass(kind) and issubclass(kind, SQLModel)):
                    wrong.append(f"{path} {endpoint.__name__} -> {answer}")
    assert wrong == []


def event_types(tree: ast.AST) -> Iterator[str]:
    """Every string in the form of an event's type, ``package.thing.happened`` (a job's name has that form too)."""
    form = (
        r"(access|approval|installation|pki|authz|hsm|registry|gateway|ledger|monitor|backup|duty|notice)(\.[a-z-]+){2}"
    )
    constants = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return (value for value in constants if isinstance(value, str) and re.fullmatch(form, value))


def written_event_types() -> Counter[str]:
    writers = (tree for path, tree in product().items() if not path.startswith(REPEATING))
    return Counter(name for tree in writers for name in event_types(tree))


def test_every_event_type_is_written_once() -> None:
    found = written_event_types()
    assert len(found) > 10
    assert {name: times for name, times in found.items() if times > 1} == {}


@pytest.mark.parametrize("reader", READERS)
def test_readers_know_only_what_is_written(reader: str) -> None:
    known = set(event_types(product().get(reader, ast.Module([], []))))
    assert known - set(written_event_types()) == set()


def test_one_version() -> None:
    version = tomllib.loads(text_of("pyproject.toml"))["project"]["version"]
    newest = re.search(r"^## (\S+)", text_of("CHANGELOG.md"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == version
    repeated = [path for path in product() if f'"{version}"' in text_of(path)]
    assert repeated == []


@pytest.mark.parametrize(
    ("rule", "pattern"),
    [
        ("no address of an index or mirror", r"https?://[\w.-]*(pypi|pythonhosted|debian\.org|npmjs|devpi|artifact)"),
        ("no option that names an index", r"^\s*--(index-url|extra-index-url|find-links|trusted-host)"),
        ("no path of one machine", r"(?<![\w.])/(work|root|home/\w+)/"),
        ("nothing left for later", r"\b(TODO|FIXME|XXX)\b"),
    ],
)
def test_text_is_clean(rule: str, pattern: str) -> None:
    found = []
    for name in tracked():
        if name == "tests/test_architecture.py":
            continue
        content = (ROOT / name).read_bytes()
        if b"\0" not in content and re.search(pattern, content.decode("utf-8", "replace"), re.MULTILINE):
            found.append(name)
    assert found == [], rule
