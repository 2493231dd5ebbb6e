"""``python -m deploy.cli``: the same as ``guosuo``."""

from deploy.cli.main import main

main()
