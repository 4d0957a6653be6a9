// Curves that grow in place: the browser's half of fmnist/ui/live_chart.py.
//
// Streamlit calls the default export at the start and whenever `data` has changed. Everything that the viewer
// chose (zoom, hidden models, scale, smoothing) lives in the page and is never touched by new points.

const PANELS = { accuracy: "Accuracy", loss: "Loss (cross-entropy)" };
const NARROW = 480; // pixels
const MAX_MARKS = 40; // On a line: more would hide it.
const BEGINNING = 0.25; // The share of a line's points that the axis of accuracy need not show, once it has some:
const MIN_LATER = 6;
const STEP = 0.05; // To whole multiples of it, so that the axis stands still while curves move a little.
const MAX_HOVERED = 6; // Runs of which what is measured after each epoch is told too: of more, the box would be higher than the chart.
const TOOLBAR = 36, LINE = 19; // Pixels: above the legend, for Plotly's toolbar; and of each line of the legend.
const LETTER = 6.3, SAMPLE = 48; // Pixels: of a letter of the legend, on average, and of what stands before its words.
const LONG = 8000; // Characters of points in a message, after which the server is told what need not come again.

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".live");
  root.live ??= start(root);
  root.live.show(data, (marks) => setStateValue("marks", marks));
}

function start(root) {
  const choice = { x: "step", scale: "linear", smoothing: 0, whole: false };
  const lines = new Map(); // By name, such as "12-train": version, settled, and the columns of its points.
  let data = null, told = null, waiting = false;

  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const draw = () => {
    waiting = false;
    if (!root.isConnected) {
      dark.removeEventListener("change", draw);
      window.removeEventListener("fmnist-plotly", draw);
      return;
    }
    sayFailed(root, window.fmnistPlotlyFailed);
    if (!data || !window.fmnistPlotly || !root.clientWidth) return; // In a tab that is not open it has no width.
    for (const metric of Object.keys(PANELS)) {
      const panel = root.querySelector(`.${metric}`);
      panel.setAttribute("aria-label", `${PANELS[metric]}. ${data.alt}`);
      const legend = wrapped(data.runs, panel.clientWidth);
      const drawn = traces(data.runs, lines, metric, choice, legend.names);
      window.fmnistPlotly.react(panel, drawn, layout(root, metric, choice, lines, legend.height), {
        displaylogo: false,
        showSendToCloud: false, // By default plotly.js offers to upload it.
        responsive: true,
        doubleClick: "autosize",
        modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
      });
      hoverAgain(panel);
      panel.fmnistHears ??= panel.on("plotly_doubleclick", () => {
        // What was zoomed in is shown as before; then all of the accuracy, from the first step on; then again a part.
        const { xaxis, yaxis } = panel.layout;
        if (metric !== "accuracy" || !xaxis.autorange || !yaxis.autorange) return;
        choice.whole = !choice.whole;
        draw();
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
  let width = root.clientWidth;
  new ResizeObserver(() => {
    if (!width && root.clientWidth) draw(); // Its tab is open again.
    width = root.clientWidth;
  }).observe(root);

  return {
    show(newData, tell) {
      data = newData;
      const marks = take(lines, data);
      if (marks && JSON.stringify(marks) !== told) {
        told = JSON.stringify(marks);
        tell(marks);
      }
      if (!waiting) requestAnimationFrame(draw);
      waiting = true;
    },
  };
}

// New points take the box away that a still pointer has called up: call it up again, with the new values.
function hoverAgain(panel) {
  panel.onmousemove ??= (event) => (panel.pointer = event);
  panel.onmouseleave ??= () => (panel.pointer = null);
  if (panel.pointer && !panel.pointer.buttons) window.fmnistPlotly.Fx.hover(panel, panel.pointer, "xy");
}

// Bring the lines up to date. Returns what the server shall know of them from now on; nothing if it knows enough.
function take(lines, { runs, lines: news }) {
  const shown = new Set(runs.flatMap(({ id }) => [`${id}-train`, `${id}-measured`]));
  for (const name of lines.keys()) if (!shown.has(name)) lines.delete(name);
  let length = 0;
  for (const [name, { version, settled, after, points }] of Object.entries(news)) {
    const held = lines.get(name);
    // The server believes that we have what we have not: this chart has just been put into the page.
    if (after >= 0 && (held?.version !== version || held.settled < after)) return {};
    const kept = after < 0 ? 0 : held.step.filter((step) => step <= after).length;
    const columns = Object.entries(decoded(points)).map(([column, values]) => {
      const joined = new values.constructor(kept + values.length);
      if (kept) joined.set(held[column].subarray(0, kept));
      joined.set(values, kept);
      return [column, joined];
    });
    lines.set(name, { version, settled, ...Object.fromEntries(columns) });
    length += points.length;
  }
  if (length < LONG) return null;
  return Object.fromEntries([...lines].map(([name, { version, settled }]) => [name, [version, settled]]));
}

// Points as `live_lines.encoded` writes them.
function decoded(points) {
  const { buffer } = Uint8Array.from(atob(points), (letter) => letter.charCodeAt(0));
  const count = buffer.byteLength / 16;
  const column = (place) => new Float32Array(buffer, 4 * count * place, count);
  return { step: new Int32Array(buffer, 0, count), seconds: column(1), loss: column(2), accuracy: column(3) };
}

function sayFailed(root, address) {
  const place = root.querySelector("[role=alert]");
  place.hidden = !address;
  root.querySelector(".panels").hidden = Boolean(address);
  const text = address
    ? `The curves can't be drawn: ${address} could not be loaded. Reload the page; if that does not help, the proxy ` +
      "between this browser and the dashboard does not pass on that address."
    : "";
  if (place.textContent !== text) place.textContent = text;
}

// The names of the groups as the legend has them, by group, in lines that fit the panel; and how high the legend gets.
function wrapped(runs, width) {
  const room = Math.max(12, Math.floor((width - SAMPLE) / LETTER));
  const groups = [...new Set(runs.map(({ group }) => group))];
  const names = Object.fromEntries(groups.map((group) => [group, inLines(group, room)]));
  const longest = Math.max(0, ...groups.map((group) => Math.min(room, group.length)));
  const beside = Math.max(1, Math.floor(width / (longest * LETTER + SAMPLE)));
  let count = 0;
  for (let first = 0; first < groups.length; first += beside) {
    count += Math.max(...groups.slice(first, first + beside).map((group) => names[group].length));
  }
  return { names: Object.fromEntries(groups.map((group) => [group, names[group].join("<br>")])), height: LINE * count };
}

function inLines(text, room) {
  const found = [""];
  for (const word of text.split(" ")) {
    const last = found.length - 1, longer = `${found[last]} ${word}`.trim();
    if (longer.length <= room || !found[last]) found[last] = longer;
    else found.push(word);
  }
  return found;
}

function traces(runs, lines, metric, { x, smoothing }, names) {
  const values = metric === "accuracy" ? ".1%" : ".3f";
  const where = x === "step" ? "at step %{x:,d}" : "at %{x:,.3~g} s";
  const named = new Set();
  const drawn = [];
  for (const run of runs) {
    for (const split of ["train", "measured"]) {
      const points = lines.get(`${run.id}-${split}`);
      if (!points?.step.length) continue;
      drawn.push({
        uid: `${run.id}-${split}`,
        type: "scatter",
        mode: split === "train" ? "lines" : "lines+markers",
        x: points[x],
        y: split === "train" ? smooth(points[metric], smoothing) : points[metric],
        name: names[run.group],
        legendgroup: run.group,
        showlegend: !named.has(run.group),
        opacity: split === "train" ? 0.7 : 1,
        line: { color: run.color, dash: run.dash, width: split === "train" ? 1.2 : 2.5 },
        marker: {
          color: run.color, symbol: run.symbol, size: 10, line: { color: "white", width: 1.5 }, maxdisplayed: MAX_MARKS,
        },
        hovertemplate: `%{y:${values}}${split === "measured" ? ` ${where}` : ""}<extra>${run.name}, ${split === "train" ? split : run.measured}</extra>`,
        ...(split === "measured" && runs.length > MAX_HOVERED && { hoverinfo: "skip", hovertemplate: undefined }),
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

// From where on the axis of accuracy shows curves that have left their first steps: the lowest of what came later.
function lowest(lines) {
  let low = 1;
  for (const { accuracy } of lines.values()) {
    const later = accuracy.slice(Math.max(MIN_LATER, Math.floor(BEGINNING * accuracy.length))).sort();
    if (later.length) low = Math.min(low, later[Math.floor(0.02 * later.length)]);
  }
  return low < 1 ? Math.max(0, STEP * Math.floor(low / STEP - 0.2)) : 0;
}

function layout(root, metric, { x, scale, whole }, lines, legend) {
  const style = getComputedStyle(root);
  const text = style.getPropertyValue("--st-text-color") || style.color;
  const grid = style.getPropertyValue("--st-border-color") || "#8885";
  const log = metric === "loss" && scale === "log";
  const height = (root.clientWidth < NARROW ? 315 : 395) + Math.max(0, legend - LINE);
  return {
    // As long as these stay the same, Plotly keeps what the viewer did to the axes and the legend.
    uirevision: "kept",
    xaxis: {
      title: { text: x === "step" ? "Step" : "Seconds of training" },
      unifiedhovertitle: { text: x === "step" ? "step %{x:,d}" : "%{x:,.3~g} s" },
      gridcolor: "transparent", zeroline: false, rangemode: "tozero", uirevision: x, automargin: true,
    },
    yaxis: {
      title: { text: PANELS[metric] }, gridcolor: grid, zeroline: false, automargin: true,
      type: log ? "log" : "linear", uirevision: scale, tickformat: metric === "accuracy" ? ".0%" : "",
      autorangeoptions: metric === "accuracy" ? { clipmin: whole ? 0 : lowest(lines), clipmax: 1 } : {},
    },
    height,
    margin: { l: 8, r: 8, t: 8, b: 8 },
    legend: { orientation: "h", yref: "container", yanchor: "top", y: 1 - TOOLBAR / height, x: 0 },
    font: { family: style.fontFamily, color: text, size: 12 },
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    hovermode: "x unified", // All runs at one step, with their values.
    hoverlabel: { align: "left", bgcolor: style.getPropertyValue("--st-background-color") || undefined, namelength: -1 },
    modebar: { bgcolor: "transparent", color: grid, activecolor: text },
  };
}
