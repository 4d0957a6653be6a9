// The browser's half of fmnist/ui/into_view.py.

const HEADER = 64; // Pixels at the top that Streamlit's header covers.
const PATIENCE = 4000; // Milliseconds that what was asked for may take to be drawn.

export default function ({ data, parentElement }) {
  if (!data.asked || parentElement.dataset.asked === data.asked) return;
  parentElement.dataset.asked = data.asked; // Once: it may be drawn again for other reasons.
  const until = performance.now() + PATIENCE;
  const look = () => {
    const target = document.querySelector(`.st-key-${data.target}`);
    const rests = document.querySelector("[data-testid=stApp][data-test-script-state=notRunning]");
    const image = data.images ? target?.querySelector("img") : null;
    const first = data.images ? (image?.closest("figure") ?? image) : target?.querySelector("h2");
    if ((!rests || !first?.offsetHeight) && performance.now() < until) return requestAnimationFrame(look);
    if (target) bring(target, data.images && first ? first : null);
  };
  requestAnimationFrame(look);
}

// What has images is in view if the first of them is; anything else if it begins in the upper half of the window.
function bring(target, image) {
  const top = target.getBoundingClientRect().top;
  const enough = image ? image.getBoundingClientRect().bottom <= innerHeight : top <= innerHeight / 2;
  if (top >= HEADER && enough) return;
  target.style.scrollMarginTop = `${HEADER}px`;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  target.scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
}
