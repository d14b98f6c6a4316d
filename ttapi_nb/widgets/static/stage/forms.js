// What stands in the rail's pop-overs: shapes by numbers, the mask's edge, room around the photo, how the mask is shown.

import { choose, make } from "../basics.js";
import { makeField, makeList, makeNumber, makeSlider, numberIn } from "./fields.js";

const ASPECTS = ["1:1", "3:2", "2:3", "4:3", "3:4", "16:9", "9:16"];
const EDGES = { grow: "Grow", shrink: "Shrink", feather: "Feather" };

function makeAct(text, act) {
  return make("button", { type: "button", textContent: text, onclick: act });
}

function makeNumbers(model) {
  const shape = makeList("Shape", [["rectangle", "Rectangle"], ["ellipse", "Ellipse"]]);
  const fields = ["Left", "Top", "Width", "Height"].map((label) => makeNumber(label, 0, 0, 1));
  let suggested = "";
  const add = (erase) => () => {
    const [left, top, width, height] = fields.map(({ input }) => numberIn(input));
    model.send({ type: "shape", outline: shape.input.value, left, top, width, height, erase });
  };
  return {
    name: "numbers", label: "Numbers", hint: "Add a shape by its place and size in pixels",
    content: [shape.field, ...fields.map(({ field }) => field), makeAct("Add", add(false)), makeAct("Take away", add(true))],
    // The middle of a photo that is new here.
    opened() {
      const [width, height] = model.get("photo_size");
      if (suggested === `${width} ${height}`) return;
      suggested = `${width} ${height}`;
      const values = [width / 4, height / 4, width / 2, height / 2].map(Math.floor);
      fields.forEach(({ input }, at) => {
        Object.assign(input, { max: at % 2 ? height : width, value: Math.max(at > 1 ? 1 : 0, values[at]) });
      });
    },
  };
}

function makeEdge(model) {
  const pixels = makeNumber("Pixels", 8, 1, 100);
  const change = (what) => () => model.send({ type: "edge", what, pixels: numberIn(pixels.input) });
  const buttons = Object.entries(EDGES).map(([what, label]) => makeAct(label, change(what)));
  return {
    name: "edge", label: "Edge", hint: "Grow, shrink or feather the mask",
    content: [pixels.field, ...buttons],
  };
}

function makeExtend(model) {
  const fields = ["Left", "Top", "Right", "Bottom"].map((side) => makeNumber(`${side} margin`, 0, 0, 20000));
  const aspect = makeList("Aspect", [["", "by margins"], ...ASPECTS.map((one) => [one, one])]);
  const typed = () => choose(model, "margins", fields.map(({ input }) => numberIn(input)));
  for (const { input } of fields) input.addEventListener("change", typed);
  const extend = () => model.send({
    type: "extend", aspect: aspect.input.value, margins: fields.map(({ input }) => numberIn(input)),
  });
  const show = () => {
    const margins = model.get("margins");
    fields.forEach(({ input }, at) => { input.value = margins[at]; });
    if (margins.some(Boolean)) aspect.input.value = "";
  };
  model.on("change:margins", show);
  return {
    name: "extend", label: "Extend", hint: "Put room around the photo for the model to fill",
    content: [...fields.map(({ field }) => field), aspect.field, makeAct("Extend photo", extend)],
    opened() {
      show();
      choose(model, "extending", true);
    },
    closed() {
      if (model.get("extending")) choose(model, "extending", false);
    },
    stop: () => model.off("change:margins", show),
  };
}

// A colour by its name or its number, and the browser's own way to pick one.
function makeColour(model) {
  const name = make("input", { type: "text", size: 9, spellcheck: false });
  const swatch = make("input", { type: "color", "aria-label": "Pick a tint" });
  const take = (colour) => {
    if (CSS.supports("color", colour)) choose(model, "tint", colour);
  };
  name.addEventListener("change", () => take(name.value.trim()));
  swatch.addEventListener("input", () => take(swatch.value));
  return {
    parts: [makeField("Colour", name), swatch],
    show() {
      const context = document.createElement("canvas").getContext("2d");
      context.fillStyle = model.get("tint");
      swatch.value = context.fillStyle;
      name.value = model.get("tint");
    },
  };
}

function makeAppearance(model) {
  const shown = makeList("Show as", [["tint", "Tint"], ["edges", "Marching edges"]]);
  const colour = makeColour(model);
  const opacity = makeSlider("Opacity", { least: 0, most: 100, step: 5, say: (value) => `${value}%` },
    (value) => choose(model, "opacity", value / 100));
  shown.input.addEventListener("change", () => choose(model, "show", shown.input.value));
  const show = () => {
    shown.input.value = model.get("show");
    colour.show();
    opacity.show(Math.round(100 * model.get("opacity")));
  };
  model.on("change:show change:tint change:opacity", show);
  return {
    name: "view", label: "View", hint: "How the mask is shown",
    content: [shown.field, ...colour.parts, opacity.field],
    opened: show,
    stop: () => model.off("change:show change:tint change:opacity", show),
  };
}

export function makeForms(model) {
  return [makeNumbers(model), makeEdge(model), makeExtend(model), makeAppearance(model)];
}
