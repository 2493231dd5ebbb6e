"""PKCS#12 (RFC 7292) for those without a token: made where the key is, from what is there, and encrypted strongly.

AES-256-CBC with PBKDF2 and HMAC-SHA-256 (PBES2, RFC 8018), which openssl 1.1 and later, NSS and current browsers read;
what older programs want (RC2, 3DES, SHA-1) is not made. By ``openssl``, because there the integrity check counts as
many rounds as the encryption: with fewer (cryptography 50 has 2,048) it would be the cheaper way to guess the password.
"""

import os
import subprocess
from pathlib import Path

from core.errors import Malformed, Rejected, Unavailable
from deploy.carduri import is_uri
from deploy.pair import Pair

#: What slows down whoever guesses the password (RFC 8018, 4.2 asks for 1,000 at least).
_ROUNDS = 600_000

#: Characters of a password: it is all that protects the key on its way. PKCS#12 holds it as UTF-16.
SHORTEST, LONGEST = 12, 200

_SECONDS = 120


def pack(pair: Pair, password: str, *, name: str = "") -> bytes:
    """Return key, certificate and chain as PKCS#12.

    Raises ``Rejected`` for a password that is too short or long, and for a key on a token; ``Malformed`` for a key that
    openssl cannot read; ``Unavailable``.
    """
    if not SHORTEST <= len(password) <= LONGEST or "\n" in password:
        raise Rejected(
            f"a password of {len(password)} characters is not taken", hint=f"{SHORTEST} to {LONGEST} in a line"
        )
    if is_uri(pair.key):
        raise Rejected("the key is on a token, and cannot leave it", hint="the browser uses the token itself")
    reading, writing = os.pipe()
    try:
        # Through a pipe: neither a command line nor an environment shows it.
        os.write(writing, f"{password}\n".encode())
        os.close(writing)
        done = subprocess.run(
            [*_command(pair.key, pair.chain, name or pair.serial), "-passout", f"fd:{reading}"],
            capture_output=True,
            check=False,
            timeout=_SECONDS,
            pass_fds=(reading,),
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"openssl does not answer: {error}", hint="see `guosuo doctor`") from error
    finally:
        os.close(reading)
    if done.returncode != 0:
        raise Malformed(f"openssl packs nothing: {done.stderr.decode(errors='replace').strip()[:200]}")
    return done.stdout


def _command(key: str, chain: Path, name: str) -> list[str]:
    strong = ["-keypbe", "AES-256-CBC", "-certpbe", "AES-256-CBC", "-macalg", "sha256", "-iter", str(_ROUNDS)]
    return ["openssl", "pkcs12", "-export", "-in", str(chain), "-inkey", key, "-name", name, *strong]
