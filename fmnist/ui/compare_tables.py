"""The tabs "Classes" and "Table" of the Compare page: the comparison in numbers."""

from __future__ import annotations

import streamlit as st

from fmnist.compare.comparison import Comparison
from fmnist.data.catalog import DEFAULT
from fmnist.store.library import SOURCES, Library
from fmnist.ui import resources
from fmnist.ui.chart_display import draw
from fmnist.ui.export_panel import download_table
from fmnist.ui.glossary import explain
from fmnist.ui.mirrored_shoes import show_shoes

SHARES = {
    "accuracy_mean": "Mean accuracy",
    "accuracy_low": "95% interval from",
    "accuracy_high": "to",
    "accuracy_std": "Standard deviation",
    "accuracy_min": "Lowest",
    "accuracy_max": "Highest",
    "accuracy_alive": "Mean without failed runs",
}
SECONDS = {"train_seconds": "Training time", "eval_seconds": "Evaluation time"}
SHORT_TIMES = {"image_seconds": "Seconds per image, in batches", "single_seconds": "Seconds per image, one at a time"}
"""How the columns of the comparison in numbers are called."""


def show_classes(library: Library, compared: Comparison) -> None:
    """Precision, recall and F1 of each class."""
    st.markdown(compared.say_hardest())
    draw(compared.classes(), "classes")
    st.caption(
        "Recall: the share of a class's images that are recognised. Precision: the share of answers naming a class "
        "that are right. F1 is high only where both are. Means over the runs of each model.",
        help=explain("Recall", "Precision", "F1"),
    )
    download_table("classes", compared.class_table())
    if compared.info.id == DEFAULT and any(group.recipe.mirror for group in compared.groups):
        show_shoes(library, compared.groups, resources.test_set(DEFAULT, library.own))


def show_table(library: Library, compared: Comparison) -> None:
    """The comparison in numbers, to sort and to download."""
    numbers = compared.table()
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    helps = {"accuracy_mean": explain("Test accuracy"), "accuracy_low": explain("95% interval")}
    st.dataframe(
        numbers.assign(source=numbers["source"].map(SOURCES)),
        column_config={
            "name": text("Model", pinned=True),
            "source": "Source",
            "seeds": text("Seeds", help=explain("Seed")),
            **{name: number(title, format="percent", help=helps.get(name)) for name, title in SHARES.items()},
            "dead": number("Failed to learn", help="Runs that answer the same class for every image."),
            **{name: number(title, format="%.2f s") for name, title in SECONDS.items()},
            **{name: number(title, format="scientific") for name, title in SHORT_TIMES.items()},
            "parameters": number("Parameters", format="localized"),
            "multiply_adds": number("Multiply-adds", format="localized"),
            "conditions": "Timed on",
            "remarks": "Remarks",
        },
        hide_index=True,
        placeholder="–",
        alt="The comparison in numbers",
    )
    download_table("comparison", numbers)
