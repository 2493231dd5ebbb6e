"""The wheel: built from the tracked files alone, installed where no source is near, complete and runnable."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("core", "hsm", "pki", "authz", "monitor", "backup", "deploy")
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".*", "*.egg-info", "build", "dist")


def run(*command: str | Path, cwd: Path) -> str:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=120, check=False, cwd=cwd, env=outside
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built in a copy: a build leaves its own folders behind."""
    source = tmp_path_factory.mktemp("source")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=LEFT_OUT)
    for path in [*ROOT.glob("*.py"), *ROOT.glob("*.md"), ROOT / "pyproject.toml", ROOT / "LICENSE"]:
        shutil.copy(path, source)
    out = tmp_path_factory.mktemp("out")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source, cwd=out)
    (made,) = out.glob("guosuo-*-py3-none-any.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment; what the product needs of others is lent by the one that runs the tests."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, with_pip=False, symlinks=True)
    python = place / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=place)
    (packages,) = (place / "lib").glob("python*/site-packages")
    (packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place


def test_everything_is_inside(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        names = set(content.namelist())
    wanted = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"authz/schema.cedarschema", "deploy/setup.sh", "deploy/migrations/script.py.mako"} <= wanted
    assert {"deploy/province/beichen.yaml", "deploy/rehearsal/templates/report.html"} <= wanted
    assert wanted - names == set()
    assert {"guosuo_verify.py", "guosuo_vouch.py"} <= set(names)
    assert any(name.endswith("dist-info/licenses/LICENSE") for name in names)
    assert [name for name in names if name.startswith(("tests/", "docs/"))] == []


def test_the_programs_run_from_it_alone(installed: Path, tmp_path: Path) -> None:
    where = run(installed / "bin" / "python", "-c", "import deploy, core; print(deploy.__file__)", cwd=tmp_path)
    assert where.startswith(str(installed))
    assert "rehearse" in run(installed / "bin" / "guosuo", "--help", cwd=tmp_path)
    assert "--fingerprint" in run(installed / "bin" / "guosuo-verify", "--help", cwd=tmp_path)
    assert "--witness" in run(installed / "bin" / "guosuo-vouch", "--help", cwd=tmp_path)
