"""The benchmarks run, and print what was promised. Their figures are not judged here: this machine is shared."""

import json
import subprocess
import sys
from pathlib import Path


def test_every_benchmark_has_both_sides(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "deploy.bench",
        "--json",
        "--rounds",
        "1",
        "--certificates",
        "20000",
        "--directory",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = {one["name"]: one for one in json.loads(done.stdout)}
    assert set(found) == {
        *(
            f"ledger-{comparison}{store}"
            for comparison in (
                "1-vs-fdatasync",
                *(f"{size}-vs-{peer}" for size in (16, 256) for peer in ("fdatasync", "one-fdatasync")),
                *(f"batch-{size}-vs-one-fdatasync" for size in (16, 256)),
            )
            for store in ("", "-postgres")
        ),
        "sign-p256-vs-bare-pkcs11",
        "issuance-durable-vs-cfssl-sqlite",
        "issuance-batch-vs-cfssl-sqlite",
        "issuance-batch-vs-cfssl",
        "issuance-cpu-vs-cfssl-sqlite",
        *(f"store-20000-{act}" for act in ("issue", "find", "list", "revoke")),
        "ocsp-post-vs-openssl",
        "ocsp-post-keep-alive-vs-openssl",
        "crl-full-100k-vs-openssl",
    }
    for one in found.values():
        assert set(one) == {"name", "ours", "peer", "peer_name", "ratio", "unit"}
        assert one["ours"] > 0
        assert one["peer"] > 0
    assert list(tmp_path.iterdir()) == []
