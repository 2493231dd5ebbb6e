"""A person's own key and request: two files, and no key is ever overwritten."""

from pathlib import Path

import pytest
from cryptography import x509

from core.errors import Conflict, Malformed
from deploy import request


def test_key_and_request(tmp_path: Path) -> None:
    key, out = tmp_path / "key", tmp_path / "csr"
    request.make_request("li-wen", key=key, out=out)
    made = x509.load_pem_x509_csr(out.read_bytes())
    assert made.subject.rfc4514_string() == "UID=li-wen"
    assert (key.stat().st_mode & 0o777, b"PRIVATE KEY" in key.read_bytes()) == (0o600, True)
    with pytest.raises(Conflict, match="exists already"):
        request.make_request("li-wen", key=key, out=out)


@pytest.mark.parametrize("out", ["key", "folder/../key"])
def test_the_request_does_not_overwrite_the_key(tmp_path: Path, out: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(Conflict, match="would overwrite the key"):
        request.make_request("li-wen", key=tmp_path / "key", out=tmp_path / out)
    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize("name", ["", "a/b", "li wen", "x" * 81, "a\x1b"])
def test_what_is_no_id_makes_no_key(tmp_path: Path, name: str) -> None:
    with pytest.raises(Malformed, match="no id of the register"):
        request.make_request(name, key=tmp_path / "key", out=tmp_path / "csr")
    assert list(tmp_path.iterdir()) == []
