// A dozen test images with each model's present answers: the browser's half of fmnist/ui/answer_strip.py.
//
// The images are drawn once; of the answers, only what has changed is touched.

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".answers");
  if (data.picture && root.name !== data.name) {
    root.name = data.name;
    root.style.setProperty("--pictures", `url(${data.picture})`);
  }
  // So that the picture is not sent with each answer; again where this strip has just been put into the page.
  if ((root.name ?? "") !== data.held) setStateValue("name", root.name ?? "");
  const legend = root.querySelector(".legend ul");
  legend.replaceChildren(...kept(legend, data.rows.map(inLegend)));
  const list = root.querySelector(".images");
  if (list.children.length !== data.images.length) list.replaceChildren(...data.images.map(item));
  data.images.forEach((number, place) => {
    const [picture, title, answers] = list.children[place].children;
    const label = data.labels[place];
    picture.style.backgroundPositionX = `${(100 * place) / Math.max(1, data.images.length - 1)}%`;
    picture.setAttribute("aria-label", `Test image ${number}`);
    if (title.textContent !== data.short[label]) title.textContent = data.short[label];
    title.title = data.classes[label];
    answers.replaceChildren(...kept(answers, data.rows.map((row) => answer(row, row.answers[place], label, data))));
  });
}

// What is there already stays: it would blink, and be read out again.
function kept(parent, wanted) {
  return wanted.map((node, place) => (parent.children[place]?.isEqualNode(node) ? parent.children[place] : node));
}

function item() {
  const parts = ["span", "b", "ul"].map((tag) => document.createElement(tag));
  parts[0].setAttribute("role", "img");
  return element("li", parts);
}

function inLegend({ name, said, color }) {
  const node = element("li", [element("b", [name]), ` ${said}`]);
  node.style.setProperty("--model", color);
  return node;
}

function answer({ name, color }, said, label, { classes, short }) {
  const node = element("li", []);
  node.style.setProperty("--model", color);
  if (said === undefined) {
    node.append(hidden(`${name}: no answer yet`), "…");
    return node;
  }
  const right = said === label;
  const mark = element("span", [right ? "✓" : "✗"]);
  mark.setAttribute("aria-hidden", "true");
  node.append(mark, hidden(`${name}: `), ` ${short[said]}`, hidden(right ? ", right" : ", wrong"));
  node.className = right ? "right" : "wrong";
  node.title = `${name}: ${classes[said]}, ${right ? "right" : `wrong: it is ${classes[label]}`}`;
  return node;
}

function hidden(text) {
  const node = element("span", [text]);
  node.className = "read-only";
  return node;
}

function element(tag, children) {
  const node = document.createElement(tag);
  node.append(...children);
  return node;
}
