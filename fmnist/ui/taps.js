// The browser's half of fmnist/ui/taps.py.

export default function () {
  document.addEventListener("touchstart", hover, { capture: true, passive: true }); // Once, however often it is drawn.
  return () => document.removeEventListener("touchstart", hover, { capture: true });
}

function hover(event) {
  const plot = event.target.closest?.(".js-plotly-plot .nsewdrag");
  if (!plot || event.touches.length > 1) return;
  const { clientX, clientY } = event.touches[0];
  plot.dispatchEvent(new MouseEvent("mousemove", { bubbles: true, clientX, clientY }));
}
