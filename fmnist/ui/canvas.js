// The browser's half of fmnist/ui/canvas.py: the tools over streamlit-drawable-canvas, and what that one lacks.
//
// Its own toolbar lies invisible over the drawing and would swallow strokes; of it only what belongs to "Move" is shown.
// It tells the server of a stroke 200 ms later; we have it do so at once, so that nothing is lost by leaving. And it
// keeps nothing for a reload: we keep what the server has understood.

const KEPT = "fmnist-drawing"; // As for the own pad: a drawing goes over from one to the other.
const PATIENCE = 5000; // Milliseconds that the canvas may take to be there.
const MAX_PRESSES = 50; // Of buttons, that may follow each other before the server answers.
const LABEL = "Drawing canvas, for the mouse";
const STYLE = `
.dc-canvas, .upper-canvas { border-radius: 8px; }
.dc-toolbar-card > :not(.dc-toolbar-contextual) { display: none; }
.dc-toolbar { visibility: hidden; }
.dc-toolbar:has(.dc-toolbar-contextual[style*="flex"]) {
  visibility: visible; opacity: 1; padding: 0; top: 6px !important; right: 6px;
}`;

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".pad");
  root.tools ??= start(root, setStateValue, setTriggerValue);
  root.tools.show(data);
  return () => root.tools.end();
}

function start(root, setStateValue, setTriggerValue) {
  const buttons = [...root.querySelectorAll("button")];
  let shown = null, pressed = false, watched = null, asked = null;

  const canvas = () => document.querySelector(`.st-key-${shown.canvas} [data-testid^=stBidiComponent]`)?.shadowRoot;
  const surface = () => canvas()?.querySelector("canvas.upper-canvas");
  const edit = () => canvas()?.querySelector('.dc-icon-button[aria-label="Edit"]');
  const agree = () => {
    const button = edit();
    if (button && (button.getAttribute("aria-pressed") === "true") !== (shown.choice.tool === "move")) button.click();
  };
  const watcher = new MutationObserver(agree);
  const attend = (until) => {
    const button = edit();
    if (!button) {
      if (performance.now() < until) requestAnimationFrame(() => attend(until));
      return;
    }
    if (watched !== button) {
      watched = button;
      watcher.disconnect();
      watcher.observe(button, { attributeFilter: ["aria-pressed"] });
      canvas().append(Object.assign(document.createElement("style"), { textContent: STYLE }));
      surface()?.setAttribute("role", "img");
      surface()?.setAttribute("aria-label", LABEL);
    }
    agree();
  };

  // The canvas has another tool only when the server has said so. Until then it takes no strokes: they would be made with
  // the former one, or be lost half-way. `asked` is what the server has not confirmed: an older choice that it still
  // sends is not shown.
  const wait = (busy) => {
    const place = canvas()?.host.closest(`.st-key-${shown.canvas}`);
    if (place) place.style.pointerEvents = busy ? "none" : "";
  };
  const release = (choice, mark, until) => {
    if (!isAnswered(choice)) return; // Another one has been asked for meanwhile.
    if (surface()?.closest(`[style*="max-height: ${mark}px"]`) || performance.now() > until) {
      asked = null;
      wait(false);
    } else requestAnimationFrame(() => release(choice, mark, until));
  };
  const isAnswered = (choice) => !asked || Object.keys(asked).every((group) => asked[group] === choice[group]);

  const down = (event) => {
    pressed = event.button === 0 && event.composedPath().some((part) => part.classList?.contains("upper-canvas"));
  };
  const up = () => {
    // Of a polygon there is nothing to be told before it is closed, and then it is told at once.
    if (pressed && shown.choice.tool !== "polygon") {
      setTimeout(() => canvas()?.querySelector('.dc-icon-button[aria-label^="Update"]')?.click());
    }
    pressed = false;
  };
  const undo = (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
    if (event.composedPath()[0].matches?.("input, textarea, [contenteditable]")) return;
    event.preventDefault();
    root.querySelector(`[data-value="${event.shiftKey ? "redo" : "undo"}"]`).click();
  };
  const listen = (change) => {
    change("mousedown", down, true);
    change("mouseup", up, true);
    change("keydown", undo);
  };
  listen(addEventListener);

  for (const button of buttons) {
    const { group, value } = button.dataset;
    button.onclick = () => {
      const change = { [group]: group === "tool" ? value : Number(value) };
      if (group === "do") press(value);
      else ask(change);
    };
  }
  const ask = (change) => {
    const choice = { ...shown.choice, ...change };
    // Of what is chosen already the server would say nothing, and nobody could draw.
    if (Object.keys(choice).some((group) => choice[group] !== shown.choice[group])) choose(choice, true);
  };
  const visit = String(Math.random()), presses = [];
  const press = (name) => {
    presses.push(name);
    setTriggerValue("pressed", { visit, count: presses.length, last: presses.slice(-MAX_PRESSES) });
  };
  const choose = (choice, tell) => {
    shown.choice = choice;
    for (const button of buttons) {
      const { group, value } = button.dataset;
      if (group !== "do") button.setAttribute("aria-pressed", String(String(choice[group]) === value));
    }
    agree();
    if (!tell) return;
    asked = choice;
    wait(true);
    setStateValue("choice", choice);
  };
  return {
    show(data) {
      shown = data;
      try {
        sessionStorage.setItem(KEPT, JSON.stringify(data.strokes));
      } catch {} // Then a reload begins with an empty pad.
      if (isAnswered(data.choice)) {
        const choice = { ...data.choice };
        choose(choice, false);
        release(choice, data.mark, performance.now() + PATIENCE);
      } else {
        choose(asked, false);
        wait(true); // The canvas may be a new one.
      }
      for (const button of buttons) if (button.dataset.group === "do") button.disabled = !data.can.includes(button.dataset.value);
      attend(performance.now() + PATIENCE);
    },
    end() {
      watcher.disconnect();
      listen(removeEventListener);
      root.tools = null;
    },
  };
}
