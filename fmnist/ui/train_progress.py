"""What is being trained, or was trained last: drawn again and again, while something is."""

from __future__ import annotations

import math
import time
import uuid

import streamlit as st

from fmnist import settings
from fmnist.data.catalog import DATASETS
from fmnist.store.library import Library
from fmnist.store.run import UNFINISHED, Status
from fmnist.training import launcher
from fmnist.training.estimate import duration
from fmnist.training.progress import TrainingProgress
from fmnist.ui import cluster_panel, live_chart, train_curves, train_end, train_runs, train_start
from fmnist.ui.page import explained
from fmnist.ui.scope import say_where_from

# Between two looks into the store: of somebody who waits for the first point of a training, while it goes on, and while
# nothing is trained.
FIRST_SECONDS, LIVE_SECONDS, IDLE_SECONDS = 0.15, 0.5, 4.0
LOOKS_PER_SECOND = 10
"""Of all who only watch, about: each look takes a core some 10 ms, which a training on two cores feels."""


@explained()
def follow(library: Library) -> None:
    """What is being trained, looked at as often as that asks for.

    A fragment that itself runs every `IDLE_SECONDS`: when somebody begins to train, others need another pace, but not
    the whole page anew.
    """
    progress = current(library)
    st.session_state["active"] |= progress.active
    st.session_state["pace"] = pace(progress)
    st.fragment(watch, run_every=st.session_state["pace"] if progress.active else None)(library)


@explained()
def watch(library: Library) -> None:
    """What is being trained: drawn again and again, while something is."""
    progress = current(library)
    show_training(library, progress)
    # Only now, for a click that comes in with this run must not be lost.
    ended = st.session_state["active"] and not progress.active
    begun = progress.active and st.session_state.get("pressed") and pace(progress) != st.session_state["pace"]
    if ended or begun or train_start.is_full(library) != st.session_state["full"]:
        st.rerun()  # The whole page: its pace, and what is trained already or may be asked for, have changed.


def current(library: Library) -> TrainingProgress:
    """The newest training; with what was trained before, if it is what this visitor has asked for."""
    return TrainingProgress(library, st.session_state.get("asked", ()))


def pace(progress: TrainingProgress) -> float:
    """Seconds between two looks into the store: the longer, the more people only watch."""
    watching = visitors()
    if not progress.active:
        return IDLE_SECONDS
    if st.session_state.get("pressed"):
        return LIVE_SECONDS if progress.begun else FIRST_SECONDS
    return min(max(LIVE_SECONDS, math.ceil(2 * watching / LOOKS_PER_SECOND) / 2), IDLE_SECONDS)


def visitors() -> int:
    """How many browsers show the page, this one included."""
    looks, now = _last_looks(), time.monotonic()
    looks[st.session_state.setdefault("visitor", uuid.uuid4().hex)] = now
    for visitor, when in looks.copy().items():
        if now - when > 2 * IDLE_SECONDS:
            looks.pop(visitor, None)
    return len(looks)


@st.cache_resource(show_spinner=False)
def _last_looks() -> dict[str, float]:
    """When each visitor of this server has looked last."""
    return {}


def show_training(library: Library, progress: TrainingProgress) -> None:
    """The newest training: what runs, waits or was stopped, what is seen of it, and what came out."""
    alive = not progress.active or settings.read_only() or launcher.is_alive(library.own)
    if not alive:
        launcher.recover(library.own)
    cluster_panel.show(library, progress)
    if not progress.count():
        show_example(library)
        return
    if progress.active:
        show_heading(progress)
    else:
        train_end.show_heading(progress)
    train_runs.show(library, progress, alive=alive)
    shown = progress.with_curves(live_chart.MAX_CURVES) or progress.queued(1)
    for dataset in DATASETS:  # Two data sets never stand in one picture.
        if runs := [run for run in shown if run.recipe.dataset == dataset]:
            if not progress.active:
                train_end.show_card(library, progress, progress.all_results(dataset))
            train_curves.show(library, progress, runs)
            train_end.show_results(progress, dataset)
            say_where_from(dataset, [])


def show_example(library: Library) -> None:
    """What stands where the curves will be, until something is trained on this machine."""
    said = "There is no training to show yet."
    place = st.container()
    if live_chart.reference_curves(library):
        place.caption(
            f"{said} In grey: how each model learned FashionMNIST in a reference run. The next training here replaces "
            "these curves."
        )
    else:
        place.caption(f"{said} The curves appear here.")


def show_heading(progress: TrainingProgress) -> None:
    """That something is trained, and how far all of it is."""
    left = progress.seconds_left(train_start.slots(progress.library))
    when = "time left not known yet" if left is None else f"roughly {duration(left)} left"
    if progress.count() > live_chart.MAX_CURVES:
        st.header("Training now", anchor=False)
        order = (Status.DONE, Status.RUNNING, Status.QUEUED, *UNFINISHED)
        counts = [f"{count:,} {status.word}" for status in order if (count := progress.count(status))]
        text = f"**{progress.ended:,} of {progress.count():,} runs** · {' · '.join(counts)} · {when}"
        st.progress(progress.ended / progress.count(), text)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header("Training now", anchor=False, width="content")
        told = [when]
        if progress.count() > 1:
            without = [f"{count} {status.word}" for status in UNFINISHED if (count := progress.count(status))]
            told = [f"{progress.count(Status.DONE)} of {progress.count()} runs done", *without, when]
        st.caption(" · ".join(told), width="content")
