"""The tab "Sweep" of the Compare page: which setting is the best, and what matters."""

from __future__ import annotations

import streamlit as st

from fmnist.compare.sweep import Sweep
from fmnist.grid import FACTORS, worth_showing
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import OPTIMIZERS
from fmnist.store.library import SOURCES, Group, Library
from fmnist.ui import confirm_button
from fmnist.ui.chart_display import draw
from fmnist.ui.export_panel import download_table
from fmnist.ui.scope import key_of_groups
from fmnist.words import escape

MAX_BEST = 5
SHARES = {
    "accuracy_std": "Standard deviation",
    "accuracy_min": "Lowest",
    "accuracy_max": "Highest",
}


def show_sweep(library: Library, swept: Sweep, *, is_said: bool) -> None:
    """All groups of the scope, not only those that are compared above: which setting is the best, and what matters.

    Args:
        is_said: whether the page says at its top which is the best.
    """
    if not is_said:
        st.markdown(f"{swept.answer()} {swept.standing()}")
    confirm_button.offer(library, swept)
    st.markdown(swept.say_effects())
    st.markdown("\n".join(f"- {escape(sentence)}" for sentence in swept.caveats()))
    draw(swept.picture(), "sweep")
    st.caption(
        "Each line is one setting, from left to right, up to its mean accuracy; the thick one is the best. "
        "Colours show the rank, from blue through grey to orange, the most accurate. Hover over the end of a line to "
        f"see which setting it is. {swept.left_out}"
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        best = swept.best(MAX_BEST)
        st.button(
            f"Compare the best {len(best)}",
            icon=":material/balance:",
            on_click=compare_these,
            args=(swept.groups, best),
            key="compare-best",
        )
    show_settings(swept)


def compare_these(groups: list[Group], ids: list[str]) -> None:
    """Put groups into the comparison above, and show how sure their differences are."""
    st.session_state[key_of_groups(groups)] = ids
    if groups[0].recipe.validation:
        st.session_state["images"] = "held-out"
        st.session_state["tab"] = "Learning"
    else:
        st.session_state["tab"] = "Differences"


def show_settings(swept: Sweep) -> None:
    """The table of a sweep: the same as the picture for the keyboard, to sort, and to download."""
    table = swept.table.drop(columns="id")
    shares = [name for name in table.columns if name.startswith("accuracy")]
    titles = {"accuracy_mean": f"{swept.images.capitalize()} accuracy"} | SHARES
    percent = {name: st.column_config.NumberColumn(title, format="%.2f%%") for name, title in titles.items()}
    st.dataframe(
        table.assign(
            **100 * table[shares],
            model=table["model"].map(lambda id: ARCHITECTURES[id].name),
            optimizer=table["optimizer"].map(OPTIMIZERS),
            source=table["source"].map(SOURCES),
        ),
        column_order=[
            *(factor.field for factor in worth_showing(group.recipe for group in swept.groups)),
            *("accuracy_mean", "seeds", "accuracy_std", "accuracy_min", "accuracy_max", "dead", "failed"),
            *("train_seconds", "source", "device"),
        ],
        column_config={factor.field: factor.title for factor in FACTORS}
        | {"learning_rate": st.column_config.NumberColumn("Learning rate", format="plain")}
        | percent
        | {"seeds": "Runs", "dead": "Failed to learn", "failed": "Ended with an error", "device": "Trained on"}
        | {"train_seconds": st.column_config.NumberColumn("Training", format="%.1f s"), "source": "Source"},
        hide_index=True,
        key="sweep-table",
        alt="All settings of the sweep, the most accurate first",
    )
    download_table("sweep", table)
