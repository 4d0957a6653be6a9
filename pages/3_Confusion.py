"""Confusion: what each model takes for what, and the images behind every cell."""

import numpy as np
import streamlit as st

from fmnist import charts, evaluation, widgets
from fmnist.data import CLASS_NAMES, DataError, Dataset
from fmnist.library import Library, default_groups
from fmnist.models import ARCHITECTURES
from fmnist.store import Run

MOST_RUNS = 3
MOST_IMAGES = 48
LISTED_PAIRS = 5


def show(shelf: Library) -> None:
    dataset, sources = widgets.choose_scope(shelf, both=True)
    runs = choose_runs(shelf, dataset, sources)
    if not runs:
        return
    try:
        images = widgets.dataset(dataset, shelf.own)
    except DataError as error:
        st.markdown("A confusion matrix needs the test set's labels and images.")
        widgets.offer_data(shelf.own, error)
        return
    predictions = {run.address: shelf.predictions(run) for run in runs}
    matrices = {address: evaluation.confusion_matrix(images.test_labels, said) for address, said in predictions.items()}
    st.markdown(f"#### {summary(runs, matrices)}")
    widgets.say_where_from(
        dataset, [group for group in shelf.groups(dataset) if any(run.address in predictions for run in group.runs)]
    )
    as_shares = (
        st.segmented_control(
            "Cells say",
            ["counts", "shares"],
            default="counts",
            required=True,
            key="cells",
            bind="query-params",
            format_func={"counts": "Images", "shares": "Share of the true class"}.get,
        )
        == "shares"
    )
    above = st.container()  # The matrices mark the cell that is chosen below them.
    st.caption(
        "Rows are the true class, columns the predicted one; "
        f"{'lighter' if widgets.is_dark() else 'darker'} is a larger share of the true class, "
        "on one scale for all. Click a cell to see its images, or choose it here:"
    )
    cell, chosen = choose_cell(runs)
    for column, run in zip(above.columns(len(runs)), runs, strict=True):
        with column:
            show_matrix(run, matrices[run.address], as_shares, cell)
    if cell:
        show_images(chosen, cell, runs, images, predictions)


def choose_runs(shelf: Library, dataset: str, sources: tuple[str, ...]) -> list[Run]:
    groups = shelf.groups(dataset, *sources)
    if not groups:
        widgets.nothing_trained()
        return []
    known = {run.address: run for group in groups for run in group.runs}
    titles = {run.address: f"{group.title}, seed {run.recipe.seed}" for group in groups for run in group.runs}
    default = [group.runs[0].address for group in default_groups(groups)][:MOST_RUNS]
    chosen = st.multiselect(
        "Runs",
        list(known),
        default=default,
        max_selections=MOST_RUNS,
        key=f"runs-{dataset}-{'-'.join(sources)}",
        format_func=titles.get,
        bind="query-params",
        placeholder="Choose up to three runs",
    )
    if not chosen:
        st.info("Choose a run to see its confusion matrix.", icon=":material/grid_on:")
    return [known[address] for address in chosen]


def summary(runs: list[Run], matrices: dict[str, np.ndarray]) -> str:
    """The worst confusion of the most accurate run, in a sentence."""
    best = max(runs, key=lambda run: np.trace(matrices[run.address]))
    pairs = evaluation.most_confused(matrices[best.address], 1)
    if not pairs:
        return f"{best.name} makes no error."
    true, predicted, count = pairs[0]
    return (
        f"**{best.name}** most often takes **{CLASS_NAMES[true]}** for **{CLASS_NAMES[predicted]}**: "
        f"{count:,} of {matrices[best.address][true].sum():,} images."
    )


def choose_cell(runs: list[Run]) -> tuple[tuple[int, int] | None, Run]:
    """The cell that was clicked, is in the address, or is chosen here, as (true, predicted); and of which run."""
    left, middle, right = st.columns(3)
    true = left.selectbox("True class", CLASS_NAMES, index=None, key="true", bind="query-params")
    said = middle.selectbox("Predicted class", CLASS_NAMES, index=None, key="predicted", bind="query-params")
    by_address = {run.address: run for run in runs}
    address = right.selectbox("Of", list(by_address), format_func=lambda address: by_address[address].name, key="of")
    cell = (CLASS_NAMES.index(true), CLASS_NAMES.index(said)) if true and said else None
    return cell, by_address[address]


def show_matrix(run: Run, matrix: np.ndarray, as_shares: bool, cell: tuple[int, int] | None) -> None:
    correct, total = int(np.trace(matrix)), int(matrix.sum())
    st.markdown(f"**{run.name}** · {correct / total:.2%} right")
    pairs = evaluation.most_confused(matrix, LISTED_PAIRS)
    in_words = [f"{CLASS_NAMES[true]} taken for {CLASS_NAMES[said]}: {count}" for true, said, count in pairs]

    def pick() -> None:
        points = st.session_state[f"matrix-{run.address}"].selection.points
        if points:  # Clicking the same cell again sends an empty selection: the cell stays chosen.
            row, column = points[0]["customdata"]
            st.session_state["true"], st.session_state["predicted"] = CLASS_NAMES[row], CLASS_NAMES[column]
            st.session_state["of"] = run.address

    st.plotly_chart(
        charts.confusion(matrix, evaluation.row_shares(matrix), as_shares=as_shares, cell=cell, dark=widgets.is_dark()),
        key=f"matrix-{run.address}",
        on_select=pick,
        selection_mode="points",
        config={"displayModeBar": False},
        alt=f"Confusion matrix of {run.name}. " + "; ".join(in_words),
    )
    if trouble := widgets.trouble(run):
        st.caption(f":orange[:material/warning: {trouble}]")
    with st.expander("Most confused"):
        st.markdown("\n".join(f"- {line}" for line in in_words) or "Nothing is confused.")


def show_images(
    chosen: Run, cell: tuple[int, int], runs: list[Run], images: Dataset, predictions: dict[str, np.ndarray]
) -> None:
    """The test images of a cell of the chosen run, with what each run said."""
    row, column = cell
    true, said = CLASS_NAMES[row], CLASS_NAMES[column]
    found = np.flatnonzero((images.test_labels == row) & (predictions[chosen.address] == column))
    what = f"**{true}** taken for **{said}**" if row != column else f"**{true}** recognised"
    st.markdown(
        f"{chosen.name}: {what}, {len(found):,} {'image' if len(found) == 1 else 'images'}"
        f"{f'; the first {MOST_IMAGES}' if len(found) > MOST_IMAGES else ''}."
    )
    if not len(found):
        return
    shown = found[:MOST_IMAGES]
    captions = [
        f"#{index}\n" + "\n".join(say(run, predictions[run.address][index], row) for run in runs) for index in shown
    ]
    widgets.image_tiles(images.test_images[shown], captions)


def say(run: Run, label: int, true: int) -> str:
    mark = "✓" if label == true else "✗"
    return f"{mark} {ARCHITECTURES[run.recipe.model].name}: {CLASS_NAMES[label]}"


with widgets.page("Confusion", "What do they mix up?"):
    show(widgets.library())
