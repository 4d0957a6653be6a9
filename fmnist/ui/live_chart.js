// Curves that grow in place: the browser's half of fmnist/ui/live_chart.py.
//
// Streamlit calls the default export at the start and whenever `data` has changed. Everything that the viewer
// chose (zoom, hidden models, scale, smoothing) lives in the page and is never touched by new points.

const PANELS = { accuracy: "Accuracy", loss: "Loss (cross-entropy)" };
const NARROW = 480; // pixels

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".live");
  root.live ??= start(root);
  root.live.show(data);
}

function start(root) {
  const choice = { x: "step", scale: "linear", smoothing: 0 };
  let data = null;

  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const draw = () => {
    if (!root.isConnected) {
      dark.removeEventListener("change", draw);
      window.removeEventListener("fmnist-plotly", draw);
      return;
    }
    if (!data || !window.fmnistPlotly) return;
    for (const metric of Object.keys(PANELS)) {
      const panel = root.querySelector(`.${metric}`);
      panel.setAttribute("aria-label", `${PANELS[metric]}. ${data.alt}`);
      window.fmnistPlotly.react(panel, traces(data, metric, choice), layout(root, metric, choice), {
        displaylogo: false,
        responsive: true,
        modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
      });
    }
  };

  for (const button of root.querySelectorAll("button")) {
    button.onclick = () => {
      const { choose, value } = button.dataset;
      choice[choose] = value;
      for (const other of root.querySelectorAll(`button[data-choose="${choose}"]`)) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      draw();
    };
  }
  root.querySelector("input").oninput = (event) => {
    choice.smoothing = Number(event.target.value);
    draw();
  };
  dark.addEventListener("change", draw);
  window.addEventListener("fmnist-plotly", draw);

  return {
    show(newData) {
      data = newData;
      draw();
    },
  };
}

function traces(data, metric, { x, smoothing }) {
  const values = metric === "accuracy" ? ".1%" : ".3f";
  const named = new Set();
  const drawn = [];
  for (const run of data.runs) {
    for (const split of ["train", "test"]) {
      const points = run[split];
      if (!points.step.length) continue;
      drawn.push({
        uid: `${run.id}-${split}`,
        type: "scatter",
        mode: split === "train" ? "lines" : "lines+markers",
        x: points[x],
        y: split === "train" ? smooth(points[metric], smoothing) : points[metric],
        name: run.group,
        legendgroup: run.group,
        showlegend: !named.has(run.group),
        opacity: split === "train" ? 0.7 : 1,
        line: { color: run.color, dash: run.dash, width: split === "train" ? 1.2 : 2.5 },
        marker: { color: run.color, symbol: run.symbol, size: 10, line: { color: "white", width: 1.5 } },
        hovertemplate: `%{y:${values}} at ${x} %{x:,.4~g}<extra>${run.name}, ${split}</extra>`,
      });
      named.add(run.group);
    }
  }
  return drawn;
}

// The exponential moving average of TensorBoard, without its bias towards 0 at the start.
function smooth(values, weight) {
  if (!weight) return values;
  let mean = 0;
  return values.map((value, index) => {
    mean = weight * mean + (1 - weight) * value;
    return mean / (1 - weight ** (index + 1));
  });
}

function layout(root, metric, { x, scale }) {
  const style = getComputedStyle(root);
  const text = style.getPropertyValue("--st-text-color") || style.color;
  const grid = style.getPropertyValue("--st-border-color") || "#8885";
  const log = metric === "loss" && scale === "log";
  return {
    // As long as these stay the same, Plotly keeps what the viewer did to the axes and the legend.
    uirevision: "kept",
    xaxis: {
      title: { text: x === "step" ? "Step" : "Seconds of training" },
      gridcolor: "transparent", zeroline: false, rangemode: "tozero", uirevision: x, automargin: true,
    },
    yaxis: {
      title: { text: PANELS[metric] }, gridcolor: grid, zeroline: false, automargin: true,
      type: log ? "log" : "linear", uirevision: scale, tickformat: metric === "accuracy" ? ".0%" : "",
      autorangeoptions: metric === "accuracy" ? { clipmin: 0, clipmax: 1 } : {},
    },
    height: root.clientWidth < NARROW ? 300 : 380,
    margin: { l: 8, r: 8, t: 36, b: 8 },
    legend: { orientation: "h", yanchor: "bottom", y: 1.02, x: 0 },
    font: { family: style.fontFamily, color: text, size: 12 },
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    hovermode: "closest",
    hoverlabel: { align: "left" },
    modebar: { bgcolor: "transparent", color: grid, activecolor: text },
  };
}
