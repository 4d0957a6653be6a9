// The drawing pad: the browser's half of fmnist/pad.py.
//
// A drawing is a list of strokes in units of the pad, 0 to 280 both ways. The server draws them again to show them to
// the models; here they are drawn for the hand. Strokes live in the page; each change is sent once it is complete.

const SIDE = 280;
const STEP = 4; // Units that the pen moves with an arrow key; with Shift a quarter of it.
const NEAR = 12; // Units around a polygon's first corner where a click closes it.

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".pad");
  root.pad ??= start(root, (strokes) => setStateValue("strokes", strokes));
  root.pad.show(data);
}

function start(root, send) {
  const canvas = root.querySelector("canvas");
  const choice = { tool: "brush", shade: 34, width: 24 };
  let strokes = [], undone = [], version = null, trace = null;
  let now = null; // The stroke that is being made.
  let pen = { x: SIDE / 2, y: SIDE / 2, shown: false }; // For the keyboard.

  const finish = () => {
    const stroke = now;
    now = null;
    if (stroke && !(choice.tool === "polygon" && stroke.points.length < 3)) {
      if (stroke.free) stroke.points = thinned(stroke.points);
      strokes.push({ kind: stroke.kind, points: stroke.points, shade: stroke.shade, width: stroke.width });
      undone = [];
      send(strokes);
    }
    draw();
  };
  const begin = (point) => {
    const kind = choice.tool === "outline" ? "polygon" : choice.tool;
    const shape = kind === "box" || kind === "circle";
    now = { kind, points: shape ? [point, point] : [point], shade: choice.shade, width: choice.width, free: choice.tool === "outline" };
  };
  const extend = (point) => {
    if (now.kind === "box" || now.kind === "circle") now.points[1] = point;
    else now.points.push(point);
  };
  const corner = (point) => {
    const first = now?.points[0];
    if (first && now.points.length > 2 && Math.hypot(first[0] - point[0], first[1] - point[1]) < NEAR) return finish();
    if (now) now.points.push(point);
    else begin(point);
    draw();
  };
  const undo = () => {
    if (now) now = null;
    else if (strokes.length) {
      undone.push(strokes.pop());
      send(strokes);
    }
    draw();
  };
  const redo = () => {
    if (!undone.length) return;
    strokes.push(undone.pop());
    send(strokes);
    draw();
  };
  const clear = () => {
    now = null;
    if (!strokes.length) return draw();
    undone = strokes.slice().reverse(); // Redo brings it back, stroke by stroke.
    strokes = [];
    send(strokes);
    draw();
  };

  const draw = () => {
    const pixels = Math.round(canvas.clientWidth * (window.devicePixelRatio || 1)) || SIDE;
    if (canvas.width !== pixels) canvas.width = canvas.height = pixels;
    const context = canvas.getContext("2d");
    context.setTransform(pixels / SIDE, 0, 0, pixels / SIDE, 0, 0);
    context.fillStyle = "#fff";
    context.fillRect(0, 0, SIDE, SIDE);
    for (const stroke of now ? [...strokes, now] : strokes) paint(context, stroke);
    if (trace?.complete && trace.naturalWidth) {
      context.globalAlpha = 0.25;
      context.drawImage(trace, 0, 0, SIDE, SIDE);
      context.globalAlpha = 1;
    }
    if (now && choice.tool === "polygon") open(context, now.points);
    if (pen.shown) cross(context, pen);
    root.querySelector('[data-do="undo"]').disabled = !strokes.length && !now;
    root.querySelector('[data-do="redo"]').disabled = !undone.length;
    root.querySelector('[data-do="clear"]').disabled = !strokes.length && !now;
  };

  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE].map(rounded);
  };
  canvas.onpointerdown = (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    pen.shown = false;
    if (choice.tool === "polygon") return corner(at(event));
    canvas.setPointerCapture(event.pointerId);
    begin(at(event));
    draw();
  };
  canvas.onpointermove = (event) => {
    if (!now || choice.tool === "polygon" || !canvas.hasPointerCapture(event.pointerId)) return;
    for (const part of event.getCoalescedEvents?.() ?? [event]) extend(at(part));
    draw();
  };
  canvas.onpointerup = canvas.onpointercancel = () => {
    if (now && choice.tool !== "polygon") finish();
  };
  canvas.ondblclick = () => choice.tool === "polygon" && now && finish();

  // Arrow keys move the pen, space puts it down and lifts it (or sets a corner), Enter ends a polygon.
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.onkeydown = (event) => {
    const command = event.ctrlKey || event.metaKey;
    if (command && event.key.toLowerCase() === "z") event.shiftKey ? redo() : undo();
    else if (command) return;
    else if (moves[event.key]) {
      const far = event.shiftKey ? STEP / 4 : STEP;
      pen.x = rounded(Math.min(SIDE, Math.max(0, pen.x + far * moves[event.key][0])));
      pen.y = rounded(Math.min(SIDE, Math.max(0, pen.y + far * moves[event.key][1])));
      if (now && choice.tool !== "polygon") extend([pen.x, pen.y]);
    } else if (event.key === " ") {
      if (choice.tool === "polygon") corner([pen.x, pen.y]);
      else if (now) finish();
      else begin([pen.x, pen.y]);
    } else if (event.key === "Enter") finish();
    else if (event.key === "Backspace" || event.key === "Delete") undo();
    else if (event.key === "Escape") now = null;
    else return;
    event.preventDefault();
    pen.shown = true;
    draw();
  };
  canvas.onblur = () => {
    pen.shown = false;
    if (now && choice.tool !== "polygon") finish();
    else draw();
  };

  for (const button of root.querySelectorAll("button[data-choose]")) {
    button.onclick = () => {
      const { choose, value } = button.dataset;
      choice[choose] = choose === "tool" ? value : Number(value);
      if (choose === "tool") now = null;
      for (const other of root.querySelectorAll(`button[data-choose="${choose}"]`)) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      draw();
    };
  }
  const actions = { undo, redo, clear };
  for (const button of root.querySelectorAll("button[data-do]")) button.onclick = actions[button.dataset.do];
  new ResizeObserver(draw).observe(canvas);

  return {
    show(data) {
      if (data.version !== version) {
        // Mounted, or given another drawing: otherwise what is in the page is newer than what the server knows.
        version = data.version;
        strokes = structuredClone(data.strokes);
        undone = [];
        now = null;
      }
      if ((trace?.src ?? "") !== data.trace) {
        trace = data.trace ? new Image() : null;
        if (trace) {
          trace.onload = draw;
          trace.src = data.trace;
        }
      }
      draw();
    },
  };
}

