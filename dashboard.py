"""Dashboard: what this is, and which model recognises clothes best."""

import streamlit as st

from fmnist.ui.links import PAGES
from fmnist.ui.page import page

WHAT = (
    "This app trains three small image classifiers on **FashionMNIST**, 70,000 photos of clothes in ten classes, and "
    "compares them."
)
SHOWN = (
    ("Train", ":material/play_circle:", "Train the models and watch them learn"),
    ("Compare", ":material/balance:", "Accuracy, time and size side by side"),
    ("Confusion", ":material/grid_on:", "What they mix up, image by image"),
    ("Predict", ":material/draw:", "Draw or upload something"),
    ("Data", ":material/photo_library:", "Browse the images"),
)


with page("Dashboard", "Which model recognises clothes best?"):
    st.markdown(WHAT)
    # Here, for the first visitor after a start shall not look at an empty page while pandas is imported.
    from fmnist.ui import best_model, resources

    best_model.show(resources.open_library())
    with st.container(horizontal=True, gap="medium"):
        for name, icon, what in SHOWN:
            st.page_link(PAGES[name], label=name, icon=icon, help=what, width="content")
