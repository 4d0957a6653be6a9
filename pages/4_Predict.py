"""Predict: draw, upload, photograph or pick an image, and see what every model makes of it."""

import streamlit as st

from fmnist.data.catalog import SAMPLE
from fmnist.store.library import Library, default_groups
from fmnist.ui import predict_answers, predict_examples, resources
from fmnist.ui.address import settle_one
from fmnist.ui.page import page
from fmnist.ui.predict_pictures import SOURCES, is_kept
from fmnist.ui.scope import choose_scope, nothing_trained, say_where_from


def show(library: Library) -> None:
    dataset, sources = choose_scope(library)
    groups = default_groups(library.groups(dataset, *sources))
    if not groups:
        nothing_trained(library.trials(dataset, *sources))
        return
    if dataset == SAMPLE:  # This has to be known before anything else; where the runs come from, has not.
        say_where_from(dataset, groups)
    settle_one("how", {source: [source] for source in SOURCES}, "Draw", kept=st.session_state.get("source-kept"))
    how = st.segmented_control("Image", list(SOURCES), required=True, key="how", label_visibility="collapsed")
    assert how is not None  # As one is required.
    left, right = st.columns([2, 3], gap="large")
    with left:
        picked = SOURCES[how](library, dataset, groups, right)
    st.session_state["source-kept"] = how if is_kept(how) else None  # Who comes back finds what was there.
    with right:
        if picked.picture is None:
            if not picked.tabled:
                st.markdown("## The models' answers appear here.")
            predict_examples.offer(library, dataset, groups)
            if how == "Draw":
                predict_answers.show_example(library, dataset, groups)
            predict_answers.lead_on(dataset, groups, [], None)
        else:
            predict_answers.show(library, dataset, groups, picked)
            predict_examples.offer(library, dataset, groups)


with page("Predict", "Try it: what do the models see?", charts=False):
    show(resources.open_library())
