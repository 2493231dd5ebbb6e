import subprocess
import sys
from pathlib import Path


def test_a_disk_that_is_full_at_every_step(tmp_path: Path) -> None:
    """Nothing acknowledged is lost and nothing untrue is shown; with room again it goes on by itself."""
    command = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-m", "tests.core.ledger.full_disk"]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "acknowledged" in done.stdout
