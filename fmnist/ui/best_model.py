"""What the first page answers: what this is, which model to pick, and the figures behind that."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from fmnist import settings
from fmnist.compare.comparison import Comparison
from fmnist.compare.cost_charts import COSTS
from fmnist.models.registry import ARCHITECTURES
from fmnist.store.library import Library, default_groups
from fmnist.ui.chart_display import draw
from fmnist.ui.class_pictures import class_pictures
from fmnist.ui.links import PAGES
from fmnist.ui.model_cards import model_cards
from fmnist.ui.scope import choose_scope, nothing_trained, say_where_from
from fmnist.words import escape, listed

HEIGHT = 270  # Of the chart, in pixels.


def show(library: Library) -> None:
    """The answer in a sentence, the classes and the models at a glance, and the chart that the answer is read from."""
    dataset, sources = choose_scope(library)
    every = library.groups(dataset, *sources)
    groups = default_groups(every)
    compared = Comparison(library, groups) if groups else None
    trials = library.trials(dataset, *sources)
    missing = sorted(set(ARCHITECTURES.project) - {group.recipe.model for group in groups})
    held_out = [id for id in missing if any(trial.recipe.model == id for trial in trials)]
    untrained = {
        id: "Only runs that hold out images so far." if id in held_out else "Not trained yet." for id in missing
    }
    if compared:
        answer = compared.verdict
        if none := [id for id in missing if id not in held_out]:
            verb = "is" if len(none) == 1 else "are"
            answer += f" {listed(ARCHITECTURES[id].name for id in none)} {verb} not trained yet."
        if held_out:
            names = listed(ARCHITECTURES[id].name for id in held_out)
            answer += f" Of {names}, there are only runs that hold out images so far: see Compare."
        with st.container(key="verdict"):
            st.markdown(answer)
        if len(every) > len(groups):
            st.caption(
                f":material/grid_view: {len(groups)} of {len(every):,} settings are compared here: of each model the "
                "published recipe, or else the newest. All of them are on Compare."
            )
    elif trials:
        nothing_trained(trials)
    else:
        st.info("Nothing has been trained yet.", icon=":material/info:")
        if not settings.read_only():
            st.page_link(PAGES["Train"], label="Train the three models", icon=":material/play_circle:")
    class_pictures(dataset, library.own)
    model_cards(compared, untrained)
    say_where_from(dataset, groups)
    if compared:
        picture, numbers = st.tabs(["Accuracy and time", "All numbers"], key="show", bind="query-params")
        with picture:
            show_picture(compared)
        if numbers.open:  # What draws a table takes a browser longer to load than the rest of the page but Plotly.
            with numbers:
                show_numbers(compared)


def show_picture(compared: Comparison) -> None:
    """Accuracy against the time of training."""
    picture = compared.cost(COSTS["train_seconds"])
    assert picture, "the time of training is known of each run"
    draw(picture, "accuracy-against-time", height=HEIGHT)
    apart = compared.apart()
    hollow = ["Hollow: timed under different conditions, so the times can't be compared."] if apart else []
    st.caption(
        "Left is faster, up is more accurate; small marks are single runs. The dotted line joins the best choices, "
        "where there are several: no other model is both faster and more accurate. "
        + " ".join([escape(" ".join([*hollow, *apart])), compared.left_out])
    )


def show_numbers(compared: Comparison) -> None:
    """The models in numbers, and how sure the differences are."""
    table, _ = compared.tables
    shown = ["name", "accuracy", "spread", "train_seconds", "parameters", "multiply_adds", "device", "layers"]
    st.dataframe(
        table.assign(
            layers=table["model"].map(lambda id: ARCHITECTURES[id].layers),
            accuracy=100 * table["accuracy_mean"],
            spread=[spread(row) for _, row in table.iterrows()],
        )[["model", *shown]],
        column_order=shown,
        column_config={
            "name": st.column_config.TextColumn("Model", pinned=True),
            "accuracy": st.column_config.NumberColumn("Test accuracy", format="%.2f%%", help="Average over the runs"),
            "spread": st.column_config.TextColumn("Spread", help="Lowest and highest run, standard deviation"),
            "train_seconds": st.column_config.NumberColumn(
                "Training",
                format="%.1f s",
                help="Only the training steps; average over the runs timed alike",
            ),
            "parameters": st.column_config.NumberColumn("Parameters", format="localized"),
            "multiply_adds": st.column_config.NumberColumn(
                "Multiply-adds", format="localized", help="Multiplications and additions needed for one image"
            ),
            "device": st.column_config.TextColumn("Trained on"),
            "layers": st.column_config.TextColumn("Layers", width="large"),
        },
        hide_index=True,
        placeholder=COSTS["multiply_adds"].unknown,
        alt="The models in numbers",
    )
    if compared.leads:
        st.caption(escape(" ".join(compared.leads)))


def spread(group: pd.Series) -> str:
    """How a group's seeds differ: "76.2 to 83.8%, σ 3.1 (5 runs)"."""
    if len(group["seeds"]) < 2:
        return "one run"
    low, high, deviation = (100 * group[f"accuracy_{name}"] for name in ("min", "max", "std"))
    return f"{low:.1f} to {high:.1f}%, σ {deviation:.1f} ({len(group['seeds'])} runs)"
