"""One target under atheris: ``python -m tests.fuzz.harness NAME LIBFUZZER-ARGUMENTS``."""

import sys

import atheris

with atheris.instrument_imports(include=["authz", "core", "monitor", "pki", "guosuo_verify"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name].run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
