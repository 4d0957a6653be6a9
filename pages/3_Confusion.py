"""Confusion: what each model takes for what, the images behind every cell, and who is right where."""

import streamlit as st

from fmnist.data.files import DataError
from fmnist.store.library import Library
from fmnist.ui import resources
from fmnist.ui.confusion_items import answers_of, choose_items
from fmnist.ui.confusion_matrices import show_matrices, summary
from fmnist.ui.confusion_patterns import show_patterns
from fmnist.ui.data_download import offer_data
from fmnist.ui.page import page
from fmnist.ui.scope import choose_scope, nothing_trained, say_where_from


def show(library: Library) -> None:
    dataset, sources = choose_scope(library, both=True)
    groups = library.groups(dataset, *sources)
    if not groups:
        nothing_trained()
        return
    try:
        images = resources.test_set(dataset, library.own)
    except DataError as error:
        st.markdown("A confusion matrix needs the test set's labels and images.")
        offer_data(library.own, dataset, error)
        return
    answer = st.container()  # What is found stands above what is chosen.
    items = choose_items(library, groups, f"runs-{dataset}-{'-'.join(sources)}")
    if not items:
        st.info("Choose a run to see its confusion matrix.", icon=":material/grid_on:")
        return
    shown = answers_of(library, items, images)
    if not shown:
        return
    answer.markdown(f"#### {summary(shown)}")
    with answer:
        say_where_from(dataset, [answers.item.group for answers in shown])
    side_by_side, patterns = st.tabs(["Matrices", "Who is right where"], key="view", bind="query-params")
    if side_by_side.open:  # Only the open one is worked out.
        with side_by_side:
            show_matrices(library, shown, images)
    if patterns.open:
        with patterns:
            show_patterns(library, shown, groups, images)


with page("Confusion", "What do they mix up?"):
    show(resources.open_library())
