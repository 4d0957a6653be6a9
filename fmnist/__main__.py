"""The same work without a browser: python -m fmnist train | compare | time | verify | export | predict | ...

Exit codes: 0 done, 1 it could not be done (one sentence on standard error), 2 wrong usage, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys

from fmnist import own_models, settings
from fmnist.commands import CommandError, compare, data, export, predict, runs, timing, train, verify
from fmnist.commands.arguments import full_ids
from fmnist.data import DataError
from fmnist.export import ExportError
from fmnist.images import ImageError
from fmnist.models import ModelError
from fmnist.recipe import RecipeError
from fmnist.store import StoreError

COMMANDS = (train, compare, timing, verify, export, predict, data, runs)  # As the help lists them.


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        if settings.read_only() and options.changes:
            raise CommandError(settings.READ_ONLY)
        if options.knows_models:
            own_models.refresh(options.runs.parent)
        if "models" in options:
            options.models = full_ids(parser, options.models)
        code = options.command(options)
        sys.stdout.flush()
        return code
    except (CommandError, DataError, ExportError, ImageError, ModelError, RecipeError, StoreError) as error:
        print(f"fmnist: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # The reader of our output (head, less) has gone.
        # Else Python would complain when it flushes at its end (docs.python.org, signal, "Note on SIGPIPE").
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fmnist", description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in COMMANDS:
        module.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
