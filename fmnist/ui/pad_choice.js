// The browser's half of fmnist/ui/pad_choice.py: asks the browser what it is drawn with, and has the switch.

const CHOSEN = "fmnist-pad"; // Where the browser keeps which pad was chosen,
const KEPT = "fmnist-drawing"; // and where the pads keep the drawing of this tab.
const PATIENCE = 300; // Milliseconds that a window may still be changing its size.
const LABELS = { canvas: "Draw by touch or keyboard instead", pad: "Draw with the mouse instead" };

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".pad-choice");
  root.choice ??= start(root, data, (answer) => setStateValue("answer", answer));
}

function start(root, { known, widest }, tell) {
  const button = root.querySelector("button");
  let pad = read("localStorage", CHOSEN);
  if (!(pad in LABELS)) pad = known?.pad ?? (matchMedia("(pointer: coarse)").matches ? "pad" : "canvas");
  let side = 0, waiting = 0, strokes = read("sessionStorage", KEPT); // The drawing is told once: after a reload only we have it.
  const answer = () => {
    button.textContent = LABELS[pad];
    tell({ pad, side, strokes });
    strokes = null;
  };
  const measure = () => {
    const wide = Math.floor(Math.min(widest, root.clientWidth));
    if (!wide || wide === side) return;
    const first = !side;
    side = wide;
    if (first && known?.pad === pad && known?.side === side) button.textContent = LABELS[pad];
    else answer();
  };
  button.onclick = () => {
    pad = pad === "canvas" ? "pad" : "canvas";
    try {
      localStorage.setItem(CHOSEN, JSON.stringify(pad));
    } catch {} // It holds for this visit.
    answer();
  };
  new ResizeObserver(() => {
    clearTimeout(waiting);
    waiting = setTimeout(measure, side ? PATIENCE : 0);
  }).observe(root);
  return true;
}

function read(storage, name) {
  try {
    return JSON.parse(window[storage].getItem(name)); // Even naming a storage fails where the browser refuses it.
  } catch {
    return null;
  }
}
