// The browser's half of fmnist/ui/taps.py. The report of fmnist/compare/report.py does the same.

export default function () {
  document.addEventListener("touchstart", keepFromCharts, { capture: true, passive: true }); // Once, however often it is drawn.
  return () => document.removeEventListener("touchstart", keepFromCharts, { capture: true });
}

function keepFromCharts(event) {
  if (event.target.closest?.(".js-plotly-plot")) event.stopPropagation();
}
