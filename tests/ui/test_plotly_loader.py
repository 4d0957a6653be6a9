"""plotly.js: which one a browser is told to load."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from fmnist.ui import plotly_loader


def test_it_is_the_one_that_streamlit_has_for_its_own_charts():
    path, is_module = plotly_loader._place()
    assert is_module and (plotly_loader.SCRIPTS.parent.parent / path).is_file()


def test_it_is_that_of_the_plotly_package_where_streamlit_keeps_its_own_to_itself(monkeypatch, tmp_path):
    served = []
    files = SimpleNamespace(add=lambda path, *_: served.append(Path(path)) or "/media/plotly.js")
    monkeypatch.setattr(plotly_loader, "SCRIPTS", tmp_path)
    monkeypatch.setattr(plotly_loader.runtime, "exists", lambda: True)
    monkeypatch.setattr(plotly_loader.runtime, "get_instance", lambda: SimpleNamespace(media_file_mgr=files))
    (tmp_path / "PlotlyChart.abc.js").write_text("export const chart = 1")
    plotly_loader._streamlits.cache_clear()
    try:
        assert plotly_loader._place() == ("media/plotly.js", False)
        assert b"plotly.js" in served[0].read_bytes()[:100]
    finally:
        plotly_loader._streamlits.cache_clear()
