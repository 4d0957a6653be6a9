"""The tab "Time and size" of the Compare page: what accuracy costs."""

from __future__ import annotations

import streamlit as st

from fmnist.compare.comparison import Comparison
from fmnist.compare.cost_charts import COSTS
from fmnist.store.library import Library
from fmnist.ui.chart_display import draw
from fmnist.ui.timing_panel import time_again
from fmnist.words import escape

UNKNOWN = {
    "multiply_adds": "Not counted for any of these models: they compute something that PyTorch's counter does not "
    "support."
}


def show_cost(library: Library, compared: Comparison) -> None:
    """What accuracy costs."""
    cost = COSTS[
        st.segmented_control(
            "Cost",
            list(COSTS),
            format_func=lambda column: COSTS[column].name,
            default="train_seconds",
            required=True,
            key="cost",
            bind="query-params",
        )
    ]
    if said := compared.say_cost(cost):
        st.markdown(said)
    picture = compared.cost(cost)
    if picture is None:
        st.info(
            UNKNOWN.get(cost.column, "This was not measured when these runs were trained; it is measured for new runs.")
        )
        return
    left, right = st.columns([3, 2])
    with left:
        draw(picture, "accuracy-against-cost")
        st.caption(
            "Up and to the left is better. The dotted line joins the best choices, where there are several: no other "
            f"model is both cheaper and more accurate. {compared.left_out}"
        )
    with right:
        draw(compared.cost_bars(cost), "cost-bars")
        if cost.timed and (apart := compared.apart()):
            st.caption(
                ":material/warning: Hatched here, hollow in the chart: timed under different conditions, so these "
                "times can't be compared with the others. " + escape(" ".join(apart))
            )
    if cost.timed:
        st.caption(
            "Training time covers the training steps alone: no loading, no evaluation, no warm-up. The time per "
            "image is measured when a run ends: the median of several repeats after a warm-up. Each time is the mean "
            "of the runs that were timed under the same conditions."
        )
        time_again(library, compared.groups)
