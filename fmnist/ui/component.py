"""Components of ours: a script in this folder that runs in the browser, as a part of a page."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import streamlit as st


@cache
def component(name: str, html: str = "<span></span>", css: str | None = None, *, isolated: bool = False) -> Any:
    """What mounts a component: called with `key`, `data` and callbacks, as Streamlit's `st.components.v2` has it.

    Args:
        name: of its script in this folder, without ".js".
        isolated: in a shadow root, with styles of its own. A script that looks into the page can't be.
    """
    script = files("fmnist.ui").joinpath(f"{name}.js").read_text(encoding="utf-8")
    return st.components.v2.component(f"fmnist_{name}", html=html, css=css, js=script, isolate_styles=isolated)
