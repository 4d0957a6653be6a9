"""The commands of `python -m fmnist`, a module each; they share `options`, `addresses`, `plan`, `progress`, `results`
and `tables`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from fmnist.background import say as say


class CommandError(Exception):
    """What was asked for can't be done. The message is a sentence for the user."""


@contextmanager
def models_at_work() -> Iterator[None]:
    """Whatever a custom model prints goes to standard error: standard output is for what the command answers."""
    with redirect_stdout(sys.stderr):
        yield
