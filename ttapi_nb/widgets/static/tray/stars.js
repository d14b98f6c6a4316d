// Five stars, as radio buttons: the browser brings their keys and tells screen readers what they are.

import { make } from "../basics.js";

const NAMES = ["No star", "1 star", "2 stars", "3 stars", "4 stars", "5 stars"];

export function createStars(pick) {
  const row = make("div", { className: "ttapi-stars", role: "radiogroup", "aria-label": "Stars (keys 0 to 5)" });
  const name = `ttapi-stars-${Math.random()}`;
  const inputs = NAMES.map((label, stars) => {
    const input = make("input", { type: "radio", name, "aria-label": label });
    input.addEventListener("change", () => pick(stars));
    // The star that is lit already, pressed once more, takes it away.
    input.addEventListener("click", () => {
      if (row.dataset.stars === String(stars) && stars > 0 && input.dataset.lit) pick(0);
      delete input.dataset.lit;
    });
    input.addEventListener("pointerdown", () => { input.dataset.lit = row.dataset.stars === String(stars) ? "yes" : ""; });
    row.append(make("label", { title: `${label} (key ${stars})`, className: stars ? "" : "ttapi-no-star" },
      input, make("span", { textContent: stars ? "★" : "–", "aria-hidden": "true" })));
    return input;
  });
  return {
    row,
    draw(stars) {
      row.dataset.stars = stars;
      inputs.forEach((input, at) => {
        input.checked = at === stars;
        input.parentElement.classList.toggle("ttapi-lit", at > 0 && at <= stars);
      });
    },
  };
}
