"""The commands of `python -m fmnist`, a module each; they share `options`, `tables`, `results` and `progress`."""

from __future__ import annotations

import click


class CommandError(Exception):
    """What was asked for can't be done. The message is a sentence for the user."""


def say(text: str) -> None:
    """Tell the user something that is no result: a line on standard error."""
    click.echo(f"fmnist: {text}", err=True)
