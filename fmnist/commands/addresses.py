"""Which run is meant by an address on the command line: "12", or "reference-3"."""

from __future__ import annotations

import re

from fmnist import settings
from fmnist.commands import CommandError
from fmnist.store.database import DamagedRun
from fmnist.store.library import Library
from fmnist.store.run import Run
from fmnist.words import shortened

MAX_ID = 2**63 - 1
"""SQLite's largest number."""


def split(address: str) -> tuple[str, int]:
    """The source of a run ("own", "reference") and its id, from an address as people write it.

    Raises:
        ValueError: it is no address.
    """
    found = re.fullmatch(r"(?:([a-z]+)-)?([0-9]{1,100})", address)
    if not found:
        raise ValueError(f"{shortened(address)!r} is not the address of a run, such as 12 or reference-3")
    return found[1] or "own", int(found[2])


def _written(source: str, id: int) -> str:
    """The address that `split` has read."""
    return shortened(id if source == "own" else f"{source}-{id}")


def check_finished(library: Library, source: str, id: int) -> None:
    """See that a run has ended.

    Raises:
        CommandError: there is none that has.
    """
    if source not in library.stores or id not in library.stores[source].sealed_ids():
        address = _written(source, id)
        raise CommandError(f"There is no finished run {address}: see {settings.command('runs list')}.")


def finished(library: Library, source: str, id: int) -> Run:
    """A run that has ended.

    Raises:
        CommandError: there is none, or it can't be used here.
    """
    check_finished(library, source, id)
    run = library.stores[source].run(id)
    if run is None:
        _refuse_damaged(library, source, id)
        raise CommandError(f"Run {_written(source, id)} uses a model that this program does not have.")
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
        address = _written(source, id)
        raise CommandError(f"There is no run {address} in {library.own.path}: see {settings.command('runs list')}.")
    return run


def _refuse_damaged(library: Library, source: str, id: int) -> None:
    """Raises: DamagedRun: something of the run can't be read."""
    if what := library.stores[source].damage(id):
        raise DamagedRun(source, id, what)
