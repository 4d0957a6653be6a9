"""Which run is meant by an address on the command line: "12", or "reference-3"."""

from __future__ import annotations

import re

from fmnist import settings
from fmnist.commands import CommandError
from fmnist.store.database import DamagedRun
from fmnist.store.library import Library
from fmnist.store.run import Run

MAX_ID = 2**63 - 1
"""SQLite's largest number."""


def split(address: str) -> tuple[str, int]:
    """The source of a run ("own", "reference") and its id, from an address as people write it.

    Raises:
        ValueError: it is no address.
    """
    found = re.fullmatch(r"(?:([a-z]+)-)?([0-9]+)", address)
    if not found:
        raise ValueError(f"{address!r} is not the address of a run, such as 12 or reference-3")
    return found[1] or "own", int(found[2])


def place(library: Library, address: str) -> tuple[str, int]:
    """The store and the id of a run that has ended, from its address.

    Raises:
        CommandError: there is none.
    """
    try:
        source, id = split(address)
    except ValueError:
        source, id = "", 0
    if source not in library.stores or id not in library.stores[source].sealed_ids():
        raise CommandError(f"There is no finished run {address}: see {settings.command('runs list')}.")
    return source, id


def finished(library: Library, address: str) -> Run:
    """The run at an address.

    Raises:
        CommandError: there is none, or it can't be used here.
    """
    source, id = place(library, address)
    run = library.stores[source].run(id)
    if run is None:
        _refuse_damaged(library, source, id)
        raise CommandError(f"Run {address} uses a model that this program does not have.")
    return run


def existing(library: Library, source: str, id: int) -> Run:
    """A run, whether it has ended or not.

    Raises:
        CommandError: there is none.
    """
    store = library.stores.get(source)
    run = store.run(id) if store and id <= MAX_ID else None
    if run is None:
        if store and id <= MAX_ID:
            _refuse_damaged(library, source, id)
        address = str(id) if source == "own" else f"{source}-{id}"
        raise CommandError(f"There is no run {address} in {library.own.path}: see {settings.command('runs list')}.")
    return run


def _refuse_damaged(library: Library, source: str, id: int) -> None:
    """Raises: DamagedRun: something of the run can't be read."""
    if what := library.stores[source].damage(id):
        raise DamagedRun(source, id, what)
