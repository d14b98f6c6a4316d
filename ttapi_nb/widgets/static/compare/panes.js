// The two panes, before and after, one over or beside the other, and the line between them.

import { make } from "../basics.js";

const KINDS = { heat: "Heat map", raw: "Raw answer" };
const KEYS = "Keys + and − zoom, 0 shows all, arrows move";

function makePane(className, text = "") {
  const image = make("img", { draggable: false });
  const label = make("span", { className: "ttapi-label", textContent: text });
  return { image, label, box: make("div", { className: `ttapi-pane ${className}` }, image, label) };
}

function setImage(image, url, alt) {
  if (image.src !== url) image.src = url;
  image.alt = alt;
}

// What the heat map's colours mean: how far a channel of a protected pixel moved, of 255 levels.
function makeLegend() {
  const scale = make("div", { className: "ttapi-scale" }, ...["0", "16", "32", "48", "64 and more"].map((text) => make("span", { textContent: text })));
  return make("div", { className: "ttapi-legend", hidden: true },
    make("span", { textContent: "How much the model changed what you protected, in levels of 255" }),
    make("div", { className: "ttapi-glow" }), scale);
}

export function createPanes() {
  const [before, after] = [makePane("ttapi-before", "Before"), makePane("ttapi-after")];
  const handle = make("div", {
    className: "ttapi-handle", tabIndex: 0, role: "slider",
    "aria-label": "Before and after", "aria-valuemin": 0, "aria-valuemax": 100,
  }, make("span"));
  const legend = makeLegend();
  after.box.append(legend);
  const view = make("div", { className: "ttapi-view", role: "group" }, before.box, after.box, handle);
  return {
    view,
    handle,
    boxOf: (event) => (event.target.closest?.(".ttapi-pane") ?? before.box).getBoundingClientRect(),
    setMode(mode) {
      view.dataset.mode = mode;
      legend.hidden = mode !== "heat";
      view.tabIndex = mode === "slider" ? -1 : 0;
      view.setAttribute("aria-label", `${mode === "blink" ? "Hold Space to see the photo before. " : ""}${KEYS}`);
    },
    show(kind, below, above) {
      setImage(before.image, below.url, below.alt);
      setImage(after.image, above.url, above.alt);
      before.label.textContent = below.label;
      after.label.textContent = KINDS[kind] ?? above.label;
    },
    draw(mode, { lens, position, held }) {
      const [x, y] = [lens.x, lens.y].map((side) => `${100 * (0.5 - (0.5 - side) / lens.zoom)}%`);
      for (const { image } of [before, after]) image.style.transform = `scale(${lens.zoom}) translate(${x}, ${y})`;
      const percent = Math.round(100 * position);
      handle.style.left = `${100 * position}%`;
      handle.setAttribute("aria-valuenow", percent);
      handle.setAttribute("aria-valuetext", `${percent}% before, ${100 - percent}% after`);
      after.box.style.clipPath = mode === "slider" ? `inset(0 0 0 ${100 * position}%)` : "";
      after.box.style.visibility = mode === "blink" && held ? "hidden" : "";
      view.classList.toggle("ttapi-zoomed", lens.zoom > 1);
    },
  };
}
