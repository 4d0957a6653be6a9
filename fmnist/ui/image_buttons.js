// Images that can be clicked: the browser's half of `image_buttons` in fmnist/ui/image_tiles.py.

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".tiles");
  const drawn = JSON.stringify(data.tiles);
  if (root.drawn !== drawn) {
    root.drawn = drawn;
    root.replaceChildren(...data.tiles.map(figure));
  }
  for (const button of root.querySelectorAll("button")) {
    const number = Number(button.dataset.number);
    button.setAttribute("aria-pressed", String(number === data.open));
    button.onclick = () => setTriggerValue("opened", number);
  }
}

function figure({ number, address, lines }) {
  const [tile, button, image, caption] = ["figure", "button", "img", "figcaption"].map((tag) =>
    document.createElement(tag),
  );
  button.type = "button";
  button.dataset.number = number;
  button.title = "Open this image";
  image.src = address;
  image.alt = lines.join(", ");
  lines.forEach((line, place) => caption.append(...(place ? [document.createElement("br")] : []), line));
  button.append(image);
  tile.append(button, caption);
  return tile;
}
