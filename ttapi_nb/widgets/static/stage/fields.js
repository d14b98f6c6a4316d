// Fields with their labels, as pop-overs and the options of a tool have them.

import { make } from "../basics.js";

export function makeField(label, input) {
  return make("label", { className: "ttapi-field" }, make("span", { textContent: label }), input);
}

export function makeNumber(label, value, least, most) {
  const input = make("input", { type: "number", min: least, max: most, value, step: 1 });
  return { input, field: makeField(label, input) };
}

// What is written in a number's field, within its bounds.
export function numberIn(input) {
  const value = Math.round(Number(input.value) || 0);
  return Math.min(Number(input.max), Math.max(Number(input.min), value));
}

export function makeList(label, options) {
  const input = make("select", {}, ...options.map(([value, text]) => make("option", { value, textContent: text })));
  return { input, field: makeField(label, input) };
}

// A slider with a field beside it, in which its value can be typed; `changed(value)` is called with each.
export function makeSlider(label, { least, most, step = 1, say = String }, changed) {
  const slider = make("input", { type: "range", min: least, max: most, step });
  const number = make("input", { type: "number", min: least, max: most, step, "aria-label": `${label} as a number` });
  slider.addEventListener("input", () => changed(Number(slider.value)));
  number.addEventListener("change", () => changed(numberIn(number)));
  return {
    field: make("div", { className: "ttapi-slider" }, makeField(label, slider), number),
    show(value) {
      if (Number(slider.value) !== value) slider.value = value;
      if (document.activeElement !== number) number.value = value;
      slider.setAttribute("aria-valuetext", say(value));
    },
    setMost(bound) {
      slider.max = number.max = bound;
    },
  };
}
