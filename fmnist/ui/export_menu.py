"""What a viewer takes along of a comparison: a report, the numbers, and the pictures."""

from __future__ import annotations

import streamlit as st

from fmnist.compare import report
from fmnist.compare.comparison import Comparison
from fmnist.store.library import Library
from fmnist.ui import widgets
from fmnist.ui.export_panel import export_panel


def take_along(library: Library, compared: Comparison, *, with_images: bool) -> None:
    """A menu to download what is shown, and the runs behind it.

    Args:
        with_images: whether the test labels are there.
    """
    with st.popover("Take it along", icon=":material/download:"):
        st.download_button(
            "Report with live charts (HTML)",
            lambda: report.write(compared, with_images=with_images),  # Made when it is asked for.
            "comparison.html",
            "text/html",
            icon=":material/article:",
            on_click="ignore",
            help="One file that opens without network. Each of its charts can be saved as PNG or SVG.",
        )
        widgets.download_table("comparison", compared.table(), "Numbers (CSV)")
        widgets.choose_picture_format()
        st.divider()
        st.markdown("**The runs themselves**, for other programs")
        export_panel(library, [run for group in compared.groups for run in group.runs], "compared")
