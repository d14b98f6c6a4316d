// A button that is never disabled in HTML: the keyboard would lose its place, and nobody could read why.

import { listen, make } from "./basics.js";
import { runAround } from "./prompt_around.js";

function render({ model, el }) {
  el.classList.add("ttapi-act");
  const press = () => {
    const click = (more) => model.send({ event: "click", ...more });
    if (model.get("disabled")) return;
    if (model.get("primary")) runAround(el, click);
    else click();
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
