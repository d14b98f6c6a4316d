// What can be set for the tool that is chosen, and only that.

import { choose, make } from "../basics.js";
import { makeSlider } from "./fields.js";
import { makeSelectOptions } from "./selecting.js";
import { TOOLS } from "./tools.js";

export function createOptions(model) {
  const size = makeSlider("Brush size", { least: 1, most: 300, say: (value) => `${value} pixels` },
    (value) => choose(model, "brush_size", value));
  const tolerance = makeSlider("Tolerance", { least: 0, most: 255 }, (value) => choose(model, "tolerance", value));
  const box = make("input", { type: "checkbox" });
  const pressure = make("label", { className: "ttapi-field" }, box, make("span", { textContent: "Pen pressure" }));
  const selecting = makeSelectOptions(model);
  const hint = make("span", { className: "ttapi-tool-hint" });
  box.addEventListener("change", () => choose(model, "pressure", box.checked));
  return {
    row: make("div", { className: "ttapi-options" }, size.field, pressure, tolerance.field, selecting.row, hint),
    show() {
      const tool = TOOLS[model.get("tool")];
      size.field.hidden = !tool.sized;
      pressure.hidden = !tool.pressed;
      tolerance.field.hidden = !tool.tolerates;
      hint.textContent = tool.hint;
      hint.hidden = Boolean(tool.sized || tool.selects);
      size.setMost(model.get("largest"));
      size.show(model.get("brush_size"));
      tolerance.show(model.get("tolerance"));
      box.checked = model.get("pressure");
      selecting.show();
    },
  };
}
