"""Dashboard: what this is, and which model recognises clothes best."""

import streamlit as st

from fmnist.ui.page import page

WHAT = (
    "This app trains three small image classifiers on **FashionMNIST**, 70,000 photos of clothes in ten classes, and "
    "compares them."
)
PAGES = (
    ("pages/1_Train.py", ":material/play_circle:", "Train", "Train the models and watch them learn"),
    ("pages/2_Compare.py", ":material/balance:", "Compare", "Accuracy, time and size side by side"),
    ("pages/3_Confusion.py", ":material/grid_on:", "Confusion", "What they mix up, image by image"),
    ("pages/4_Predict.py", ":material/draw:", "Predict", "Draw or upload something"),
    ("pages/5_Data.py", ":material/photo_library:", "Data", "Browse the images"),
)


with page("Dashboard", "Which model recognises clothes best?"):
    st.markdown(WHAT)
    # Here, for the first visitor after a start shall not look at an empty page while pandas is imported.
    from fmnist.ui import best_model, resources

    best_model.show(resources.open_library())
    with st.container(horizontal=True, gap="medium"):
        for path, icon, name, what in PAGES:
            st.page_link(path, label=name, icon=icon, help=what, width="content")
