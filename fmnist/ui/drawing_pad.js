// The drawing pad: the browser's half of fmnist/ui/drawing_pad.py.
//
// A drawing is a list of strokes in units of the pad, 0 to 280 both ways. The server draws them again to show them to
// the models; here they are drawn for the hand. Strokes live in the page; each change is sent once it is complete.

const SIDE = 280;
const STEP = 4; // Units that the pen moves with an arrow key; with Shift a quarter of it.
const NEAR = { mouse: 12, touch: 24 }; // Units around a polygon's first corner where a tap closes it.
const BEGUN = "fmnist-drawing-begun"; // The last drawing that the server has put here.
const KEPT = "fmnist-drawing"; // Where the browser keeps the drawing of this tab, for a reload.

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".pad");
  root.pad ??= start(root, data.strokes, data.begun, (strokes) => setStateValue("strokes", strokes));
  root.pad.show(data.trace, data.fillings);
}

function start(root, known, begun, setStrokes) {
  const canvas = root.querySelector("canvas");
  const choice = { tool: "outline", shade: 34, width: 24 };
  // What is in the page, or was before a reload, is newer than what the server knows, unless that is a new drawing.
  let strokes = kept(begun) ?? JSON.parse(JSON.stringify(known)), undone = [], trace = null, fillings = [];
  let now = null; // The stroke that is being made.
  let hand = null; // The pointer that makes it: a second finger changes nothing.
  let pen = { x: SIDE / 2, y: SIDE / 2, shown: false }; // For the keyboard.

  const send = () => {
    keep(strokes);
    setStrokes(strokes);
  };
  const finish = (tell = send) => {
    const stroke = now;
    now = hand = null;
    if (stroke && visible(stroke)) {
      strokes.push(stroke);
      undone = [];
      tell();
    }
    draw();
  };
  // Leaving the pad may be the way to another page, which a rerun of this one would delay.
  const sendIfStillHere = () => {
    keep(strokes);
    setTimeout(() => canvas.isConnected && send(), 300);
  };
  const begin = (point) => {
    const kind = choice.tool === "outline" ? "polygon" : choice.tool;
    const shape = kind === "box" || kind === "circle";
    now = { kind, points: shape ? [point, point] : [point], shade: choice.shade, width: choice.width };
  };
  const extend = (point) => {
    if (now.kind === "box" || now.kind === "circle") now.points[1] = point;
    // A fast mouse tells a thousand points a second; those within a tenth of a pixel of the image say nothing.
    else if (distance(point, now.points[now.points.length - 1]) >= 1) now.points.push(point);
  };
  const corner = (point, near = NEAR.mouse) => {
    if (now && now.points.length > 2 && distance(point, now.points[0]) < near) return finish();
    if (now) now.points.push(point);
    else begin(point);
    draw();
  };
  const undo = () => {
    if (now?.points.length > 1 && choice.tool === "polygon") now.points.pop();
    else if (now) now = hand = null;
    else if (strokes.length) {
      undone.push(strokes.pop());
      send();
    }
    draw();
  };
  const redo = () => {
    if (!undone.length) return;
    strokes.push(undone.pop());
    send();
    draw();
  };
  const clear = () => {
    now = hand = null;
    if (strokes.length) {
      undone = strokes.reverse(); // Redo brings it back, stroke by stroke.
      strokes = [];
      send();
    }
    draw();
  };

  const buttons = Object.fromEntries(["undo", "redo", "clear"].map((name) => [name, root.querySelector(`[data-value="${name}"]`)]));
  const draw = () => {
    const pixels = Math.round(canvas.clientWidth * (window.devicePixelRatio || 1)) || SIDE;
    if (canvas.width !== pixels) canvas.width = canvas.height = pixels;
    const context = canvas.getContext("2d");
    context.setTransform(pixels / SIDE, 0, 0, pixels / SIDE, 0, 0);
    context.fillStyle = "#fff";
    context.fillRect(0, 0, SIDE, SIDE);
    for (const [place, stroke] of (now ? [...strokes, now] : strokes).entries()) {
      for (const filling of fillings) if (filling.before === place) paint(context, filling);
      paint(context, stroke);
    }
    if (trace?.complete && trace.naturalWidth) {
      context.globalAlpha = 0.25;
      context.drawImage(trace, 0, 0, SIDE, SIDE);
      context.globalAlpha = 1;
    }
    if (now && choice.tool === "polygon") open(context, now.points);
    if (pen.shown) cross(context, pen);
    buttons.undo.disabled = buttons.clear.disabled = !strokes.length && !now;
    buttons.redo.disabled = !undone.length;
  };

  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE].map(rounded);
  };
  canvas.onpointerdown = (event) => {
    if (event.button !== 0 || !event.isPrimary || hand !== null) return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    pen.shown = false;
    if (choice.tool === "polygon") return corner(at(event), event.pointerType === "touch" ? NEAR.touch : NEAR.mouse);
    if (now) finish(); // The keyboard's pen is still down.
    hand = event.pointerId;
    canvas.setPointerCapture(hand);
    begin(at(event));
    draw();
  };
  canvas.onpointermove = (event) => {
    if (event.pointerId !== hand || !now) return;
    if (!event.buttons) return finish(); // It was lifted where nobody told us: over another window, say.
    for (const part of event.getCoalescedEvents?.() ?? [event]) extend(at(part));
    draw();
  };
  canvas.onpointerup = canvas.onpointercancel = (event) => event.pointerId === hand && finish();
  canvas.ondblclick = () => choice.tool === "polygon" && now && finish();
  canvas.oncontextmenu = (event) => event.preventDefault(); // A finger that rests would open it.

  // Arrow keys move the pen, space puts it down and lifts it (or sets a corner), Enter ends a polygon.
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.onkeydown = (event) => {
    if (hand !== null) return;
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
  canvas.onblur = (event) => {
    if (root.getRootNode().activeElement === canvas) return; // Only the window has lost it, and will have it again.
    pen.shown = false;
    // Who goes to a button of the pad has not done yet with a polygon; who leaves, has, and it is not lost.
    if (now && !(choice.tool === "polygon" && root.contains(event.relatedTarget))) finish(sendIfStillHere);
    else draw();
  };

  for (const button of root.querySelectorAll("button[aria-pressed]")) {
    button.onclick = () => {
      const { group, value } = button.dataset;
      if (group === "tool") finish();
      choice[group] = group === "tool" ? value : Number(value);
      for (const other of root.querySelectorAll(`button[data-group="${group}"]`)) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      draw();
    };
  }
  for (const [name, action] of Object.entries({ undo, redo, clear })) {
    buttons[name].onclick = () => {
      action();
      if (buttons[name].disabled) canvas.focus({ preventScroll: true }); // Else the focus would be nowhere.
    };
  }
  new ResizeObserver(draw).observe(canvas);
  if (JSON.stringify(strokes) !== JSON.stringify(known)) send();

  return {
    show(address, filled) {
      fillings = filled;
      if ((trace?.src ?? "") !== address) {
        trace = address ? new Image() : null;
        if (trace) {
          trace.onload = draw;
          trace.src = address;
        }
      }
      draw();
    },
  };
}

// Whether anything is to be seen of a stroke: a click with a shape, or two corners, leave nothing.
function visible({ kind, points }) {
  if (kind === "polygon") return points.length > 2;
  return kind === "brush" || points[0].every((value, axis) => Math.abs(value - points[1][axis]) >= 1);
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
  context.arc(...points[0], NEAR.mouse / 2, 0, 7);
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
const distance = (one, other) => Math.hypot(one[0] - other[0], one[1] - other[1]);

// A browser may refuse to keep anything; then a reload begins with an empty pad.
function keep(strokes) {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(strokes));
  } catch {}
}

function kept(begun) {
  try {
    if (begun && sessionStorage.getItem(BEGUN) !== begun) {
      sessionStorage.setItem(BEGUN, begun);
      return null;
    }
    const strokes = JSON.parse(sessionStorage.getItem(KEPT));
    return Array.isArray(strokes) ? strokes : null;
  } catch {
    return null;
  }
}
