"""The first picture of the Compare page: the accuracies of all that are compared, and what can be downloaded."""

from __future__ import annotations

import streamlit as st

from fmnist.compare import published
from fmnist.compare.comparison import Comparison
from fmnist.data.catalog import DEFAULT
from fmnist.store.library import Library
from fmnist.ui.chart_display import draw
from fmnist.ui.export_panel import download_menu
from fmnist.ui.glossary import explain


def show_accuracy(library: Library, compared: Comparison, *, with_images: bool) -> None:
    """Every run's accuracy, beside published results if they are asked for.

    Args:
        with_images: whether the test labels are there.
    """
    place = st.container()
    with st.container(horizontal=True, vertical_alignment="center"):
        known = (
            compared.info.id == DEFAULT
            and compared.images == "test"
            and st.toggle(
                "Published results", key="lines", bind="query-params", help="Accuracies that others have published."
            )
        )
        download_menu(library, compared, with_images=with_images)
    pale = {group.source for group, look in zip(compared.groups, compared.looks, strict=True) if look.opacity < 1}
    what = "the reference" if pale == {"reference"} else "further groups of the same model"
    with place:
        draw(compared.accuracy(with_lines=known), "accuracy-and-others" if known else "accuracy")
        st.caption(
            "Each mark is one training run (crossed out: it failed to learn). The bar is their mean; the whiskers show "
            f"its 95% confidence interval. {f'Pale: {what}. ' if pale else ''}{compared.left_out}",
            help=explain("Test accuracy", "Seed", "95% interval"),
        )
    if known:
        st.caption(published.sources())
