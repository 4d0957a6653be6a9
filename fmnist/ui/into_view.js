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
    const image = target?.querySelector("img");
    if ((!rests || !image?.offsetHeight) && performance.now() < until) return requestAnimationFrame(look);
    if (target) bring(target, image?.closest("figure") ?? image ?? target);
  };
  requestAnimationFrame(look);
}

function bring(target, first) {
  if (target.getBoundingClientRect().top >= HEADER && first.getBoundingClientRect().bottom <= innerHeight) return;
  target.style.scrollMarginTop = `${HEADER}px`;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  target.scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
}
