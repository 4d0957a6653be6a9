"""Launcher: starts the scheduler of a store, and tells whether one is alive: what pages and commands need of it.

A scheduler holds a file lock for as long as it lives: so there is never a second one, and everybody notices at once
when it is gone, however it went.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout

from fmnist import background, settings
from fmnist.data import files
from fmnist.models import custom
from fmnist.store.run import Run, Status
from fmnist.store.store import Store, StoreError
from fmnist.training.hardware import slots
from fmnist.training.messages import ClusterState
from fmnist.words import reason

if sys.platform != "win32":
    import fcntl

LOOK_SECONDS = 0.2  # To wait for others who hold the lock for a moment, to see whether there is a scheduler.
MAX_WORDS = 1000  # Bytes from the end of a log in which its last line is looked for.
EXPECTED = "trainer_files"  # The setting of the store in which `expected_files` stands.

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""What a file system says that has no locks."""
LEFT = {False: Status.INTERRUPTED, True: Status.CANCELLED}
"""What becomes of a running run that is left behind, by whether it was told to stop: `Store.interrupt_running`."""


def lock(path: Path) -> FileLock:
    """The lock of a store's scheduler, not held yet. Its file is named after the trainer, as it was called at first:
    schedulers of all versions have to see each other."""
    return FileLock(path.with_name(path.name + ".trainer.lock"))


def log_path(path: Path) -> Path:
    """Where a scheduler writes what happens to it."""
    return path.with_name(path.name + ".trainer.log")


@contextmanager
def held(lock: FileLock, timeout: float = 0) -> Iterator[bool]:
    """Hold a lock if it can be had; tell whether.

    Args:
        timeout: in seconds; -1 waits without end.

    Raises:
        StoreError: the folder of the store can't be written.
    """
    try:
        lock.acquire(timeout=timeout)
    except Timeout:
        yield False
        return
    except (OSError, NotImplementedError) as error:
        if not isinstance(error, OSError) or error.errno in NO_LOCKS:
            raise StoreError(
                f"Nothing can be locked in {Path(lock.lock_file).parent}: it seems to be on a network drive. Choose "
                f"a folder on this machine with FMNIST_RUNS."
            ) from error
        raise StoreError(
            f"{Path(lock.lock_file).parent} can't be written ({reason(error)}): "
            "nothing can be trained there. Choose another place with FMNIST_RUNS."
        ) from error
    try:
        yield True
    finally:
        lock.release()


def is_alive(store: Store) -> bool:
    """Whether a scheduler works on this store. To ask changes nothing, and can be done where nothing may be written.

    Raises:
        StoreError: it can't be found out.
    """
    path = Path(lock(store.path).lock_file)
    try:
        with path.open("rb") as file:
            if sys.platform != "win32":
                # Shared, so that nobody who asks takes another who asks for a scheduler.
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return False
        with held(FileLock(path)) as free:
            return not free
    except BlockingIOError:
        return True
    except (FileNotFoundError, NotADirectoryError):  # None has ever worked here.
        return False
    except OSError as error:
        if error.errno in NO_LOCKS:
            with held(FileLock(path)) as free:  # Which does without, where it can.
                return not free
        raise StoreError(
            f"Can't tell whether a scheduler is working on {store.path} ({reason(error)}: {path})."
        ) from error


def recover(store: Store) -> None:
    """Mark the runs as interrupted that a scheduler has left behind; none while one is alive.

    Raises:
        StoreError: the dashboard is read-only, or the folder of the store can't be written.
    """
    if settings.read_only():
        raise StoreError(settings.READ_ONLY)
    if store.runs(Status.RUNNING):
        with held(lock(store.path), LOOK_SECONDS) as free:
            if free:
                store.interrupt_running()


def left_behind(store: Store) -> set[int]:
    """The runs that stand as running, and that nobody trains: their scheduler is dead, and nobody has marked them yet.
    Nothing is marked here."""
    with suppress(StoreError):  # Then what stands there is believed.
        if store.runs(Status.RUNNING) and not is_alive(store):
            found = {run.id for run in store.runs(Status.RUNNING)}
            if not is_alive(store):  # Else one has been started in the meantime.
                return found
    return set()


def as_they_stand(store: Store, runs: Sequence[Run]) -> list[Run]:
    """Runs of a store with the status that `recover` would give those that are left behind; it is not written down."""
    if not any(run.status == Status.RUNNING for run in runs):
        return list(runs)
    left = left_behind(store)
    return [replace(run, status=LEFT[run.stop], stop=False) if run.id in left else run for run in runs]


def moved_data(runs: Sequence[Run], root_of: Callable[[str], Path]) -> dict[int, Path]:
    """Where the data are now of those runs that would no longer find them where they were, by their ids.

    Args:
        root_of: gives the present data root of the data set with a name.
    """
    is_there = cache(files.is_there)  # Hundreds of runs may have the same place.
    return {
        run.id: root_of(run.recipe.dataset) for run in runs if not is_there(run.recipe.dataset, Path(run.data_root))
    }


def start(store: Store) -> None:
    """Start a scheduler for this store, if none is alive. Returns at once; a second one ends by itself.

    One that knows nothing of the files with custom models that we know is followed by one that does, as soon as it has
    trained what it can.

    Raises:
        StoreError: the dashboard is read-only, or the folder of the store can't be written.
    """
    if settings.read_only():
        raise StoreError(settings.READ_ONLY)
    command = ["-u", *settings.module("fmnist.training.scheduler"), "--runs", str(store.path)]
    if is_alive(store):
        if custom.files() <= expected_files(store):
            return
        expect_files(store)
        command += ["--wait"]
    else:
        with held(lock(store.path)):  # Says where nothing can be written.
            pass
    try:
        background.detach(*command, log=log_path(store.path))
    except OSError as error:
        raise StoreError(f"The scheduler can't be started ({reason(error)}).") from error


def cluster_state(store: Store, address: str) -> ClusterState:
    """A cluster as a scheduler saw it last."""
    kept = store.setting(_state_name(address))
    try:
        return ClusterState.from_json(kept) if kept else ClusterState(address)
    except (ValueError, TypeError, AttributeError, RecursionError):  # Damaged: as if none had been seen.
        return ClusterState(address)


def keep_cluster_state(store: Store, state: ClusterState) -> None:
    """Keep what a cluster is like, for `cluster_state`."""
    store.set_setting(_state_name(state.address), state.to_json())


def slots_of(store: Store, address: str | None) -> int:
    """How many runs are trained side by side: here, or on a cluster as it was seen last."""
    return (address and cluster_state(store, address).slots) or slots()


def _state_name(address: str) -> str:
    return f"cluster {address}"


def expected_files(store: Store) -> set[str]:
    """The files with custom models that the scheduler knows, or the one that waits for its end."""
    try:
        return set(json.loads(store.setting(EXPECTED) or "[]"))
    except (ValueError, TypeError, RecursionError):  # Damaged: as if nobody had told.
        return set()


def expect_files(store: Store) -> None:
    """Have the files that we know be those that the scheduler knows, or the one that waits for its end."""
    store.set_setting(EXPECTED, json.dumps(sorted(custom.files())))


def last_words(path: Path) -> str:
    """The last line of the scheduler's log, for a page that has to say why there is none."""
    try:
        with log_path(path).open("rb") as file:  # A model of the user's may have printed gigabytes.
            file.seek(max(0, file.seek(0, os.SEEK_END) - MAX_WORDS))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""
