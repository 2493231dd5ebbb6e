"""The peer of the signature benchmark: sign in a loop through the bare binding, as any script would.

Run as ``python -m deploy.bench.bare_pkcs11 DIRECTORY``; reads a count per line, writes signatures per second.
"""

import secrets
import sys
import time
from pathlib import Path

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism
from pkcs11.types import SignMixin

from hsm import token
from hsm.settings import HsmSettings

#: secp256r1 as a named curve (X9.62).
_P256 = bytes.fromhex("06082a8648ce3d030107")


def main() -> None:
    """Make a token and a key, then answer until the input ends."""
    settings = HsmSettings(state=Path(sys.argv[1]), token_label="peer")  # noqa: S106  # a label
    token.initialise(settings, secrets.token_bytes)
    library = pkcs11.lib(str(settings.module))
    pin = settings.user_pin_file.read_text(encoding="ascii")
    with library.get_token(token_label=settings.token_label).open(rw=True, user_pin=pin) as session:
        parameters = session.create_domain_parameters(KeyType.EC, {Attribute.EC_PARAMS: _P256}, local=True)
        _public, private = parameters.generate_keypair(store=True)
        assert isinstance(private, SignMixin)
        digest = bytes(range(32))
        for line in sys.stdin:
            count = int(line)
            begun = time.perf_counter()
            for _ in range(count):
                private.sign(digest, mechanism=Mechanism.ECDSA)
            print(count / (time.perf_counter() - begun), flush=True)


if __name__ == "__main__":
    main()
