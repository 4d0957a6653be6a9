"""Which run is meant by an address on the command line: "12", or "reference-3"."""

from __future__ import annotations

from fmnist.commands import CommandError
from fmnist.store.library import Library
from fmnist.store.run import Run


def place(library: Library, address: str) -> tuple[str, int]:
    """The store and the id of a run that has ended, from its address: "12" or "reference-3"."""
    source, dash, number = address.rpartition("-")
    source = source if dash else "own"
    if source not in library.stores or not number.isdecimal() or int(number) not in library.stores[source].sealed_ids():
        raise CommandError(f"There is no finished run {address}: python -m fmnist runs list.")
    return source, int(number)


def finished(library: Library, address: str) -> Run:
    """The run at an address.

    Raises:
        CommandError: there is none, or it can't be used here.
    """
    source, id = place(library, address)
    run = library.stores[source].run(id)
    if run is None:
        raise CommandError(f"Run {address} is of a model that this program does not have.")
    return run
