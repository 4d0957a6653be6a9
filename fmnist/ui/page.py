"""What stands around every page. Nothing slow is imported here: the first visitor waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import streamlit as st

from fmnist.data.files import DataError
from fmnist.models.registry import ModelError
from fmnist.settings import SettingsError
from fmnist.store.database import DamagedRun, StoreError
from fmnist.ui import login, plotly_loader, taps
from fmnist.ui.address import drop_what_is_gone, say_in_vain
from fmnist.ui.component import component
from fmnist.ui.upload_limit import limit_uploads
from fmnist.words import escape

CSS = """
<style>
[data-testid="stSidebarNavLink"] span { text-transform: capitalize; }
.block-container, [data-testid="stMainBlockContainer"] {
  padding-top: 3.2rem; padding-bottom: 3.2rem; max-width: 1400px;
}
:is(.st-key-page-top, .st-key-plotly-loader, .st-key-taps) {
  position: absolute; width: 1px !important; overflow: hidden;
}
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); gap: 14px 12px; }
.tiles.ten { grid-template-columns: repeat(10, 1fr); }
@media (max-width: 900px) { .tiles.ten { grid-template-columns: repeat(5, 1fr); } }
.tiles.small { grid-template-columns: repeat(auto-fill, minmax(74px, 1fr)); }
.tiles figure { margin: 0; font-size: 0.78rem; line-height: 1.35; }
.tiles img { width: 100%; aspect-ratio: 1; image-rendering: pixelated; border-radius: 4px; display: block; }
.tiles button { display: block; width: 100%; padding: 0; border: 0; border-radius: 4px; cursor: zoom-in; }
.tiles button:is(:focus-visible, [aria-pressed="true"]) { outline: 3px solid var(--st-primary-color, #D81B60); }
.tiles figcaption { padding-top: 4px; overflow-wrap: anywhere; }
[data-testid="stPageLink"] :is(a, a *) { white-space: normal; overflow: visible; }
.st-key-how-often { flex-wrap: nowrap; }
.st-key-verdict p { font-size: 1.15rem; line-height: 1.4; }
[data-testid="stHeading"] h2 { line-height: 1.35; padding: 0.5rem 0 1rem; }
[data-testid="stMain"] h2 { text-wrap: balance; }
@media (max-width: 640px) { [data-testid="stHeading"] h1 { font-size: 2rem; } }
/* Streamlit draws no border between a segment and the chosen one after it, which may be on the next line. */
[data-variant="segmented_control"]:not([data-selected], [data-hovered]) {
  border-right-color: color-mix(in srgb, currentColor 20%, transparent) !important;
}
/* Where there is no mouse, the toolbar of a table always stands above it, on what can be tapped there. */
@media (hover: none) { [data-testid="stElementContainer"]:has([data-testid="stDataFrame"]) { margin-top: 2rem; } }
/* Streamlit's own are too pale to be read by everybody: less than 4.5 to 1. */
[data-testid="stCaptionContainer"] { opacity: 0.8; }
[data-testid="stButtonGroup"] button[data-selected]:not([data-disabled]),
[data-testid="stTab"][aria-selected="true"], [data-testid="stSliderThumbValue"] { color: inherit; }
.js-plotly-plot { touch-action: manipulation; }
/* No finger drags on a chart (fmnist/ui/taps.py): there is nothing to choose between zooming and moving. */
@media (hover: none) and (pointer: coarse) { .modebar-btn[data-attr="dragmode"] { display: none; } }
.js-plotly-plot text[style*="rgb(128, 132, 149)"] { fill: #5A6172 !important; }
</style>
"""


@contextmanager
def page(title: str, question: str, *, charts: bool = True) -> Iterator[None]:
    """Everything around a page: who may look, its title, and a sentence where the store or the data can't be used.

    Where a login is configured, whoever has not logged in gets no further than here.

    Args:
        title: for the browser's tab.
        question: the question that the page answers, as its heading.
        charts: whether it begins with some.
    """
    st.set_page_config(page_title=f"{title} · fmnist", page_icon="👟", layout="wide")
    st.html(CSS)
    try:
        login.enter()
    except SettingsError as error:
        st.error(escape(str(error)), icon=":material/lock:")
        st.stop()
    limit_uploads()
    st.title(question, anchor=False)
    component("page_top")(key="page-top", data={"page": title}, height=1)
    plotly_loader.load(soon=not charts)
    taps.let_swipes_scroll()
    place = st.container()
    with explained():
        yield
        drop_what_is_gone()
    with suppress(SettingsError, StoreError), place:  # Only now is it known what is there, and could be read.
        from fmnist.ui import damaged_runs

        say_in_vain()
        damaged_runs.show()


@contextmanager
def explained() -> Iterator[None]:
    """Say in a sentence that the store, the data or a model can't be used, or that it is not known what is allowed.

    Around a page, and as a decorator around what Streamlit runs without the page: fragments and dialogs.
    """
    try:
        yield
    except DamagedRun as damage:
        # It is left out from now on, and named. Once: one that was chosen by name would be read again and again.
        met = st.session_state.setdefault("damaged-runs-met", set())
        if damage.run not in met:
            met.add(damage.run)
            st.rerun()
        st.error(escape(str(damage)), icon=":material/error:")
    except (SettingsError, DataError, ModelError, StoreError) as error:
        st.error(escape(str(error)), icon=":material/error:")


def is_dark() -> bool:
    """Whether the viewer's browser shows the dark theme."""
    return st.context.theme.type == "dark"
