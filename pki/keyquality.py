"""Keys: which kind one is, and whether it is as strong as a protection level asks. Pure."""

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from core.registry import levels
from pki.csr import PublicKey
from pki.errors import WeakKey
from pki.profile import KeyKind


def kind(key: PublicKey) -> KeyKind:
    """Return what kind of key ``key`` is."""
    if isinstance(key, rsa.RSAPublicKey):
        return KeyKind.RSA
    return KeyKind.P256 if isinstance(key.curve, ec.SECP256R1) else KeyKind.P384


def check_key(key: PublicKey, level: int) -> None:
    """Raise ``WeakKey`` naming the level and the table's version when ``key`` is below what the level asks."""
    rsa_bits, ec_bits = levels.value("rsa_bits", level), levels.value("ec_bits", level)
    if (told := below(key, rsa_bits, ec_bits)) is not None:
        detail = f"{told} is below protection level {level} (level table {levels.table().version})"
        raise WeakKey(detail, hint=f"at least P-{ec_bits}, or RSA from {rsa_bits} bits")


def below(key: PublicKey, rsa_bits: int, ec_bits: int) -> str | None:
    """Return what the key is when it is smaller than these sizes, or nothing."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA of {key.key_size} bits" if key.key_size < rsa_bits else None
    return f"P-{key.curve.key_size}" if key.curve.key_size < ec_bits else None
