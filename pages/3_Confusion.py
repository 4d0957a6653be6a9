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
CELLS = {"counts": "Images", "shares": "Share of the true class", "difference": "Difference"}


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
    answers = {
        run.address: shelf.remember(("answers", run.address), lambda: answers_of(shelf, run, images))  # noqa: B023
        for run in runs
    }
    predictions = {address: said for address, (said, _) in answers.items()}
    matrices = {address: matrix for address, (_, matrix) in answers.items()}
    st.markdown(f"#### {summary(runs, matrices)}")
    widgets.say_where_from(
        dataset, [group for group in shelf.groups(dataset) if any(run.address in predictions for run in group.runs)]
    )
    cells = st.segmented_control(
        "Cells say",
        list(CELLS) if len(runs) > 1 else list(CELLS)[:2],
        default="counts",
        required=True,
        key="cells",
        bind="query-params",
        format_func=CELLS.get,
    )
    if cells == "difference":
        show_difference(shelf, runs, images, predictions, matrices)
        return
    as_shares = cells == "shares"
    above = st.container()  # The matrices mark the cell that is chosen below them.
    st.caption(
        "Rows are the true class, columns the predicted one; "
        f"{'lighter' if widgets.is_dark() else 'darker'} is a larger share of the true class, "
        "on one scale for all. Click a cell to see its images, or choose it here:"
    )
    cell, chosen = choose_cell(runs)
    for column, run in zip(above.columns(len(runs)), runs, strict=True):
        with column:
            show_matrix(shelf, run, matrices[run.address], as_shares, cell)
    if cell:
        show_images(shelf, chosen, cell, runs, images, predictions)


def show_difference(
    shelf: Library,
    runs: list[Run],
    images: Dataset,
    predictions: dict[str, np.ndarray],
    matrices: dict[str, np.ndarray],
) -> None:
    """What the second of two runs does otherwise than the first, cell by cell and image by image."""
    names = {run.address: run.name for run in runs}
    left, right = st.columns(2)
    before = left.selectbox("From", list(names), format_func=names.get, key="from")
    after = right.selectbox(
        "To", [address for address in names if address != before], format_func=names.get, key="to", index=0
    )
    change = matrices[after] - matrices[before]
    gained = int(np.trace(change))
    verb = f"{abs(gained):,} {'more' if gained > 0 else 'fewer'} images" if gained else "as many images"
    st.markdown(f"**{names[after]}** recognises {verb} {'than' if gained else 'as'} **{names[before]}**.")
    place = st.container()
    st.caption(
        "Blue: more images in this cell than before, orange: fewer. On the diagonal more is better, beside it fewer. "
        "Click a cell to see which images changed, or choose it here:"
    )
    one, two = st.columns(2)
    true = one.selectbox("True class", CLASS_NAMES, index=None, key="true", bind="query-params")
    said = two.selectbox("Predicted class", CLASS_NAMES, index=None, key="predicted", bind="query-params")
    cell = (CLASS_NAMES.index(true), CLASS_NAMES.index(said)) if true and said else None
    largest = np.unravel_index(np.argsort(-np.abs(change), axis=None)[:LISTED_PAIRS], change.shape)
    in_words = [
        f"{CLASS_NAMES[row]} predicted as {CLASS_NAMES[column]}: {change[row, column]:+,}"
        for row, column in zip(*largest, strict=True)
        if change[row, column]
    ]

    def pick() -> None:
        points = st.session_state["difference"].selection.points
        if points:
            row, column = points[0]["customdata"]
            st.session_state["true"], st.session_state["predicted"] = CLASS_NAMES[row], CLASS_NAMES[column]

    dark = widgets.is_dark()
    place.plotly_chart(
        shelf.remember(
            ("difference", before, after, cell, dark),
            lambda: charts.confusion_difference(change, cell=cell, dark=dark),
        ),
        key="difference",
        on_select=pick,
        selection_mode="points",
        config={"displayModeBar": False},
        alt=f"Confusion matrix of {names[after]} minus that of {names[before]}. " + "; ".join(in_words),
    )
    if cell:
        show_flips(shelf, [run for run in runs if run.address in (before, after)], (before, after), cell, images)


