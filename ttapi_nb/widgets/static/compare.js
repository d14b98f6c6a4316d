// A comparison that stands by itself.

import { make } from "./basics.js";
import { createCompare } from "./compare/whole.js";

function render({ model, el }) {
  const { ways, looks, stop } = createCompare(model, el);
  el.prepend(make("div", { className: "ttapi-bar" }, ways, looks));
  return stop;
}

export default { render };
