"""The tabs "Classes" and "Table" of the Compare page: the comparison in numbers."""

from __future__ import annotations

import streamlit as st

from fmnist.compare.comparison import Comparison
from fmnist.store.library import Library
from fmnist.ui.chart_display import draw
from fmnist.ui.export_panel import download_table


def show_classes(library: Library, compared: Comparison) -> None:
    """Precision, recall and F1 of each class."""
    st.markdown(compared.say_hardest())
    draw(compared.classes(), "classes")
    st.caption(
        "Recall: of the images of a class, the share that is recognised. Precision: of the answers with a class, the "
        "share that is right. F1 is high only where both are. Means over the seeds."
    )
    download_table("classes", compared.class_table())


def show_table(library: Library, compared: Comparison) -> None:
    """The comparison in numbers, to sort and to download."""
    numbers = compared.table()
    percent = st.column_config.NumberColumn(format="percent")
    seconds = st.column_config.NumberColumn(format="%.2f s")
    scientific = st.column_config.NumberColumn(format="scientific")
    st.dataframe(
        numbers,
        column_config={name: percent for name in numbers.columns if name.startswith("accuracy")}
        | {"train_seconds": seconds, "eval_seconds": seconds}
        | {"image_seconds": scientific, "single_seconds": scientific},
        hide_index=True,
        placeholder="–",
        alt="The comparison in numbers",
    )
    download_table("comparison", numbers)
