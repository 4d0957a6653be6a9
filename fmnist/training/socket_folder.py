"""The folder in which multiprocessing keeps the socket of a scheduler's fork server, once that scheduler was killed.

multiprocessing removes it when a process ends in order. After a kill -9 the next scheduler of the store does it: the
store tells which folder it was, and whoever holds the scheduler's lock knows that the former one is dead.
"""

from __future__ import annotations

import multiprocessing.util
import re
from contextlib import suppress
from pathlib import Path

from fmnist.store.store import Store

SETTING = "socket_folder"
NAME = re.compile(r"pymp-[a-z0-9_]{8}")
"""How multiprocessing names such folders."""

_ours: set[str] = set()


def note(store: Store) -> None:
    """Have the store remember the folder of this process, which has started a fork server."""
    # Of a name that is not UTF-8 a store can't keep all: the folder is not found again then, and stays.
    folder = multiprocessing.util.get_temp_dir().encode(errors="replace").decode()
    if store.setting(SETTING) != folder:
        store.set_setting(SETTING, folder)
    _ours.add(folder)


def remove_former(store: Store) -> None:
    """Remove what a killed scheduler has left behind. The caller holds the scheduler's lock.

    A store may come from anywhere, so nothing but sockets is removed, and a folder only if it is empty then.
    """
    noted = store.setting(SETTING)
    if noted is None or noted in _ours or not NAME.fullmatch(Path(noted).name):
        return
    with suppress(OSError):  # It is gone, or not ours.
        for path in Path(noted).iterdir():
            if path.is_socket():
                path.unlink()
        Path(noted).rmdir()
