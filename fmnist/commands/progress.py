"""Runs that are being trained, followed until they have ended: bars on a terminal, lines in a log file."""

from __future__ import annotations

import math
import shlex
import signal
import sys
import time
from collections.abc import MutableMapping, Sequence
from contextlib import suppress
from typing import Any

from tqdm import tqdm

from fmnist import settings
from fmnist.commands import CommandError, say
from fmnist.commands.options import as_ranges
from fmnist.commands.results import reached_accuracy
from fmnist.recipe import measured_on
from fmnist.settings import SettingsError, command
from fmnist.store.run import ACTIVE, Run, Status
from fmnist.store.store import Store, store_path
from fmnist.training import launcher
from fmnist.training.progress import goes_on

FOLLOW_SECONDS = 0.2
START_SECONDS = 10  # That a scheduler has to take its lock, which needs less than one.
MAX_BARS = 8  # Runs that are trained at the same time and have a bar.
LINE_SECONDS = 10  # Between two lines on the epochs of one run.


class Progress:
    """How the training of some runs is shown: not at all."""

    def update(self, running: Sequence[Run], left: int) -> None:
        """Show how it is now.

        Args:
            running: the runs that are being trained.
            left: how many runs have not ended.
        """

    def close(self) -> None:
        """End what is shown."""


class Bar(tqdm):  # type: ignore[misc]  # It has no types.
    """A bar whose rate is read as words: "2.41 runs/s", "8.99s/run".

    Args:
        thing: what it counts, in the singular.
        line: where it stands, from the top.
    """

    def __init__(self, name: str, line: int, thing: str, **options: Any) -> None:
        self._thing = thing
        super().__init__(desc=name, position=line, dynamic_ncols=True, **options)

    @property
    def format_dict(self) -> MutableMapping[str, Any]:
        """What tqdm makes the line of."""
        facts = super().format_dict
        elapsed = facts["elapsed"]
        rate = facts["rate"] or (elapsed and (facts["n"] - facts["initial"]) / elapsed)
        facts["unit"] = self._thing if 0 < rate < 1 else f" {self._thing}s"
        if facts["ncols"]:  # Without room for the ^C that a terminal puts behind it, a line would become two.
            facts["ncols"] = max(1, facts["ncols"] - len("^C"))
        return facts


class Bars(Progress):
    """A bar that counts runs, if they are several, and one for each run that is being trained."""

    def __init__(self, count: int) -> None:
        self._all = Bar("All runs", 0, "run", total=count) if count > 1 else None
        self._lines = range(1, MAX_BARS + 1) if count > 1 else range(1)
        self._bars: dict[int, tuple[int, Bar]] = {}  # by run: the line, and what stands there

    def update(self, running: Sequence[Run], left: int) -> None:
        shown = {run.id: run for run in running[: len(self._lines)]}
        for id in self._bars.keys() - shown.keys():
            self._bars.pop(id)[1].close()
        for id, run in shown.items():
            if id not in self._bars:
                line = min({*self._lines} - {line for line, _ in self._bars.values()})
                # It leaves nothing behind: the lines of a sweep would fill the screen.
                self._bars[id] = line, Bar(run.name, line, "step", leave=False)
            bar = self._bars[id][1]
            bar.total, bar.n = run.steps, run.step
            bar.refresh()
        if self._all is not None:  # A tqdm of nothing is false.
            self._all.n = self._all.total - left
            self._all.refresh()

    def close(self) -> None:
        for _, bar in self._bars.values():
            bar.leave = self._all is None  # How far a single run has come that was stopped.
            bar.close()
        if self._all is not None:
            self._all.close()


class Lines(Progress):
    """A line when a run begins, one for its epochs now and then, and one when it has ended."""

    def __init__(self, store: Store, ids: Sequence[int]) -> None:
        self._runs, self._ids = store, ids
        self._left = len(ids)
        # What a resumed run has behind it was said before.
        self._from = {run.id: _epoch(run) for run in store.by_ids(ids, Status.QUEUED)}
        self._told: dict[int, tuple[int, float]] = {}  # by run: the last epoch that was told, and when
        self._ended: set[int] = set()

    def update(self, running: Sequence[Run], left: int) -> None:
        for run in running:
            self._begin(run)
            self._tell_epoch(run)
        if left == self._left:
            return
        self._left = left
        for run in self._runs.by_ids(self._ids):
            if run.id not in self._ended and run.status not in ACTIVE:
                self._end(run)

    def _begin(self, run: Run) -> None:
        if run.id not in self._told:
            self._told[run.id] = self._from.get(run.id, 0), -math.inf
            say(f"{_named(run)} started ({run.recipe.describe()}).")

    def _tell_epoch(self, run: Run) -> None:
        told, when = self._told[run.id]
        epoch = _epoch(run)
        if told < epoch < run.recipe.epochs and time.monotonic() - when >= LINE_SECONDS:
            self._told[run.id] = epoch, time.monotonic()
            points = self._runs.history([run.id], run.recipe.evaluated_on)
            images = measured_on([run.recipe])
            accuracy = f", {points['accuracy'].iloc[-1]:.2%} of the {images} images right" if len(points) else ""
            say(f"{_named(run)}: epoch {epoch} of {run.recipe.epochs}{accuracy}.")

    def _end(self, run: Run) -> None:
        if run.started:
            self._begin(run)  # It may have been quicker than we look.
        self._ended.add(run.id)
        reached = f" with {reached_accuracy(run)}" if run.result else ""
        ended, count = len(self._ended), len(self._ids)
        so_far = f"{ended} of {count} {'run' if count == 1 else 'runs'} {'has' if ended == 1 else 'have'} ended"
        say(f"{_named(run)}: {run.status.word}{reached}; {so_far}.")


