"""What a page shows: whose runs, on which data, and which of them are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from fmnist import settings
from fmnist.data.catalog import DATASETS, DEFAULT, SAMPLE
from fmnist.store.library import SOURCES, Group, Library, default_groups
from fmnist.words import escape, exact


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
    kept = st.session_state.get(key, st.session_state.get(f"chosen-{key}"))
    if kept is not None and st.query_params.get(key) not in [names(option) for option in options]:
        st.session_state[key] = kept if kept in options else options[0]  # Not every page has every option.
    chosen = st.segmented_control(
        label,
        options,
        format_func=names,
        # As a default, what was chosen before would not be put into the address.
        default=None if key in st.session_state else options[0],
        required=True,
        wrap=True,
        key=key,
        bind="query-params",
    )
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
        st.caption(
            f":material/bookmark: **Reference runs** come with the project: trained with {reference.recipe.describe()} "
            f"on {escape(run.machine or '?')} (PyTorch {escape(run.versions.get('torch', '?'))})."
        )


def nothing_trained() -> None:
    """Say that there is nothing to show, and where to train."""
    st.info("Nothing is trained yet on these data.", icon=":material/info:")
    if not settings.read_only():
        st.page_link("pages/1_Train.py", label="Train the three models", icon=":material/play_circle:")


def key_of_groups(groups: Sequence[Group]) -> str:
    """Of the widget that chooses from these groups."""
    return f"groups-{groups[0].recipe.dataset}-{groups[0].source}"


def settle_address(key: str, known: Mapping[str, tuple[Group, str]], most: int | None) -> None:
    """Let an address open that names what can be chosen by its id, or by a title of an earlier version, in which
    learning rates were rounded. What is not there is left out.

    Streamlit itself writes titles into addresses, and reads them. No two of what can be chosen have the same.

    Args:
        key: of the widget, which is also its name in the address.
        known: by id what can be chosen: its group, and its title.
        most: how many can be chosen; None for a widget with which one is chosen.
    """
    asked = st.query_params.get_all(key)
    if key in st.session_state or all(title in [title for _, title in known.values()] for title in asked):
        return
    names: dict[str, str] = {}
    for id, (group, title) in known.items():
        rate = group.recipe.learning_rate
        for name in (id, title, title.replace(f"lr {exact(rate)},", f"lr {rate:g},")):
            names.setdefault(name, id)
    found = dict.fromkeys(names[name] for name in asked if name in names)
    if found:
        st.session_state[key] = list(found)[:most] if most else next(iter(found))
    else:
        del st.query_params[key]


def choose_groups(groups: list[Group], most: int) -> list[Group]:
    """The groups to be compared; at first one for each model."""
    if not groups:
        nothing_trained()
        return []
    known = {group.id: group for group in groups}
    settle_address(key_of_groups(groups), {group.id: (group, group.title) for group in groups}, most)
    chosen = st.multiselect(
        "Compared",
        list(known),
        default=[group.id for group in default_groups(groups)][:most],
        max_selections=most,
        format_func=lambda id: known[id].title,
        key=key_of_groups(groups),
        bind="query-params",
        placeholder="Choose what to compare",
    )
    if not chosen:
        st.info("Choose at least one to see its results.", icon=":material/balance:")
    return [known[id] for id in chosen]
