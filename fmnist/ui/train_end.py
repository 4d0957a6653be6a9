"""What came out of the last training: a card with what to look at next, and the figures of each run."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from fmnist.compare import confirmation, next_steps
from fmnist.compare.outcome import outcomes
from fmnist.compare.sentences import say_share
from fmnist.data.catalog import DATASETS
from fmnist.data.files import DataError
from fmnist.recipe import measured_on
from fmnist.store.library import Group, Library
from fmnist.store.run import Run
from fmnist.training.estimate import duration
from fmnist.training.progress import TrainingProgress
from fmnist.ui import next_step, resources
from fmnist.ui.scope import MAX_COMPARED, key_of_groups
from fmnist.words import digits, moment

MAX_RESULTS = 50
MAX_NAMED = 6  # Of the finished runs in a line, while others are trained.


def took(seconds: float) -> str:
    """How long something took: "0.449 s", "1.36 s", "3 min"."""
    return f"{digits(seconds)} s" if seconds < 90 else duration(seconds)


def show_heading(progress: TrainingProgress) -> None:
    """What was trained, how, and when it ended."""
    st.header("Last training", anchor=False)
    for dataset in DATASETS:
        if any(recipe.dataset == dataset for recipe in progress.recipes.values()):
            when = f" · ended {moment(progress.ended_at)}" if progress.ended_at else ""
            st.caption(f"{DATASETS[dataset].title} · {progress.describe(dataset)}{when}")


def show_card(library: Library, progress: TrainingProgress, runs: Sequence[Run]) -> None:
    """What came out, and where to look next.

    Args:
        runs: the finished ones on one data set.
    """
    if not runs:
        return
    dataset = runs[0].recipe.dataset
    with st.container(border=True, key=f"outcome-{dataset}"):
        st.markdown("\n\n".join(outcomes(library, runs, lambda run: progress.shared_name(run, full=True), took)))
        try:
            labels = resources.test_set(dataset, library.own).test_labels
        except DataError:  # Then Confusion has no images to show.
            return
        tested = _groups(library, [run for run in runs if not run.recipe.validation])
        if tested and (found := next_steps.to_look_into(library, tested, labels)):
            next_step.show_mix_up(found, ["own"], key=f"next-step-{dataset}")


def _groups(library: Library, runs: Sequence[Run]) -> list[Group]:
    """The groups, measured on the test images, of finished runs on a data set to which these runs belong."""
    trained = {run.id for run in runs}
    groups = library.groups(runs[0].recipe.dataset, "own") if runs else []
    return [group for group in groups if any(run.id in trained for run in group.runs)]


def show_results(progress: TrainingProgress, dataset: str) -> None:
    """The results of the finished runs: while others are trained their accuracies, then all figures in an expander that
    opens on demand, since this is drawn anew for each viewer of a training, up to twice a second."""
    newest = progress.results(MAX_NAMED, dataset)
    if not newest:
        return
    if progress.active:
        named = ", ".join(
            f"{progress.name(run)} **{say_share(run.finished_result.accuracy_to_choose_by)}**" for run in newest
        )
        st.markdown(f"Finished last: {named}" if len(newest) == MAX_NAMED else f"Finished: {named}")
    part = st.expander(
        "Results of each run", icon=":material/table_rows:", key=f"results-of-{dataset}", on_change="rerun"
    )
    if part.open:
        with part:
            _show_table(progress, progress.results(MAX_RESULTS, dataset))


def _show_table(progress: TrainingProgress, runs: list[Run]) -> None:
    images = measured_on(run.recipe for run in runs).capitalize()
    st.dataframe(
        [
            {
                "run": progress.name(run),
                "accuracy": 100 * run.finished_result.accuracy_to_choose_by,
                "loss": run.finished_result.loss_to_choose_by,
                "train": run.finished_result.train_seconds,
                "evaluate": run.finished_result.eval_seconds,
                "trouble": run.trouble,
            }
            for run in runs
        ],
        column_config={
            "run": "Finished",
            "accuracy": st.column_config.NumberColumn(f"{images} accuracy", format="%.2f%%"),
            "loss": st.column_config.NumberColumn(f"{images} loss", format="%.3f"),
            "train": st.column_config.NumberColumn("Training", format="%.1f s"),
            "evaluate": st.column_config.NumberColumn("Evaluation", format="%.2f s"),
            "trouble": st.column_config.TextColumn("Remarks", width="medium"),
        },
        hide_index=True,
        key=f"results-{runs[0].recipe.dataset}",
        alt="; ".join(f"{progress.name(run)} {run.finished_result.accuracy_to_choose_by:.2%}" for run in runs),
    )
    if (done := len(progress.all_results(runs[0].recipe.dataset))) > MAX_RESULTS:
        st.caption(f"The {MAX_RESULTS} that finished last, of {done:,}: Compare shows all of them.")


def lead_on(library: Library, progress: TrainingProgress) -> None:
    """The last line of the page: to Compare, with what was just trained."""
    results = progress.results(MAX_RESULTS)
    if not results:
        next_step.show("Compare", "See how the finished runs compare.")
        return
    dataset = results[0].recipe.dataset
    runs = [run for run in results if run.recipe.dataset == dataset]
    runs = [run for run in runs if run.recipe.validation] or runs  # By test images they are not compared.
    groups = _groups(library, runs)
    chosen: dict[str, str | Sequence[str]] = {"data": dataset, "source": "own"}
    if not all(map(confirmation.chosen_by, runs)):
        next_step.show("Compare", "See how good the chosen setting is.", chosen | {"tab": "Sweep"})
        return
    if any(run.recipe.validation for run in runs):
        chosen["images"] = "held-out"
    elif groups:
        chosen[key_of_groups(groups)] = [group.key for group in groups[:MAX_COMPARED]]
    next_step.show("Compare", next_steps.after_training(runs, progress.name), chosen)
