// A button that is never disabled in HTML: the keyboard would lose its place, and nobody could read why.

import { listen, make } from "./basics.js";
import { promptAround } from "./prompt_around.js";

function render({ model, el }) {
  el.classList.add("ttapi-act");
  const press = () => {
    if (!model.get("disabled")) model.send({ event: "click", ...(model.get("primary") ? promptAround(el) : {}) });
  };
  const button = make("button", { type: "button", onclick: press });
  el.append(button);
  const show = () => {
    button.textContent = model.get("description");
    button.title = model.get("tooltip") ?? "";
    button.setAttribute("aria-disabled", String(model.get("disabled")));
    button.classList.toggle("ttapi-primary", model.get("primary"));
  };
  show();
  return listen([[model, "change:description change:tooltip change:disabled change:primary", show]]);
}

export default { render };
