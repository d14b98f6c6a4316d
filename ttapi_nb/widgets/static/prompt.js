// Where the prompt is written. What is typed is here first, and the kernel gets it when it listens.

import { choose, listen, make } from "./basics.js";

function render({ model, el }) {
  el.classList.add("ttapi-prompt");
  const area = make("textarea", { placeholder: model.get("placeholder"), value: model.get("value"), rows: 4 });
  const left = make("div", { className: "ttapi-left" });
  el.append(make("label", {}, make("span", { textContent: model.get("description") }), area), left);

  const count = () => {
    // As Python counts: a letter beyond the first 65,536 is one.
    const spare = model.get("limit") - [...area.value].length;
    left.classList.toggle("ttapi-alert", spare < 0);
    left.textContent = spare < 0 ? `${(-spare).toLocaleString("en")} characters too many` : "Ctrl+Enter runs";
    left.title = `${model.get("limit").toLocaleString("en")} characters at most`;
  };
  const show = () => {
    const value = model.get("value");
    // A run took the text along, and comes back now that more is written.
    if (value === area.dataset.sent && area.value !== value) choose(model, "value", area.value);
    else if (value !== area.value) area.value = value;
    count();
  };
  area.addEventListener("input", () => {
    choose(model, "value", area.value);
    count();
  });
  count();
  return listen([[model, "change:value", show], [model, "change:limit", count]]);
}

export default { render };
