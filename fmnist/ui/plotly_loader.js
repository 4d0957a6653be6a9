// Brings plotly.js into the page for the live chart (fmnist/ui/live_chart.py).
//
// The browser fetches it once, over HTTP: through the session's own connection it would be sent to each viewer anew,
// 5 MB that the server would hold several times over.

const LATER = 1000; // Milliseconds, in a browser that does not tell when it has nothing else to do: Safari.

export default function ({ data }) {
  if (!data.soon) load(data.path);
  else if (window.requestIdleCallback) window.requestIdleCallback(() => load(data.path), { timeout: 5000 });
  else setTimeout(() => load(data.path), LATER);
}

function load(path) {
  if (window.fmnistPlotly || document.querySelector("script[data-fmnist]")) return;
  const script = document.createElement("script");
  const end = (failed) => {
    window.fmnistPlotly = failed ? undefined : window.Plotly;
    window.fmnistPlotlyFailed = failed;
    window.dispatchEvent(new Event("fmnist-plotly"));
  };
  script.dataset.fmnist = "plotly";
  script.src = address(path);
  script.onerror = () => {
    script.remove(); // The next visit tries again.
    end(script.src);
  };
  script.onload = () => (window.Plotly ? end() : script.onerror()); // A proxy may have answered with a page of its own.
  document.head.append(script);
}

// A file of the server, from where this browser has Streamlit's own script: a proxy may have put something before the
// server's addresses, of which the server knows nothing.
function address(path) {
  const own = document.querySelector('script[src*="static/js/"]')?.src;
  const root = own ? own.slice(0, own.lastIndexOf("static/js/")) : new URL(".", document.baseURI).href;
  return root + path;
}
