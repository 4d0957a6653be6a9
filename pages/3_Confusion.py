"""Confusion: what each model takes for what, the images behind every cell, and who is right where."""

import streamlit as st

from fmnist.compare import next_steps
from fmnist.compare.confusion import Answers
from fmnist.data.files import DataError, TestSet
from fmnist.store.library import Library, default_groups
from fmnist.ui import next_step, resources
from fmnist.ui.confusion_cells import Cell, images_of
from fmnist.ui.confusion_items import PATTERNS, answers_of, choose_items, key_of_items
from fmnist.ui.confusion_matrices import show_matrices, summary, worst_of_any
from fmnist.ui.confusion_patterns import show_patterns
from fmnist.ui.data_download import offer_data
from fmnist.ui.page import page
from fmnist.ui.possible_wrong_labels import SUSPECTS, show_suspects
from fmnist.ui.scope import choose_scope, nothing_trained, say_where_from


def show(library: Library) -> None:
    dataset, sources = choose_scope(library, both=True)
    groups = library.groups(dataset, *sources)
    if not groups:
        nothing_trained(library.trials(dataset, *sources))
        return
    try:
        images = resources.test_set(dataset, library.own)
    except DataError as error:
        st.markdown("A confusion matrix needs the test set's labels and images.")
        offer_data(library.own, dataset, error)
        return
    answer = st.container()  # What is found stands above what is chosen.
    items = choose_items(library, groups, key_of_items(dataset, sources))
    if not items:
        st.info("Choose a run to see its confusion matrix.", icon=":material/grid_on:")
        return
    shown = answers_of(library, items, images)
    if not shown:
        return
    answer.markdown(f"## {summary(shown)}")
    with answer:
        say_where_from(dataset, [answers.item.group for answers in shown])
    if st.query_params.get("pattern") in ("suspects", SUSPECTS):  # In addresses of earlier versions.
        del st.query_params["pattern"]
        st.query_params["view"] = SUSPECTS
        st.rerun()
    side_by_side, patterns, suspects = st.tabs(["Matrices", PATTERNS, SUSPECTS], key="view", bind="query-params")
    seen: tuple[Answers, Cell] | None = None
    if side_by_side.open:  # Only the open one is worked out.
        with side_by_side:
            seen = show_matrices(library, shown, images)
    if patterns.open:
        with patterns:
            show_patterns(library, shown, images)
    if suspects.open:
        with suspects:
            show_suspects(library, default_groups(groups), images)
    lead_on(library, seen, shown, images)


def lead_on(library: Library, seen: tuple[Answers, Cell] | None, shown: list[Answers], images: TestSet) -> None:
    """The last line: to an image of the cell that is open, or else of the worst one; where nothing is mixed up, to the
    drawing pad."""
    for answers, cell in filter(None, (seen, worst_of_any(shown))):
        if len(found := images_of(library, answers, cell, images)):
            image = int(found[0])
            next_step.show(
                "Predict",
                next_steps.about_image(answers, cell, image),
                {"how": "Test image", "index": str(image)},
            )
            return
    next_step.show("Predict", "Nothing is mixed up here: draw something yourself.")


with page("Confusion", "What do the models mix up?"):
    show(resources.open_library())