def show_flips(shelf: Library, runs: list[Run], order: tuple[str, str], cell: tuple[int, int], images: Dataset) -> None:
    """The images of a cell that changed from one run to the other, and those that did not."""
    by_address = {run.address: run for run in runs}
    before, after = (by_address[address] for address in order)
    said = {run.address: shelf.predictions(run) for run in runs}
    parts = evaluation.flips(images.test_labels, said[before.address], said[after.address], cell)
    alike = "Recognised by both" if cell[0] == cell[1] else "Wrong alike"
    words = {
        "fixed": f"Put right by {after.name}",
        "broken": f"Broken by {after.name}",
        "alike": alike,
        "moved": "Wrong in both, otherwise",
    }
    shown = {name: part for name, part in parts.items() if len(part) or name != "moved"}
    tabs = st.tabs([f"{words[name]} ({len(part):,})" for name, part in shown.items()])
    for tab, (name, part) in zip(tabs, shown.items(), strict=True):
        with tab:
            if not len(part):
                st.caption("No image.")
                continue
            judge = after if name == "broken" else before
            ranked = evaluation.surest_first(part, shelf.logits(judge), cell[1])
            show_tiles(shelf, ranked, [before, after], images)


def answers_of(shelf: Library, run: Run, images: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """A run's predicted test labels, uint8 (N,), and its confusion matrix."""
    predictions = shelf.predictions(run)
    return predictions, evaluation.confusion_matrix(images.test_labels, predictions)


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


def show_matrix(shelf: Library, run: Run, matrix: np.ndarray, as_shares: bool, cell: tuple[int, int] | None) -> None:
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

    look = {"as_shares": as_shares, "cell": cell, "dark": widgets.is_dark()}
    st.plotly_chart(
        shelf.remember(
            ("matrix", run.address, *look.values()),
            lambda: charts.confusion(matrix, evaluation.row_shares(matrix), **look),
        ),
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
    shelf: Library,
    chosen: Run,
    cell: tuple[int, int],
    runs: list[Run],
    images: Dataset,
    predictions: dict[str, np.ndarray],
) -> None:
    """The test images of a cell of the chosen run, the surest answers first, with what each run said."""
    row, column = cell
    true, said = CLASS_NAMES[row], CLASS_NAMES[column]
    found = np.flatnonzero((images.test_labels == row) & (predictions[chosen.address] == column))
    what = f"**{true}** taken for **{said}**" if row != column else f"**{true}** recognised"
    st.markdown(f"{chosen.name}: {what}, {len(found):,} {'image' if len(found) == 1 else 'images'}, the surest first.")
    if len(found):
        show_tiles(shelf, evaluation.surest_first(found, shelf.logits(chosen), column), runs, images)


def show_tiles(shelf: Library, found: np.ndarray, runs: list[Run], images: Dataset) -> None:
    """Test images with each run's answer and its probability."""
    if len(found) > MOST_IMAGES:
        st.caption(f"The first {MOST_IMAGES}.")
    shown = found[:MOST_IMAGES]
    probabilities = [evaluation.softmax(shelf.logits(run)[shown]) for run in runs]
    captions = [
        f"#{index}\n"
        + "\n".join(
            say(run, row[place], images.test_labels[index]) for run, row in zip(runs, probabilities, strict=True)
        )
        for place, index in enumerate(shown)
    ]
    widgets.image_tiles(images.test_images[shown], captions)


def say(run: Run, probabilities: np.ndarray, true: int) -> str:
    """A run's answer to an image: "✓ Model 0: Shirt 93 %"."""
    label = int(np.argmax(probabilities))
    mark = "✓" if label == true else "✗"
    return f"{mark} {ARCHITECTURES[run.recipe.model].name}: {CLASS_NAMES[label]} {probabilities[label]:.0%}"


with widgets.page("Confusion", "What do they mix up?"):
    show(widgets.library())
