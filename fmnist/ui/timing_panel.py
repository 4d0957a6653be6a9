"""The panel with which a page has models timed again: started by one viewer, seen by all, one at a time.

The work is that of `python -m fmnist time`, in a process of its own: the server does not import torch for it, and what
it does for its viewers does not wait for what is measured.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd
import streamlit as st

from fmnist import settings
from fmnist.background import BackgroundProcess
from fmnist.store.library import Group, Library, identity
from fmnist.store.run import ACTIVE
from fmnist.store.store import StoreError
from fmnist.training import launcher, timing
from fmnist.training.timing import Timing
from fmnist.words import escape, moment, reason

Subject = tuple[str, tuple[tuple[str, str], ...]]  # What is timed: the store's path, and `identity` of the groups.
MAX_KEPT = 50
"""Results that are shown to whoever comes back; the oldest are forgotten first."""


@dataclass(frozen=True)
class Measured:
    """What came out, and when."""

    timings: list[Timing]
    at: float  # as `time.time` gives it


@dataclass
class Clock:
    """What is being timed, and what came out before; shared by all sessions."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    process: BackgroundProcess | None = None
    groups: Sequence[Group] = ()
    subject: Subject = ("", ())
    turns: int = 1  # that the process will report
    measured: dict[Subject, Measured] = field(default_factory=dict)
    faults: dict[Subject, str] = field(default_factory=dict)  # of the last one alone

    def start(self, subject: Subject, library: Library, groups: Sequence[Group], steps: int, rounds: int) -> None:
        """Begin, unless somebody else has begun in the meantime.

        Raises:
            StoreError: the dashboard is read-only: timing would take the machine from those who predict.
        """
        if settings.read_only():
            raise StoreError(settings.READ_ONLY)
        with self.lock:
            if self.process:
                return
            command = [*settings.module("fmnist"), "time", *(group.id for group in groups), "--json"]
            command += ["--steps", str(steps), "--rounds", str(rounds)]
            command += ["--runs", str(library.own.path), "--data", str(library.own.data_root(groups[0].recipe.dataset))]
            self.faults.clear()
            try:
                self.process = BackgroundProcess(*command)
            except OSError as error:
                self.faults[subject] = f"No process can be started to time the models ({reason(error)}): try again."
            self.subject, self.groups, self.turns = subject, groups, (rounds + 1) * len(groups)

    def running(self) -> bool:
        """Whether something is being timed; if it has just ended, what came out is kept."""
        with self.lock:
            if self.process and self.process.exit_code is not None:
                self._end(self.process)
            return self.process is not None

    def _end(self, process: BackgroundProcess) -> None:
        self.process = None
        unexpected = "The timing ended unexpectedly: try again."
        if process.exit_code:
            self.faults[self.subject] = process.fault(unexpected)
            return
        try:
            self.measured[self.subject] = Measured(_read(process.output, self.groups), time.time())
        except (ValueError, TypeError, KeyError):  # A library may write whatever it likes.
            self.faults[self.subject] = unexpected
        while len(self.measured) > MAX_KEPT:
            del self.measured[next(iter(self.measured))]

    def progress(self) -> tuple[float, str]:
        """How far it is, as a share of 1, and in words."""
        with self.lock:
            reports = self.process.reports if self.process else []
        lines = [line for line in reports if line.startswith(("Warm-up", "Round "))]  # A model may print others.
        return min(1.0, len(lines) / self.turns), lines[-1] if lines else "The models are being loaded …"


def _read(output: str, groups: Sequence[Group]) -> list[Timing]:
    """What `fmnist time --json` has written."""
    rows = json.loads(output)
    return [
        Timing(group.recipe, row["device"], row["threads"], row["steps_per_epoch"], tuple(row["seconds_per_step"]))
        for group, row in zip(groups, rows, strict=True)
    ]


@st.cache_resource
def _clock() -> Clock:
    return Clock()


def time_again(
    library: Library, groups: Sequence[Group], *, steps: int = timing.STEPS, rounds: int | None = None
) -> None:
    """A button that has the groups' recipes timed under the same conditions, how far that is, and what came out.

    Args:
        groups: on one data set, at least one.
        rounds: None for `timing.usual_rounds`.
    """
    if settings.read_only():
        return
    rounds = rounds or timing.usual_rounds(len(groups))
    clock, subject = _clock(), (str(library.own.path), identity(groups))
    running = clock.running()
    if subject in clock.faults:
        st.error(escape(clock.faults[subject]), icon=":material/timer_off:")
    if subject in clock.measured and not (running and clock.subject == subject):
        _show(clock.measured[subject], [group.title for group in groups])
    asked = launcher.as_they_stand(library.own, library.own.runs(*ACTIVE))
    active = sum(run.status in ACTIVE for run in asked)
    why = ""
    if running and clock.subject != subject:
        why = "Other models are being timed at the moment."
    elif active:
        why = f"{active} run{'s are' if active > 1 else ' is'} queued or being trained: timing needs an idle machine."
    if st.button(
        "Time them again",
        icon=":material/timer:",
        help=f"A few hundred steps of each, in turn, over {rounds} rounds on this machine; nothing is kept as a run.",
        disabled=running or bool(active),
    ):
        clock.start(subject, library, groups, steps, rounds)
        st.rerun()
    if why:
        st.caption(why)
    if running:
        st.fragment(_show_progress, run_every=0.5)(clock)


def _show_progress(clock: Clock) -> None:
    if not clock.running():
        st.rerun()
    share, words = clock.progress()
    st.progress(share, escape(words))


def _show(measured: Measured, names: Sequence[str]) -> None:
    timings = measured.timings
    said = timing.sentences(timings, names)
    for sentence in said:
        st.markdown(f"- {escape(sentence)}")
    if disturbed := timing.unsteady(timings):
        st.warning(disturbed, icon=":material/warning:")
    milliseconds = st.column_config.NumberColumn(format="%.3f ms")
    st.dataframe(
        pd.DataFrame(
            {
                "name": names,
                "median": [1000 * found.median for found in timings],
                "quickest round": [1000 * min(found.seconds_per_step) for found in timings],
                "slowest round": [1000 * max(found.seconds_per_step) for found in timings],
                "an epoch": [found.epoch for found in timings],
                "batch size": [found.recipe.batch_size for found in timings],
                "threads": [found.threads for found in timings],
                "device": ["CPU" if found.device == "cpu" else found.device for found in timings],
            }
        ),
        column_config={
            **dict.fromkeys(("median", "quickest round", "slowest round"), milliseconds),
            "an epoch": st.column_config.NumberColumn(format="%.2f s"),
        },
        hide_index=True,
        alt="Time per step. " + " ".join(said),
    )
    st.caption(f"Timed on {moment(measured.at)}: time per step, and of an epoch's training, without evaluation.")