def _epoch(run: Run) -> int:
    """How many epochs it has behind it."""
    return run.step * run.recipe.epochs // run.steps if run.steps else 0


def _named(run: Run) -> str:
    return f"Run {run.id} ({run.name})"


def train_queued(store: Store, ids: Sequence[int], cluster: str | None, *, quiet: bool) -> None:
    """See that a scheduler works on queued runs, and show how it goes until none is left.

    Args:
        cluster: the address of the Ray cluster that trains them; it is said if that can't be used.

    Raises:
        CommandError: there is no scheduler.
        KeyboardInterrupt: Ctrl-C; the runs are stopped, and it is said how to go on.
    """
    if not ids:
        return
    if not quiet:
        for run in store.by_ids(ids, Status.QUEUED):
            if where := goes_on(store, run):
                say(f"{_named(run)} was not finished: it {where}." if run.started else f"{_named(run)} {where}.")
        _say_where_they_wait(store, ids, cluster)
    launcher.start(store)
    progress = Progress() if quiet else Bars(len(ids)) if sys.stderr.isatty() else Lines(store, ids)
    try:
        follow(store, ids, cluster, progress)
    except KeyboardInterrupt:
        store.request_stop(ids)
        say(f"stopped; what was trained so far is kept. To resume: {_resume_command(store, ids, cluster)}")
        raise


def _say_where_they_wait(store: Store, ids: Sequence[int], cluster: str | None) -> None:
    """Who asks again for runs that are queued does not move them: say which of them wait for another cluster."""
    waiting: dict[str, list[Run]] = {}
    for run in store.by_ids(ids, Status.QUEUED):
        if run.cluster and run.cluster != cluster:
            waiting.setdefault(run.cluster, []).append(run)
    for address, runs in waiting.items():
        one = len(runs) == 1
        here = f"on {cluster}" if cluster else "on this machine"
        say(
            f"{_named(runs[0]) if one else f'Runs {as_ranges(run.id for run in runs)}'} {'waits' if one else 'wait'} "
            f"for the Ray cluster at {address}, for which {'it was' if one else 'they were'} queued before. To train "
            f"{'it' if one else 'them'} {here}, press Ctrl-C and then run "
            f"{_resume_command(store, [run.id for run in runs], cluster)}"
        )


def _resume_command(store: Store, ids: Sequence[int], cluster: str | None) -> str:
    """What trains them where they are asked for now."""
    left = as_ranges(run.id for run in store.by_ids(ids) if run.status != Status.DONE)
    resume = f"runs resume {left}" + (
        f" --ray {shlex.quote(cluster or '')}" if cluster != settings.ray_address() else ""
    )
    with suppress(SettingsError):
        if store.path == store_path():
            return command(resume)
    return command(f"{resume} --runs {shlex.quote(str(store.path))}")


def follow(store: Store, ids: Sequence[int], cluster: str | None, progress: Progress) -> None:
    """Show how the training of some runs goes, until none of them is queued or running; see `train_queued`."""
    waited, told = time.monotonic(), dict[str, str | None]()
    clusters = {*filter(None, [cluster, *(run.cluster for run in store.by_ids(ids) if run.status in ACTIVE)])}
    interrupted = False

    def note(*_: object) -> None:
        nonlocal interrupted
        interrupted = True

    # As an exception Ctrl-C may come up in a destructor, such as that of a file lock, where Python drops it.
    before = signal.signal(signal.SIGINT, note)
    try:
        while not interrupted:
            left = store.count_active(ids)
            progress.update(store.by_ids(ids, Status.RUNNING), left)
            if not left:
                return
            for address in clusters:
                problem = launcher.cluster_state(store, address).problem
                if problem and problem != told.get(address):
                    tqdm.write(f"fmnist: {problem} Its runs wait until it is back; Ctrl-C stops them.", file=sys.stderr)
                told[address] = problem
            if launcher.is_alive(store):
                waited = time.monotonic()
            else:
                launcher.recover(store)  # Else what it was training would be waited for without end.
                if time.monotonic() - waited > START_SECONDS:
                    words = launcher.last_words(store.path)
                    raise CommandError(f"The scheduler has not started, or has ended. {words}".strip())
            time.sleep(FOLLOW_SECONDS)
        raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, before)
        progress.close()