function paint(context, { kind, points, shade, width }) {
  context.fillStyle = context.strokeStyle = `rgb(${shade},${shade},${shade})`;
  const [[x, y], [otherX, otherY]] = [points[0], points[points.length - 1]];
  context.beginPath();
  if (kind === "brush") {
    context.lineWidth = width;
    context.lineCap = context.lineJoin = "round";
    context.moveTo(x, y);
    for (const point of points) context.lineTo(...point);
    context.stroke();
  } else if (kind === "polygon") {
    for (const point of points) context.lineTo(...point);
    context.closePath();
    context.fill();
  } else if (kind === "box") context.fillRect(Math.min(x, otherX), Math.min(y, otherY), Math.abs(otherX - x), Math.abs(otherY - y));
  else {
    context.ellipse((x + otherX) / 2, (y + otherY) / 2, Math.abs(otherX - x) / 2, Math.abs(otherY - y) / 2, 0, 0, 7);
    context.fill();
  }
}

// A polygon's corners so far, and its first one, where it is closed.
function open(context, points) {
  context.strokeStyle = "#D81B60";
  context.lineWidth = 1.5;
  context.beginPath();
  for (const point of points) context.lineTo(...point);
  context.stroke();
  context.beginPath();
  context.arc(...points[0], NEAR / 2, 0, 7);
  context.stroke();
}

function cross(context, { x, y }) {
  context.strokeStyle = "#D81B60";
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x - 8, y);
  context.lineTo(x + 8, y);
  context.moveTo(x, y - 8);
  context.lineTo(x, y + 8);
  context.stroke();
}

const rounded = (number) => Math.round(number * 10) / 10;

// An outline has a point for each move of the hand; at 28 pixels, those two units apart say the same.
function thinned(points) {
  const kept = [points[0]];
  for (const point of points) {
    const last = kept[kept.length - 1];
    if (Math.hypot(point[0] - last[0], point[1] - last[1]) >= 2) kept.push(point);
  }
  return kept;
}
