"""What the commands have in common on the command line: the places, and how text is read."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import TypeAlias, TypeVar

from fmnist.commands import CommandError
from fmnist.data import files
from fmnist.data.catalog import DATASETS, DEFAULT
from fmnist.models import custom
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import RecipeError
from fmnist.store import store

T = TypeVar("T")
# What `add_subparsers` gives; argparse has no public name for it.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_command(
    commands: Commands,
    name: str,
    function: Callable[[argparse.Namespace], int],
    help: str,
    *,
    models: bool = True,
    changes: bool = False,
) -> argparse.ArgumentParser:
    """Add a command that takes the places of store and data.

    Args:
        function: does it; gives the exit code.
        models: whether it may meet the user's own models, which take seconds to be tried.
        changes: whether it writes into the store or the data root: then a read-only dashboard's environment refuses it
            at once (what lies below would refuse it too, but later).
    """
    added = commands.add_parser(name, help=help, description=help)
    added.set_defaults(command=function, knows_models=models, changes=changes)
    added.add_argument(
        "--runs",
        type=store.store_path,
        default=store.store_path(),
        metavar="PATH",
        help="the store's file, or its folder (default: FMNIST_RUNS, else runs/)",
    )
    added.add_argument(
        "--data",
        type=files.data_root,
        default=files.data_root(),
        metavar="PATH",
        help="the data root (default: FMNIST_DATA, else data/)",
    )
    return added


def add_dataset(parser: argparse.ArgumentParser, help: str = "default: %(default)s") -> None:
    parser.add_argument("--dataset", choices=DATASETS, default=DEFAULT, help=help)


def numbers(text: str) -> list[int]:
    """ "0-4" or "0,2,5-7" as a list of whole numbers, each once."""
    found: dict[int, None] = {}
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers such as 0,1,2 or 0-4")
        if int(last or first) < int(first):
            raise argparse.ArgumentTypeError(f"{text!r} has a range that ends before it begins")
        if int(last or first) - int(first) > 1000:
            raise argparse.ArgumentTypeError(f"{text!r} asks for more than 1,000 seeds")
        found |= dict.fromkeys(range(int(first), int(last or first) + 1))
    return list(found)


def count(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdecimal() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 100,000")
    return int(text)


def models(text: str) -> list[str]:
    """ "0,norm-cnn" as a list of names, each once."""
    return list(dict.fromkeys(part.strip() for part in text.split(",")))


def full_ids(parser: argparse.ArgumentParser, names: list[str]) -> list[str]:
    """The ids of models that were named on the command line; wrong usage if there is none of a name.

    Raises:
        CommandError: an own model can't be used, or may be in a file that can't.
    """
    faults = custom.faults()
    for model in names:
        if ARCHITECTURES.full_id(model) in ARCHITECTURES:
            continue
        if told := [fault.text for fault in faults if fault.id == model] or [
            fault.text for fault in faults if fault.id is None
        ]:
            raise CommandError(" ".join(told))
        known = ", ".join(architecture.short_id for architecture in ARCHITECTURES.values())
        parser.error(f"there is no model {model!r}: choose from {known}")
    return [ARCHITECTURES.full_id(model) for model in names]


def choices(what: str, known: Iterable[str]) -> Callable[[str], list[str]]:
    """Reads "0,2" as a list of ids, each of which must be known."""

    def read(text: str) -> list[str]:
        chosen = [part.strip() for part in text.split(",")]
        for id in chosen:
            if id not in known:
                raise argparse.ArgumentTypeError(f"there is no {what} {id!r}: choose from {', '.join(known)}")
        return list(dict.fromkeys(chosen))

    return read


def listed(read: Callable[[str], list[T]]) -> Callable[[str], list[T]]:
    """A reader of `fmnist.grid` for argparse, which says what is wrong with a list as wrong usage."""

    def checked(text: str) -> list[T]:
        try:
            return read(text)
        except RecipeError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return checked
