// Brings plotly.js into the page: the browser's half of fmnist/ui/plotly_loader.py.
//
// The browser fetches it once, over HTTP: through the session's own connection it would be sent to each viewer anew,
// 5 MB that the server would hold several times over.

export default function ({ data }) {
  if (window.fmnistPlotly || document.querySelector("script[data-fmnist]")) return;
  if (data.soon) fetchAhead(data);
  else load(data);
}

// It is not run yet: that would hold up whoever draws a line meanwhile.
function fetchAhead({ path, module }) {
  if (document.querySelector("link[data-fmnist]")) return;
  const link = document.createElement("link");
  link.dataset.fmnist = "plotly";
  link.rel = module ? "modulepreload" : "prefetch";
  link.fetchPriority = "low";
  link.href = address(path);
  document.head.append(link);
}

function load({ path, module }) {
  const script = document.createElement("script");
  const end = (failed) => {
    window.fmnistPlotly = failed ? undefined : window.Plotly;
    window.fmnistPlotlyFailed = failed;
    window.dispatchEvent(new Event("fmnist-plotly"));
  };
  script.dataset.fmnist = "plotly";
  if (module) script.type = "module";
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
