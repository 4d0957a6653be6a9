"""The commands of `python -m fmnist`, a module each; they share `options`, `tables`, `results` and `progress`."""

from __future__ import annotations

from fmnist.background import say as say


class CommandError(Exception):
    """What was asked for can't be done. The message is a sentence for the user."""
