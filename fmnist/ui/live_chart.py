"""Curves that grow in place while a training runs: a Streamlit component on plotly.js.

`st.plotly_chart` is taken down and built anew whenever its data change: it blinks, and loses zoom and hidden
lines. This component keeps its chart in the page and only hands it new points (live_chart.js).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd
import streamlit as st
from streamlit import runtime

from fmnist.compare import charts
from fmnist.grid import Factor, distinguish
from fmnist.models.registry import ARCHITECTURES
from fmnist.store.library import Library
from fmnist.store.run import Run

HTML = """
<div class="live">
  <div class="controls">
    <span role="group" aria-label="Horizontal axis">
      <button data-choose="x" data-value="step" aria-pressed="true">Steps</button
      ><button data-choose="x" data-value="seconds" aria-pressed="false">Seconds</button>
    </span>
    <span role="group" aria-label="Scale of the loss">
      <button data-choose="scale" data-value="linear" aria-pressed="true">Linear loss</button
      ><button data-choose="scale" data-value="log" aria-pressed="false">Log loss</button>
    </span>
    <label>Smoothing <input type="range" min="0" max="0.95" step="0.05" value="0"></label>
  </div>
  <div class="panels"><div class="accuracy" role="img"></div><div class="loss" role="img"></div></div>
</div>
"""

CSS = """
.live { font-family: var(--st-font); color: var(--st-text-color); }
.live .controls { display: flex; flex-wrap: wrap; gap: 8px 20px; align-items: center; font-size: 0.875rem; }
.live button {
  font: inherit; color: inherit; background: transparent; padding: 4px 12px; cursor: pointer;
  border: 1px solid var(--st-border-color);
}
.live button:first-child { border-radius: 8px 0 0 8px; }
.live button:last-child { border-radius: 0 8px 8px 0; border-left: none; }
.live button[aria-pressed="true"] { background: var(--st-secondary-background-color); font-weight: 600; }
.live :is(button, input):focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
.live label { display: flex; align-items: center; gap: 8px; }
.live input { accent-color: var(--st-primary-color); }
.live .panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 8px 16px; }
.live .panels > div { min-height: 300px; min-width: 0; }
"""


@dataclass(frozen=True)
class Curve:
    """A run to be drawn: its address in the history, its own name, and the look that it shares with its group."""

    run: str
    name: str
    look: charts.Look


# The browser fetches plotly.js once, over HTTP: through the session's own connection it would be sent to each viewer
# anew, 5 MB that the server would hold several times over.
LOADER = """
export default function ({ data }) {
  if (data.soon) requestIdleCallback(() => load(data.url), { timeout: 5000 });
  else load(data.url);
}

function load(url) {
  if (window.fmnistPlotly || document.querySelector("script[data-fmnist]")) return;
  const script = document.createElement("script");
  script.dataset.fmnist = "plotly";
  script.src = url;
  script.onload = () => {
    window.fmnistPlotly = window.Plotly;
    window.dispatchEvent(new Event("fmnist-plotly"));
  };
  script.onerror = () => script.remove(); // The next visit tries again.
  document.head.append(script);
}
"""


def prepare(*, soon: bool = False) -> None:
    """Bring plotly.js into the page. Called once a page, outside of what is drawn again and again.

    Args:
        soon: when the browser has nothing else to do, for a page that comes after this one: it takes half a second.
    """
    _loader()(key="plotly-loader", data={"url": _plotly_url(), "soon": soon}, height=1)


def _plotly_url() -> str:
    """Where the browser gets the plotly.js of the plotly package: from this server, while a page uses it."""
    if not runtime.exists():  # A test of the page alone.
        return ""
    path = str(files("plotly").joinpath("package_data/plotly.min.js"))
    url = runtime.get_instance().media_file_mgr.add(path, "text/javascript", "fmnist-plotly")
    base = st.get_option("server.baseUrlPath").strip("/")
    return f"/{base}{url}" if base else url


def curves(library: Library, runs: Sequence[Run], factors: Sequence[Factor] = ()) -> bool:
    """Draw training and test loss and accuracy of some own runs; tell whether there is anything to draw yet.

    Args:
        factors: in what they may differ besides model and seed, to be said of each.
    """
    names = tuple(_name(run, factors) for run in runs)
    data = _data(
        str(library.own.path), library.own.change_counter(), tuple(run.id for run in runs), names, library, runs
    )
    if data is None:
        return False
    _chart()(data=data, key=f"curves-{runs[0].recipe.dataset}")
    return True


def _name(run: Run, factors: Sequence[Factor]) -> str:
    """What the seeds of a run share: "Model 2", or "Model 2, lr 0.01"."""
    words = distinguish(run.recipe, factors)
    return f"{ARCHITECTURES[run.recipe.model].name}, {words}" if words else ARCHITECTURES[run.recipe.model].name


@st.cache_resource(max_entries=8, show_spinner=False)
def _data(
    path: str,
    changes: tuple[int, ...],
    ids: tuple[int, ...],
    names: tuple[str, ...],
    _library: Library,
    _runs: Sequence[Run],
) -> dict[str, Any] | None:
    """What live_chart.js draws; worked out once for all viewers, until the store changes."""
    history = _library.history(list(_runs))
    if history.empty:
        return None
    kinds = [(run.recipe.model, run.recipe.group(), name) for run, name in zip(_runs, names, strict=True)]
    known = list(dict.fromkeys(kinds))
    look = dict(zip(known, charts.looks([(model, name) for model, _, name in known]), strict=True))
    drawn = [
        Curve(run.address, f"{kind[-1]}, seed {run.recipe.seed}", look[kind])
        for run, kind in zip(_runs, kinds, strict=True)
    ]
    return {"runs": as_data(history, drawn), "alt": f"Training and test curves of {'; '.join(c.name for c in drawn)}."}


def as_data(history: pd.DataFrame, runs: Sequence[Curve]) -> list[dict[str, Any]]:
    """The curves as plain lists, rounded to what can be seen; `history` as `Library.history` gives it."""
    by_run = dict(list(history.groupby(["run", "split"], sort=False)))
    empty = history.iloc[:0]
    return [
        {
            "id": curve.run,
            "name": curve.name,
            "group": curve.look.name,
            "color": curve.look.color,
            "symbol": curve.look.symbol,
            "dash": curve.look.dash,
        }
        | {split: _lists(by_run.get((curve.run, split), empty)) for split in ("train", "test")}
        for curve in runs
    ]


def _lists(points: pd.DataFrame) -> dict[str, list[float]]:
    points = points.sort_values("step")
    return {
        "step": points["step"].tolist(),
        "seconds": points["seconds"].round(3).tolist(),
        "loss": points["loss"].round(4).tolist(),
        "accuracy": points["accuracy"].round(4).tolist(),
    }


@cache
def _loader() -> Any:
    return st.components.v2.component("fmnist_plotly", html="<span></span>", js=LOADER, isolate_styles=False)


@cache
def _chart() -> Any:
    script = files("fmnist.ui").joinpath("live_chart.js").read_text(encoding="utf-8")
    # Not isolated: plotly.js puts its styles into the document, where a shadow root would not see them.
    return st.components.v2.component("fmnist_live", html=HTML, css=CSS, js=script, isolate_styles=False)
