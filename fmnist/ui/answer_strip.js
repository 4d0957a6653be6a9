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
  root.querySelector(".legend").replaceChildren(...kept(root.querySelector(".legend"), data.rows.map(inLegend)));
  const list = root.querySelector(".images");
  if (list.children.length !== data.images.length) list.replaceChildren(...data.images.map(item));
  data.images.forEach((image, place) => {
    const [picture, title, answers] = list.children[place].children;
    picture.style.backgroundPositionX = `${(100 * place) / Math.max(1, data.images.length - 1)}%`;
    picture.setAttribute("aria-label", `Test image ${image.number}`);
    change(title, image.short);
    title.title = image.label;
    const rows = data.rows.map((row) => answer(row, row.answers[place], image));
    answers.replaceChildren(...kept(answers, rows));
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

function answer({ name, color }, { label, short }, image) {
  const right = label === image.label;
  const mark = element("span", [right ? "✓" : "✗"]);
  mark.setAttribute("aria-hidden", "true");
  const node = element("li", [mark, hidden(`${name}: `), ` ${short}`, hidden(right ? ", right" : ", wrong")]);
  node.className = right ? "right" : "wrong";
  node.style.setProperty("--model", color);
  node.title = `${name}: ${label}, ${right ? "right" : `wrong: it is ${image.label}`}`;
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

function change(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
