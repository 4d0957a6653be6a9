"""What is being trained: how far each run is, its curves, and what can be stopped or resumed."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from fmnist import settings
from fmnist.compare import next_steps
from fmnist.compare.thinning import MAX_POINTS
from fmnist.data.catalog import DATASETS
from fmnist.data.files import DataError
from fmnist.store.library import Library
from fmnist.store.queue import TooManyRuns
from fmnist.store.run import ACTIVE, RESUMABLE, UNFINISHED, Run, Status
from fmnist.training import estimate, kernel_cache, launcher
from fmnist.training.estimate import duration
from fmnist.training.progress import TrainingProgress, goes_on
from fmnist.ui import cluster_panel, live_chart, login, next_step, resources, train_start
from fmnist.ui.page import explained
from fmnist.ui.scope import MAX_COMPARED, key_of_groups, say_where_from
from fmnist.words import escape

# Between two looks into the store: until a training shows its first point, while it goes on, and while there is none.
FIRST_SECONDS, LIVE_SECONDS, IDLE_SECONDS = 0.15, 0.5, 4.0
MAX_ROWS = 8
MAX_CURVES = 12  # More lines in one picture can't be told apart.
MAX_RESULTS = 50
ICONS = {
    Status.FAILED: ":material/error:",
    Status.CANCELLED: ":material/stop_circle:",
    Status.INTERRUPTED: ":material/power_off:",
}


@explained()
def watch(library: Library) -> None:
    """What is being trained: drawn again and again, while something is."""
    progress = current(library)
    show_training(library, progress)
    # Only now, for a click that comes in with this run must not be lost.
    if pace(progress) != st.session_state["pace"] or train_start.is_full(library) != st.session_state["full"]:
        st.rerun()  # The whole page: its pace, and what is trained already or may be asked for, have changed.


def current(library: Library) -> TrainingProgress:
    """The newest training; with what was trained before, if it is what this visitor has asked for."""
    return TrainingProgress(library, st.session_state.get("asked", ()))


def pace(progress: TrainingProgress) -> float:
    """Seconds between two looks into the store."""
    if not progress.active:
        return IDLE_SECONDS
    waits = st.session_state.get("pressed") and not progress.begun
    return FIRST_SECONDS if waits else LIVE_SECONDS  # Who only watches can wait, and there may be many.


def show_training(library: Library, progress: TrainingProgress) -> None:
    """The newest training: what runs, waits or was stopped, its curves and its results."""
    alive = not progress.active or settings.read_only() or launcher.is_alive(library.own)
    if not alive:
        launcher.recover(library.own)
    cluster_panel.show(library, progress)
    if not progress.count():
        st.caption("Nothing is trained yet on this machine. The curves appear here.")
        return
    running, queued = progress.running(MAX_ROWS), progress.count(Status.QUEUED)
    st.header("Training now" if progress.active else "Last training", anchor=False)
    if progress.active and not alive and not running:
        say_no_trainer(library)
    if progress.count() > MAX_CURVES:
        show_whole(progress)
    for run in running:
        show_running(library, progress, run)
    if (more := progress.count(Status.RUNNING) - len(running)) > 0:
        st.caption(f"And {more} more are being trained.")
    if queued:
        show_queue(library, progress)
    show_unfinished(library, progress)
    shown = progress.with_curves(MAX_CURVES) or progress.queued(1)
    results = progress.results(MAX_RESULTS)
    for dataset in DATASETS:  # Two data sets never stand in one picture.
        if runs := [run for run in shown if run.recipe.dataset == dataset]:
            show_curves(library, progress, runs)
            show_results(progress, [run for run in results if run.recipe.dataset == dataset])
            say_where_from(dataset, [])


def lead_on(library: Library, progress: TrainingProgress) -> None:
    """The last line of the page: to Compare, with what was just trained."""
    results = progress.results(MAX_RESULTS)
    if not results:
        next_step.show("Compare", "See how the finished runs compare.")
        return
    dataset = results[0].recipe.dataset
    runs = [run for run in results if run.recipe.dataset == dataset]
    trained = {run.id for run in runs}
    groups = [group for group in library.groups(dataset, "own") if any(run.id in trained for run in group.runs)]
    chosen: dict[str, str | Sequence[str]] = {"data": dataset, "source": "own"}
    if groups:
        chosen[key_of_groups(groups)] = [group.key for group in groups[:MAX_COMPARED]]
    next_step.show("Compare", next_steps.after_training(runs), chosen)


def say_no_trainer(library: Library) -> None:
    """Runs are queued, and nobody takes them: either the trainer is just starting, or it can't."""
    words = launcher.last_words(library.own.path)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f":material/hourglass_top: The trainer is starting. {escape(words)}")
        if st.button("Start it again", key="start-trainer"):
            launcher.start(library.own)


def show_whole(progress: TrainingProgress) -> None:
    """How far a training of many runs is, as a whole."""
    order = (Status.DONE, Status.RUNNING, Status.QUEUED, *UNFINISHED)
    counts = [f"{count:,} {status.word}" for status in order if (count := progress.count(status))]
    text = f"**{progress.ended:,} of {progress.count():,} runs** · {' · '.join(counts)}"
    if progress.active and (seconds := seconds_left(progress)) is not None:
        text += f" · roughly {duration(seconds)} left"
    st.progress(progress.ended / progress.count(), text)


