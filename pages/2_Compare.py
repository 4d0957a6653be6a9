"""Compare: accuracy, time and size of runs side by side."""

from collections.abc import Callable

import streamlit as st

from fmnist.compare import next_steps
from fmnist.compare.best_recipes import BEST
from fmnist.compare.comparison import Comparison
from fmnist.compare.sweep import find_sweep
from fmnist.data.catalog import DEFAULT
from fmnist.data.files import DataError
from fmnist.store.library import Library
from fmnist.ui import next_step, resources
from fmnist.ui.compare_accuracy import show_accuracy
from fmnist.ui.compare_best import show_best
from fmnist.ui.compare_certainty import show_certainty
from fmnist.ui.compare_confidence import show_confidence
from fmnist.ui.compare_cost import show_cost
from fmnist.ui.compare_diagnosis import show_unhealthy_runs
from fmnist.ui.compare_learning import show_learning
from fmnist.ui.compare_sweep import MAX_BEST, show_sweep
from fmnist.ui.compare_tables import show_classes, show_table
from fmnist.ui.data_download import offer_data
from fmnist.ui.mirrored_shoes import TAB
from fmnist.ui.page import explained, page
from fmnist.ui.scope import MAX_COMPARED, choose_groups, choose_images, choose_scope, say_where_from


def show(library: Library) -> None:
    dataset, sources = choose_scope(library, both=True)
    swept = find_sweep(library, dataset, *sources)
    every = choose_images(library.groups(dataset, *sources), library.trials(dataset, *sources))
    held_out = bool(every) and every[0].recipe.validation > 0
    is_swept = swept is not None and swept.held_out == held_out
    groups = choose_groups(every, MAX_COMPARED, swept.best(MAX_BEST) if swept and is_swept and held_out else ())
    if not groups:
        return
    missing, labels = None, None
    try:
        labels = resources.test_set(dataset, library.own).test_labels
    except DataError as error:
        missing = error
    with_images = labels is not None and not held_out  # Of trials nothing reads the test images.
    compared = Comparison(library, groups, labels)
    verdict, *details = [swept.answer(), swept.standing()] if swept and is_swept and held_out else compared.conclusion
    st.markdown(f"## {verdict}")
    if details:
        st.markdown(" ".join(details))
    if swept and is_swept and len(groups) < len(every):
        ranked = "all" if len(swept.groups) == len(every) else f"{len(swept.groups):,}"  # Others only confirm a choice.
        st.caption(
            f":material/grid_view: {len(groups)} of {len(every):,} settings are compared here; the tab **Sweep** ranks "
            f"{ranked} of them."
        )
    say_where_from(dataset, groups)
    show_accuracy(library, compared, with_images=with_images)
    # A tab, and whether it looks at single test images, for which the data are needed.
    tabs: dict[str, tuple[Callable[[Library, Comparison], None], bool]] = {
        "Differences": (show_certainty, True),
        "Learning": (show_learning, False),
        "Time and size": (show_cost, False),
        "Confidence": (show_confidence, True),
        "Classes": (show_classes, True),
        "What went wrong": (show_unhealthy_runs, not held_out),
        "Table": (show_table, False),
    }
    if compared.info.id == DEFAULT and not held_out and BEST.exists():
        tabs[TAB] = (lambda library, _: show_best(library), False)
    if swept:
        tabs["Sweep"] = (lambda library, _: show_sweep(library, swept, is_said=held_out), False)
    if held_out:  # The sweep first: it is what they were trained for.
        tabs = {name: tabs[name] for name in sorted(tabs, key="Sweep".__ne__) if not tabs[name][1]}
    for tab, (content, looks_at_images) in zip(
        st.tabs(list(tabs), key="tab", bind="query-params"), tabs.values(), strict=True
    ):
        if tab.open:  # Only the open one is worked out.
            with tab, explained():
                if looks_at_images and missing:
                    offer_data(library.own, compared.info.id, missing)
                else:
                    content(library, compared)
    if held_out:
        next_step.show("Train", "Try further settings: several values of a recipe make a sweep.")
    elif labels is None:
        next_step.show("Confusion", "See what the models mix up.")
    elif found := next_steps.to_look_into(library, groups, labels):
        next_step.show_mix_up(found, sources)
    else:
        next_step.show("Predict", "The models make no mistakes on the test images: draw something yourself.")


with page("Compare", "How do the models compare?"):
    show(resources.open_library())
