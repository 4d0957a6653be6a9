"""The same work without a browser: python -m fmnist train | confirm | compare | time | verify | export | predict | ...

Exit codes: 0 done, 1 it could not be done (one sentence on standard error), 2 wrong usage, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import io
import os
import sys

import click

import fmnist
from fmnist.commands import CommandError, say
from fmnist.commands.compare import compare
from fmnist.commands.confirm import confirm
from fmnist.commands.dashboard import dashboard
from fmnist.commands.data import data
from fmnist.commands.export import export
from fmnist.commands.predict import convert_image, predict
from fmnist.commands.runs import runs
from fmnist.commands.time import time_steps
from fmnist.commands.train import train
from fmnist.commands.verify import verify
from fmnist.data.files import DataError
from fmnist.export import ExportError
from fmnist.models.registry import ModelError
from fmnist.predict.picture_file import ImageError
from fmnist.recipe import RecipeError
from fmnist.settings import SettingsError
from fmnist.store.store import StoreError

COMMANDS = (train, confirm, compare, time_steps, verify, export, predict, convert_image, data, runs, dashboard)
REFUSED = (CommandError, DataError, ExportError, ImageError, ModelError, RecipeError, SettingsError, StoreError)
"""What can't be done. The message is a sentence for the user."""


class Program(click.Group):
    """The commands in the order of `COMMANDS`; what they raise and return becomes the exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> None:
        try:
            code = super().invoke(ctx)
            sys.stdout.flush()
        except REFUSED as error:
            say(str(error))
            code = 1
        except KeyboardInterrupt:
            code = 130
        except BrokenPipeError:  # The reader of our output (head, less) has gone.
            # Else Python would complain when it flushes at its end (docs.python.org, signal, "Note on SIGPIPE").
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        ctx.exit(code or 0)


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"fmnist {fmnist.__version__}")
        ctx.exit()


program = Program(
    help="Train, compare and try image classifiers without a browser.",
    commands=COMMANDS,
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_print_version,
            help="Show the version.",
        )
    ],
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # What it can't encode is printed escaped, as in \udcff.
            stream.reconfigure(errors="backslashreplace")
    try:
        program.main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)


if __name__ == "__main__":
    sys.exit(main())
