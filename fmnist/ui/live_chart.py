"""Curves that grow in place while a training runs: a Streamlit component on plotly.js.

`st.plotly_chart` is taken down and built anew whenever its data change: it blinks, and loses zoom and hidden
lines. This component keeps its chart in the page and only hands it new points (live_chart.js): the page says which it
has (`live_lines`). `plotly_loader` brings plotly.js.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from fmnist.compare import charts, live_lines
from fmnist.compare.live_lines import Line
from fmnist.data.catalog import DEFAULT
from fmnist.grid import Factor, distinguish
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import measured_on
from fmnist.store.growing_curves import GrowingCurves
from fmnist.store.library import Library
from fmnist.store.run import Run
from fmnist.ui.component import component

MAX_CURVES = 12
"""Of runs in one chart: more lines can't be told apart."""
HTML = """
<div class="live">
  <div class="controls">
    <span role="group" aria-label="Horizontal axis">
      <button data-choose="x" data-value="step" aria-pressed="true">Steps</button
      ><button data-choose="x" data-value="seconds" aria-pressed="false">Seconds</button>
    </span>
    <span role="group" aria-label="Scale of the loss">
      <button data-choose="scale" data-value="linear" aria-pressed="true">Linear scale</button
      ><button data-choose="scale" data-value="log" aria-pressed="false">Log scale</button>
    </span>
    <label>Smoothing <input type="range" min="0" max="0.95" step="0.05" value="0"></label>
  </div>
  <p role="alert" hidden></p>
  <div class="panels"><div class="accuracy" role="figure"></div><div class="loss" role="figure"></div></div>
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
.live .panels[hidden] { display: none; }
.live .panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 8px 16px; }
.live .panels > div { min-height: 315px; min-width: 0; }
"""


def curves(
    library: Library, runs: Sequence[Run], factors: Sequence[Factor] = (), name: str = "curves"
) -> LiveChart | None:
    """Draw loss and accuracy of some own runs, in training and after each epoch; what is drawn, or None if there is
    nothing yet.

    Args:
        factors: in what they may differ besides model and seed, to be said of each.
        name: of this chart, where there are several on a page.
    """
    names = tuple(_name(run, factors) for run in runs)
    chart = _drawn(
        str(library.own.path), library.own.change_counter(), tuple(run.id for run in runs), names, library, runs
    )
    if chart is None:
        return None
    return _mounted(f"{name}-{runs[0].recipe.dataset}", chart)


def reference_curves(library: Library) -> LiveChart | None:
    """Draw in grey, as an example, one reference run of each of the project's models by the published recipe; None
    where there are no reference runs."""
    chart = library.remember("reference-curves", lambda: _reference(library))
    return chart and _mounted("curves-reference", chart)


def _mounted(key: str, chart: LiveChart) -> LiveChart:
    """Put a chart into the page: the same one, with new points, as long as its key stays the same."""
    told = live_lines.news(chart.lines, st.session_state.get(key, {}).get("marks"))
    # Not isolated: plotly.js puts its styles into the document, where a shadow root would not see them.
    drawn = component("live_chart", HTML, CSS)
    drawn(key=key, data={"runs": chart.runs, "alt": chart.alt, "lines": told}, on_marks_change=lambda: None)
    return chart


def _name(run: Run, factors: Sequence[Factor]) -> str:
    """What the seeds of a run share: "Model 2", or "Model 2, lr 0.01"."""
    words = distinguish(run.recipe, factors)
    return f"{ARCHITECTURES[run.recipe.model].name}, {words}" if words else ARCHITECTURES[run.recipe.model].name


@dataclass(frozen=True)
class LiveChart:
    """What live_chart.js draws, but for what a browser has already."""

    runs: list[dict[str, str]]  # id, name, measured (after each epoch: "test", "held-out"), and the look of its group
    lines: dict[str, Line]  # by the run's id and when it was measured: "12-train", "12-measured"
    alt: str

    @property
    def is_thinned(self) -> bool:
        """Whether any line is too long for all of its points to be drawn."""
        return any(line.is_thinned for line in self.lines.values())


@st.cache_resource(max_entries=8, show_spinner=False)
def _drawn(
    path: str,
    changes: tuple[int, ...],
    ids: tuple[int, ...],
    names: tuple[str, ...],
    _library: Library,
    _runs: Sequence[Run],
) -> LiveChart | None:
    """Worked out once for all viewers, until the store changes; None where there is nothing to draw."""
    lines = _lines(_runs, _library.growing)
    if not any(len(line.points) for line in lines.values()):
        return None
    kinds = [(run.recipe.model, run.recipe.group(), name) for run, name in zip(_runs, names, strict=True)]
    known = list(dict.fromkeys(kinds))
    look = dict(zip(known, charts.looks([(model, name) for model, _, name in known]), strict=True))
    drawn = [
        {
            "id": run.address,
            "name": f"{kind[-1]}, seed {run.recipe.seed}",
            "measured": measured_on([run.recipe]),
            "group": look[kind].name,
            "color": look[kind].color,
            "symbol": look[kind].symbol,
            "dash": look[kind].dash,
        }
        for run, kind in zip(_runs, kinds, strict=True)
    ]
    images = measured_on(run.recipe for run in _runs)
    alt = f"Training and {images} curves of {'; '.join(run['name'] for run in drawn)}."
    return LiveChart(drawn, lines, alt)


def _lines(runs: Sequence[Run], curves: GrowingCurves) -> dict[str, Line]:
    return {
        f"{run.address}-{name}": live_lines.line(curves.curve(run.id, split))
        for run in runs
        for name, split in (("train", "train"), ("measured", run.recipe.evaluated_on))
    }


def _reference(library: Library) -> LiveChart | None:
    groups = [group for group in library.groups(DEFAULT, "reference") if group.recipe.published]
    if not groups:
        return None
    runs = [group.runs[0] for group in groups]
    looks = charts.looks([(run.recipe.model, _name(run, ())) for run in runs])
    drawn = [
        {
            "id": run.address,
            "name": f"{look.name}, reference run",
            "measured": "test",
            "group": look.name,
            "color": charts.GREY,
            "symbol": look.symbol,
            "dash": dash,
        }
        for run, look, dash in zip(runs, looks, itertools.cycle(charts.DASHES), strict=False)
    ]
    alt = f"Training and test curves of {'; '.join(run['name'] for run in drawn)}."
    return LiveChart(drawn, _lines(runs, GrowingCurves(library.stores["reference"])), alt)
