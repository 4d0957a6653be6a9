"""Home: which model should I pick?"""

import streamlit as st

from fmnist import settings
from fmnist.ui.page import page

TRAINING = "watch them learn" if settings.read_only() else "press Train and watch them learn"
PAGES = (
    ("pages/1_Train.py", ":material/play_circle:", "Train", TRAINING),
    ("pages/2_Compare.py", ":material/balance:", "Compare", "accuracy, time and size side by side"),
    ("pages/3_Confusion.py", ":material/grid_on:", "Confusion", "what they mix up, image by image"),
    ("pages/4_Predict.py", ":material/draw:", "Predict", "draw or upload something"),
    ("pages/5_Data.py", ":material/photo_library:", "Data", "what they learn from"),
)


with page("Home", "Which model should I pick?"):
    # Here, for the first visitor after a start shall not look at an empty page while pandas and Plotly are imported.
    from fmnist.ui import best_model, live_chart

    best_model.show()
    st.divider()
    for column, (path, icon, name, what) in zip(st.columns(len(PAGES)), PAGES, strict=True):
        column.page_link(path, label=f"**{name}**", icon=icon)
        column.caption(what)
    live_chart.prepare(soon=True)  # Most people go on to Train.
