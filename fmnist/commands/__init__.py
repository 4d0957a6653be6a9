"""The commands of `python -m fmnist`, a module each: what it does, and the arguments that it takes (its `add`)."""

from __future__ import annotations


class CommandError(Exception):
    """What was asked for can't be done. The message is a sentence for the user."""
