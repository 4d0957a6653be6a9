"""The runs of a training, a line each: how far they are, and what can be stopped or resumed."""

from __future__ import annotations

import streamlit as st

from fmnist import settings
from fmnist.store.library import Library
from fmnist.store.queue import TooManyRuns
from fmnist.store.run import ACTIVE, RESUMABLE, UNFINISHED, Run, Status
from fmnist.training import estimate, kernel_cache, launcher
from fmnist.training.estimate import duration
from fmnist.training.progress import TrainingProgress, goes_on
from fmnist.ui import login
from fmnist.ui.page import explained
from fmnist.words import escape

MAX_ROWS = 8
ICONS = {
    Status.FAILED: ":material/error:",
    Status.CANCELLED: ":material/stop_circle:",
    Status.INTERRUPTED: ":material/power_off:",
}


def show(library: Library, progress: TrainingProgress, *, alive: bool) -> None:
    """What is trained, what waits, and what was stopped or went wrong.

    Args:
        alive: whether there is a scheduler.
    """
    running = progress.running(MAX_ROWS)
    if progress.active and not alive and not running:
        say_no_scheduler(library)
    for run in running:
        show_running(library, progress, run)
    if (more := progress.count(Status.RUNNING) - len(running)) > 0:
        st.caption(f"And {more} more are being trained.")
    if progress.count(Status.QUEUED):
        show_queue(library, progress)
    show_unfinished(library, progress)


def say_no_scheduler(library: Library) -> None:
    """Runs are queued, and nobody takes them: either the scheduler is just starting, or it can't."""
    words = launcher.last_words(library.own.path)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f":material/hourglass_top: The scheduler is starting. {escape(words)}")
        if st.button("Start it again", key="start-trainer"):
            launcher.start(library.own)


def show_running(library: Library, progress: TrainingProgress, run: Run) -> None:
    """How far a run is, with a button that stops it."""
    share = run.step / run.steps if run.steps else 0.0
    epoch = min(run.recipe.epochs, int(share * run.recipe.epochs) + 1)
    where = f" on {escape(run.node)}" if run.node else ""
    text = f"**{progress.name(run)}**{where} · preparing"
    if run.cluster is None and kernel_cache.is_awaited():
        text += " compiled kernels for this processor (only once, about ten seconds)"
    left = estimate.seconds_left(run)
    if left is not None:
        text = (
            f"**{progress.name(run)}**{where} · epoch {epoch} of {run.recipe.epochs} · "
            f"step {run.step:,} of {run.steps:,} · "
            f"{run.images_per_second:,.0f} images/s"
        )
        if progress.active > 1:  # Else it stands above.
            text += f" · {duration(left)} left"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.progress(share, text)
        stop_button(library, [run.id], f"stop-{run.id}", "Stopping …" if run.stop else "Stop", disabled=run.stop)


def stop_button(library: Library, ids: list[int], key: str, label: str, *, disabled: bool = False) -> None:
    """A button that stops runs; none where nothing may be changed.

    It stops those that the visitor sees: others may stand there by the time at which the click arrives.
    """
    if not settings.read_only():
        st.button(
            label,
            key=key,
            icon=":material/stop:",
            disabled=disabled,
            help="What was trained so far is kept.",
            on_click=stop,
            args=(library, ids),
        )


@explained()
def stop(library: Library, ids: list[int]) -> None:
    """Follow a click."""
    library.own.request_stop(ids)


def show_queue(library: Library, progress: TrainingProgress) -> None:
    """What waits to be trained."""
    queued = progress.ids(Status.QUEUED)
    with st.container(horizontal=True, vertical_alignment="center"):
        names = ", ".join(
            f"{progress.name(run)} ({where})" if (where := goes_on(library.own, run)) else progress.name(run)
            for run in progress.queued(MAX_ROWS)
        )
        more = f" and {len(queued) - MAX_ROWS:,} more" if len(queued) > MAX_ROWS else ""
        st.markdown(f":material/queue: Queued: {names}{more}")
        if len(queued) == 1:
            stop_button(library, queued, "stop-queued", "Remove from queue")
        stop_button(library, progress.ids(*ACTIVE), "stop-all", "Stop all")


def show_unfinished(library: Library, progress: TrainingProgress) -> None:
    """What was stopped or went wrong."""
    # One may have been resumed since.
    runs = [run for run in progress.unfinished(MAX_ROWS) if run.status in UNFINISHED]
    for run in runs:
        with st.container(horizontal=True, vertical_alignment="center"):
            text = f"{ICONS[run.status]} **{progress.name(run)}** · {run.status.word}"
            if run.steps:
                text += f" at step {run.step:,} of {run.steps:,}"
            st.markdown(text + (f" · {escape(run.error)}" if run.error else ""))
            if run.status in RESUMABLE:
                resume_button(library, [run.id], f"resume-{run.id}", "Resume")
    resumable = progress.ids(*RESUMABLE)
    with st.container(horizontal=True, vertical_alignment="center"):
        if (more := progress.count(*UNFINISHED) - len(runs)) > 0:
            st.caption(f"And {more:,} more that were stopped or failed.")
        if len(resumable) > 1:
            resume_button(library, resumable, "resume-all", f"Resume all {len(resumable):,}")


def resume_button(library: Library, ids: list[int], key: str, label: str) -> None:
    """A button that lets runs go on from where they ended, those that the visitor sees; none where nothing may be
    changed."""
    if not settings.read_only():
        st.button(
            label,
            key=key,
            icon=":material/replay:",
            help="Resumes from the last finished epoch.",
            on_click=resume,
            args=(library, ids),
        )


@explained()
def resume(library: Library, ids: list[int]) -> None:
    """Follow a click."""
    own = library.own
    moved = launcher.moved_data(own.by_ids(ids), own.data_root)
    try:
        own.resume(*ids, cluster=settings.ray_address(), asker=login.asker(), data_roots=moved)
    except TooManyRuns as error:
        st.toast(escape(str(error)), icon=":material/front_hand:")
        return
    st.session_state["pressed"] = True  # The visitor waits for it: the page follows at once.
    launcher.start(own)
