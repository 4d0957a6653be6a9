"""Train: choose models and a recipe, press Train, and watch the curves."""

import streamlit as st

from fmnist import settings
from fmnist.training import launcher
from fmnist.ui import resources, run_table, train_end, train_form, train_progress, train_start
from fmnist.ui.into_view import bring
from fmnist.ui.page import page

with page("Train", "How do the models learn?" if settings.read_only() else "Train the models"):
    library = resources.open_library()
    if settings.read_only():
        train_form.say_read_only()
    else:
        train_form.ask(library)
    st.session_state["full"] = train_start.is_full(library)
    progress = train_progress.current(library)
    st.session_state["active"] = progress.active
    with st.container(key=train_start.TRAINING):
        st.fragment(train_progress.follow, run_every=train_progress.IDLE_SECONDS)(library)
    bring(train_start.TRAINING, images=False)
    st.fragment(run_table.show_all)(library)
    train_end.lead_on(library, progress)
    if not settings.read_only():
        launcher.start(library.own)  # So that it has loaded what it needs when somebody presses Train.
