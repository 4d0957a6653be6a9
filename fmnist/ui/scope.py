"""What a page shows: whose runs, on which data, and which of them are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from fmnist import settings
from fmnist.data.catalog import DATASETS, DEFAULT, SAMPLE
from fmnist.store.library import SOURCES, Group, Library, default_groups, side_by_side, with_reference
from fmnist.ui.address import names_of, settle_one, settle_some
from fmnist.ui.links import PAGES
from fmnist.words import escape

MAX_COMPARED = 8
"""Groups that Compare shows at once."""


def choose_scope(library: Library, *, both: bool = False) -> tuple[str, tuple[str, ...]]:
    """Which data set and whose runs a page shows; asked only where there is a choice.

    Two data sets never stand in one picture.

    Args:
        both: whether own and reference runs can be shown together.

    Returns:
        The data set's name, and the sources.
    """
    finished = library.sources()
    datasets = list(finished) or [DEFAULT]
    with st.container(horizontal=True, gap="medium"):
        dataset = datasets[0]
        if len(datasets) > 1:
            dataset = _choose_for_all_pages("Data", datasets, "data", lambda name: DATASETS[name].title)
        sources = finished.get(dataset, [])
        source = sources[0] if sources else "own"
        if len(sources) > 1:
            options = [*sources, "both"] if both else sources
            source = _choose_for_all_pages("Runs", options, "source", lambda name: SOURCES.get(name, "Both"))
    return dataset, tuple(SOURCES) if source == "both" else (source,)


def _choose_for_all_pages(label: str, options: Sequence[str], key: str, names: Callable[[str], str]) -> str:
    """A choice that holds on the next page too, and stands in the address of each."""
    known = {option: [option, names(option)] for option in options}  # Not every page has every option.
    settle_one(key, known, options[0], st.session_state.get(f"chosen-{key}"))
    chosen = st.segmented_control(label, options, format_func=names, required=True, wrap=True, key=key)
    assert chosen is not None, "it is required"
    st.session_state[f"chosen-{key}"] = chosen
    return chosen


def say_where_from(dataset: str, groups: Sequence[Group]) -> None:
    """Mark what is not the user's own result on FashionMNIST."""
    if dataset == SAMPLE:
        st.warning(
            "**This is not FashionMNIST** but generated sample data: these figures say nothing about the real images.",
            icon=":material/science:",
        )
    reference = next((group for group in groups if group.source == "reference"), None)
    if reference:
        run = reference.runs[0]
        alone = all(group.source == "reference" for group in groups)
        come = ": these results come with the project. The models" if alone else " come with the project. They"
        st.caption(
            f":material/bookmark: **Reference runs**{come} were trained with {reference.recipe.describe()} "
            f"on {escape(run.machine or '?')} (PyTorch {escape(run.versions.get('torch', '?'))})."
        )


def nothing_trained(trials: Sequence[Group] = ()) -> None:
    """Say that there is nothing to show, and where to train.

    Args:
        trials: those that there are.
    """
    if trials:
        then = "" if settings.read_only() else " Confirm the best setting there to see it here."
        st.info(
            f"All runs on these data hold out images, to choose a setting by: only Compare compares them.{then}",
            icon=":material/info:",
        )
        st.page_link(PAGES["Compare"], label="See the settings", icon=":material/balance:")
        return
    st.info("Nothing has been trained on these data yet.", icon=":material/info:")
    if not settings.read_only():
        st.page_link(PAGES["Train"], label="Train the three models", icon=":material/play_circle:")


def key_of_groups(groups: Sequence[Group]) -> str:
    """Of the widget that chooses from these groups."""
    source = "both" if _of_both(groups) else groups[0].source
    return f"groups-{groups[0].recipe.dataset}-{source}" + ("-held-out" if groups[0].recipe.validation else "")


def _of_both(groups: Sequence[Group]) -> bool:
    return len({group.source for group in groups}) > 1


def choose_images(tested: list[Group], trials: list[Group]) -> list[Group]:
    """Those of one kind, which alone can be compared: measured on the test images, or on held-out ones. It is asked
    only where there are both."""
    if not (tested and trials):
        return tested or trials
    known = {"test": ["test"], "held-out": ["held-out"]}
    settle_one("images", known, "test")
    names = {"test": "Test images", "held-out": "Held-out images, to choose by"}
    st.segmented_control("Accuracy on", list(names), format_func=names.__getitem__, required=True, key="images")
    return trials if st.session_state["images"] == "held-out" else tested


def choose_groups(groups: list[Group], most: int, first: Sequence[str] = ()) -> list[Group]:
    """The groups to be compared.

    Args:
        most: how many can be.
        first: the ids of those that are compared before anybody chooses. Default: one for each model, of both sources
            one each, side by side.
    """
    if not groups:
        nothing_trained()
        return []
    known = {group.id: group for group in groups}
    both = _of_both(groups)
    settle_some(
        key_of_groups(groups),
        {id: names_of(group.key, group.title, group.recipe.learning_rate) for id, group in known.items()},
        (first or [group.id for group in (with_reference(groups) if both else default_groups(groups))])[:most],
        most,
        former=f"groups-{groups[0].recipe.dataset}-own" if both else "",
    )
    chosen = st.multiselect(
        "Compared",
        list(known),
        max_selections=most,
        format_func=lambda id: known[id].title,
        key=key_of_groups(groups),
        placeholder="Choose what to compare",
    )
    if not chosen:
        st.info("Choose at least one to see its results.", icon=":material/balance:")
    compared = [known[id] for id in chosen]
    return side_by_side(compared) if both else compared
