// A polygon that is half drawn looks half drawn: its corners and sides, as lines of the screen, and how it is closed.

import { make } from "../basics.js";

const SVG_NAMES = "http://www.w3.org/2000/svg";

function svg(tag, attributes) {
  const made = document.createElementNS(SVG_NAMES, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

export function createCorners(sheet, view) {
  const lines = svg("svg", { class: "ttapi-corners", "aria-hidden": "true" });
  const words = make("div", {
    className: "ttapi-corner-words", hidden: true, role: "status",
    textContent: "Enter closes · Backspace takes a corner back · Esc lets go",
  });
  sheet.append(lines, words);
  let [corners, hover] = [[], []];

  const draw = () => {
    words.hidden = !corners.length;
    lines.replaceChildren();
    if (!corners.length) return;
    const { x, y, scale } = view.lens();
    const all = [...corners, ...hover];
    const seen = [];
    for (let at = 0; at < all.length; at += 3) seen.push([x + all[at] * scale, y + all[at + 1] * scale]);
    const points = seen.join(" ");
    lines.append(svg("polygon", { points }), svg("polyline", { points, class: "ttapi-under" }), svg("polyline", { points }));
    for (const [cx, cy] of seen.slice(0, corners.length / 3)) lines.append(svg("circle", { cx, cy, r: 4 }));
  };
  view.whenSeen(draw);
  return {
    show(placed, under) {
      [corners, hover] = [placed, under];
      draw();
    },
    hide() {
      if (!corners.length) return;
      corners = [];
      draw();
    },
  };
}
