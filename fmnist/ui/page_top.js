// The browser's half of fmnist/ui/page.py: a page begins at its top. Streamlit leaves the window, now and then, where the
// link stood on the page before, which on a phone is below all that the new page answers.

const PATIENCE = 4000; // Milliseconds that a page may take to be drawn.
const HANDS = ["wheel", "touchstart", "pointerdown", "keydown"]; // Whoever scrolls meanwhile is left alone.

let shown; // The page, as long as this browser tab is open.

export default function ({ data }) {
  if (shown !== undefined && shown !== data.page) stayAtTheTop();
  shown = data.page;
}

function stayAtTheTop() {
  const page = document.querySelector("[data-testid=stMain]");
  const until = performance.now() + PATIENCE;
  const hands = new AbortController();
  for (const hand of HANDS) addEventListener(hand, () => hands.abort(), { capture: true, signal: hands.signal });
  const look = () => {
    if (hands.signal.aborted) return;
    page?.scrollTo(0, 0);
    const rests = document.querySelector("[data-testid=stApp][data-test-script-state=notRunning]");
    if (rests || performance.now() > until) hands.abort();
    else requestAnimationFrame(look);
  };
  look();
}