def seconds_left(progress: TrainingProgress) -> float | None:
    """For all runs of a training; None where it is not known."""

    def images(dataset: str) -> int | None:
        try:
            return len(resources.dataset(dataset, progress.library.own).train_images)
        except DataError:
            return None

    return progress.seconds_left(images, launcher.slots_of(progress.library.own, settings.ray_address()))


def show_running(library: Library, progress: TrainingProgress, run: Run) -> None:
    """How far a run is, with a button that stops it."""
    share = run.step / run.steps if run.steps else 0.0
    epoch = min(run.recipe.epochs, int(share * run.recipe.epochs) + 1)
    where = f" on {escape(run.node)}" if run.node else ""
    text = f"**{progress.name(run)}**{where} · preparing"
    if run.cluster is None and kernel_cache.is_awaited():
        text += " compiled kernels for this processor, once: some ten seconds"
    left = estimate.seconds_left(run)
    if left is not None:
        text = (
            f"**{progress.name(run)}**{where} · epoch {epoch} of {run.recipe.epochs} · "
            f"step {run.step:,} of {run.steps:,} · "
            f"{run.images_per_second:,.0f} images/s · {duration(left)} left"
        )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.progress(share, text)
        stop_button(library, [run.id], f"stop-{run.id}", "Stopping …" if run.stop else "Stop", disabled=run.stop)


def stop_button(library: Library, ids: list[int], key: str, label: str, *, disabled: bool = False) -> None:
    """A button that stops runs; none where nothing may be changed."""
    if settings.read_only():
        return
    if st.button(label, key=key, icon=":material/stop:", disabled=disabled, help="What was trained so far is kept."):
        library.own.request_stop(ids)
        st.rerun()  # Not the fragment alone: the click may come in with a run of the whole page.


def show_queue(library: Library, progress: TrainingProgress) -> None:
    """What waits to be trained."""
    queued = progress.ids(Status.QUEUED)
    with st.container(horizontal=True, vertical_alignment="center"):
        names = ", ".join(
            f"{progress.name(run)} (goes on {where})" if (where := goes_on(library.own, run)) else progress.name(run)
            for run in progress.queued(MAX_ROWS)
        )
        more = f" and {len(queued) - MAX_ROWS:,} more" if len(queued) > MAX_ROWS else ""
        st.markdown(f":material/queue: Queued: {names}{more}")
        if len(queued) == 1:
            stop_button(library, queued, "stop-queued", "Take out")
        stop_button(library, progress.ids(*ACTIVE), "stop-all", "Stop all")


def show_unfinished(library: Library, progress: TrainingProgress) -> None:
    """What was stopped or went wrong."""
    runs = progress.unfinished(MAX_ROWS)
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
            st.caption(f"And {more:,} more that were stopped or went wrong.")
        if len(resumable) > 1:
            resume_button(library, resumable, "resume-all", f"Resume all {len(resumable):,}")


def resume_button(library: Library, ids: list[int], key: str, label: str) -> None:
    """A button that lets runs go on from where they ended; none where nothing may be changed."""
    if settings.read_only():
        return
    if st.button(label, key=key, icon=":material/replay:", help="Goes on from the last finished epoch."):
        try:
            library.own.resume(*ids, cluster=settings.ray_address(), asker=login.asker())
        except TooManyRuns as error:
            st.toast(escape(str(error)), icon=":material/front_hand:")
            return
        launcher.start(library.own)
        st.rerun()


def show_curves(library: Library, progress: TrainingProgress, runs: list[Run]) -> None:
    """Accuracy and loss of runs on the same data."""
    if chart := live_chart.curves(library, runs, progress.factors):
        queued = progress.count(Status.QUEUED)
        which = f"The {MAX_CURVES} newest of the runs. " if progress.count() - queued > MAX_CURVES else ""
        thinned = (
            f" Of a long line at most {MAX_POINTS:,} points are drawn, with the lowest and the highest of each stretch."
        )
        st.caption(
            f"{which}Thin lines: training, the mean since the line's last point. "
            f"Marks: all test images, after each epoch.{thinned if chart.is_thinned else ''}"
        )
    else:
        st.caption("The curves appear with the first steps.")


def show_results(progress: TrainingProgress, runs: list[Run]) -> None:
    """The finished runs of this training."""
    if not runs:
        return
    st.dataframe(
        [
            {
                "run": progress.name(run),
                "accuracy": 100 * run.finished_result.test_accuracy,
                "loss": run.finished_result.test_loss,
                "train": run.finished_result.train_seconds,
                "evaluate": run.finished_result.eval_seconds,
                "trouble": run.trouble,
            }
            for run in runs
        ],
        column_config={
            "run": "Finished",
            "accuracy": st.column_config.NumberColumn("Test accuracy", format="%.2f%%"),
            "loss": st.column_config.NumberColumn("Test loss", format="%.3f"),
            "train": st.column_config.NumberColumn("Training", format="%.1f s"),
            "evaluate": st.column_config.NumberColumn("Evaluation", format="%.2f s"),
            "trouble": st.column_config.TextColumn("Remarks", width="medium"),
        },
        hide_index=True,
        key=f"results-{runs[0].recipe.dataset}",
        alt="; ".join(f"{progress.name(run)} {run.finished_result.test_accuracy:.2%}" for run in runs),
    )
    if (done := progress.count(Status.DONE)) > MAX_RESULTS:
        st.caption(f"The {MAX_RESULTS} that finished last, of {done:,}: Compare shows all of them.")
