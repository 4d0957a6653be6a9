"""The first picture of the Compare page: the accuracies of all that are compared, and what can be taken from here."""

from __future__ import annotations

import streamlit as st

from fmnist.compare.comparison import Comparison
from fmnist.compare.published import PUBLISHED_RESULTS
from fmnist.data.catalog import DEFAULT
from fmnist.store.library import Library
from fmnist.ui.chart_display import draw
from fmnist.ui.export_panel import take_along


def show_accuracy(library: Library, compared: Comparison, *, with_images: bool) -> None:
    """Every run's accuracy, beside what others reach if that is asked for.

    Args:
        with_images: whether the test labels are there.
    """
    place = st.container()
    with st.container(horizontal=True, vertical_alignment="center"):
        known = compared.info.id == DEFAULT and st.toggle(
            "What others reach", key="lines", bind="query-params", help="Accuracies that others have published."
        )
        take_along(library, compared, with_images=with_images)
    with place:
        draw(compared.accuracy(with_lines=known), "accuracy-and-others" if known else "accuracy")
        st.caption(
            "Each mark is one seed (crossed: dead), the bar across is their mean, the whiskers its 95% interval: "
            f"where the mean of very many seeds may lie. {compared.left_out}"
        )
    if known:
        st.caption(
            " · ".join(f"{line.name} {line.accuracy:.1%}: [{line.source}]({line.link})" for line in PUBLISHED_RESULTS)
        )
