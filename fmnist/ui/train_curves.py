"""What is seen of a training: the answers to a dozen images, the curves, and beside these Model 0's weights."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from fmnist.compare.pixel_weights import LINEAR
from fmnist.compare.thinning import MAX_POINTS
from fmnist.recipe import measured_on
from fmnist.store.library import Library
from fmnist.store.run import Run, Status
from fmnist.training.progress import TrainingProgress
from fmnist.ui import answer_strip, live_chart, weight_pictures
from fmnist.ui.live_chart import MAX_CURVES

MAX_ANSWERING = 4  # More models can't be told apart at a glance.


def show(library: Library, progress: TrainingProgress, runs: Sequence[Run]) -> None:
    """All of it, of some runs on the same data."""
    dataset = runs[0].recipe.dataset
    # One that holds out images answers nothing about the test images before its end.
    firsts = [run for run in progress.first_ones(dataset, MAX_ANSWERING) if not run.recipe.validation]
    answer_strip.show(library, firsts, [progress.shared_name(run) for run in firsts])
    linear = {id for id, recipe in progress.recipes.items() if (recipe.model, recipe.dataset) == (LINEAR, dataset)}
    if not linear:
        _show_curves(library, progress, runs)
        return
    # Of the whole training, so that the curves are not taken down when Model 0's turn comes.
    curves, weights = st.tabs(["Curves", "Weights of Model 0"], key=f"seen-{dataset}", on_change="rerun")
    with curves:
        _show_curves(library, progress, runs)
    if weights.open:
        with weights:
            begun = [run for run in [*firsts, *runs] if run.id in linear and run.status != Status.QUEUED]
            weight_pictures.show(library, begun[0] if begun else None, progress.name)


def _show_curves(library: Library, progress: TrainingProgress, runs: Sequence[Run]) -> None:
    """Accuracy and loss."""
    chart = live_chart.curves(library, runs, progress.factors)
    if chart is None:
        st.caption("The curves appear with the first steps.")
        return
    several = progress.count() - progress.count(Status.QUEUED) > MAX_CURVES
    which = f"The {MAX_CURVES} newest runs. " if several else ""
    images = measured_on(run.recipe for run in runs)
    thinned = f" Long lines are drawn with at most {MAX_POINTS:,} points, the lowest and the highest of each stretch."
    st.caption(
        f"{which}Thin lines: training images (average since the previous point). Marks: all {images} images, after "
        f"each epoch. Double-click the accuracy chart to see all of it.{thinned if chart.is_thinned else ''}"
    )
