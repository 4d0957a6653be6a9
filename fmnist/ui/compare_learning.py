"""The tab "Learning" of the Compare page: the curves of the runs that are compared."""

from __future__ import annotations

import streamlit as st

from fmnist.compare.comparison import Comparison
from fmnist.compare.learning_chart import AXES
from fmnist.store.library import Library
from fmnist.ui.chart_display import draw
from fmnist.ui.glossary import explain


def show_learning(library: Library, compared: Comparison) -> None:
    """Accuracy and loss while the models learn, on the images and along the axis that are chosen."""
    with st.container(horizontal=True, gap="medium"):
        splits = {"test": f"{compared.images.capitalize()} images", "train": "Training images"}
        split = st.segmented_control(
            "Measured on",
            list(splits),
            format_func=splits.__getitem__,
            default="test",
            required=True,
            key="split",
            bind="query-params",
        )
        axis = st.segmented_control(
            "By",
            list(AXES),
            format_func=lambda axis: axis.capitalize(),
            default="epoch",
            required=True,
            key="axis",
            bind="query-params",
        )
    for column, metric in zip(st.columns(2), ("accuracy", "loss"), strict=True):
        with column:
            draw(compared.learning(metric, split, axis), f"learning-{metric}")
    st.caption(
        "Thick: the mean of a model's runs; the band is its 95% interval. Thin: single runs. " + compared.left_out,
        help=explain("Epoch", "Step", "Loss", "Seed", "95% interval"),
    )
