"""Home: which model should I pick?"""

import streamlit as st

from fmnist import settings
from fmnist.ui import page

TRAINING = "watch them learn" if settings.read_only() else "press Train and watch them learn"
PAGES = (
    ("pages/1_Train.py", ":material/play_circle:", "Train", TRAINING),
    ("pages/2_Compare.py", ":material/balance:", "Compare", "accuracy, time and size side by side"),
    ("pages/3_Confusion.py", ":material/grid_on:", "Confusion", "what they mix up, image by image"),
    ("pages/4_Predict.py", ":material/draw:", "Predict", "draw or upload something"),
    ("pages/5_Data.py", ":material/photo_library:", "Data", "what they learn from"),
)


def show() -> None:
    library = widgets.open_library()
    dataset, sources = widgets.choose_scope(library)
    groups = default_groups(library.groups(dataset, *sources))
    if not groups:
        st.info("Nothing is trained yet.", icon=":material/info:")
        if not settings.read_only():
            st.page_link("pages/1_Train.py", label="Train the three models", icon=":material/play_circle:")
        return
    compared = Comparison(library, groups)
    answer = compared.answer
    if missing := sorted(set(ARCHITECTURES.project) - {group.recipe.model for group in groups}):
        answer += f" {widgets.listed(ARCHITECTURES[id].name for id in missing)} not trained yet."
    st.markdown(f"#### {answer}")
    widgets.say_where_from(dataset, groups)
    cost = COSTS["train_seconds"]
    picture = compared.cost(cost)
    assert picture, "the time of training is known of each run"
    widgets.draw(picture, "accuracy-against-time")
    st.caption(
        "Up and to the left is better; the dotted line joins the models that no other beats on both. "
        + widgets.escape(" ".join([*compared.leads, *compared.apart()]))
    )
    table, _ = compared.tables
    shown = ["name", "accuracy", "spread", "train_seconds", "parameters", "multiply_adds", "device", "layers"]
    st.dataframe(
        table.assign(
            layers=table["model"].map(lambda id: ARCHITECTURES[id].layers),
            accuracy=100 * table["accuracy_mean"],
            spread=[widgets.spread(row) for _, row in table.iterrows()],
        )[["model", *shown]],
        column_order=shown,
        column_config={
            "name": st.column_config.TextColumn("Model", pinned=True),
            "accuracy": st.column_config.NumberColumn("Test accuracy", format="%.2f%%", help="Mean over the seeds"),
            "spread": st.column_config.TextColumn("Spread", help="Lowest and highest seed, standard deviation"),
            "train_seconds": st.column_config.NumberColumn(
                "Training", format="%.1f s", help="The optimisation alone; mean over the seeds"
            ),
            "parameters": st.column_config.NumberColumn("Parameters", format="localized"),
            "multiply_adds": st.column_config.NumberColumn(
                "Multiply-adds", format="localized", help="Of one image's way through the model"
            ),
            "device": st.column_config.TextColumn("Trained on"),
            "layers": st.column_config.TextColumn("Layers", width="large"),
        },
        hide_index=True,
        alt="The models in numbers",
    )


with page.page("Home", "Which model should I pick?"):
    # Here, for the first visitor after a start shall not look at an empty page while pandas and Plotly are imported.
    from fmnist.compare.comparison import Comparison
    from fmnist.compare.cost_charts import COSTS
    from fmnist.models.registry import ARCHITECTURES
    from fmnist.store.library import default_groups
    from fmnist.ui import live_chart, widgets

    show()
    st.divider()
    for column, (path, icon, name, what) in zip(st.columns(len(PAGES)), PAGES, strict=True):
        column.page_link(path, label=f"**{name}**", icon=icon)
        column.caption(what)
    live_chart.prepare(soon=True)  # Most people go on to Train.
