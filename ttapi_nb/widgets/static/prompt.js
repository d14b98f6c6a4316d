// Where the prompt is written. What is typed is here first, and the kernel gets it when it listens.

import { choose, listen, make } from "./basics.js";
import { TAKEN_ALONG } from "./prompt_around.js";

function render({ model, el }) {
  el.classList.add("ttapi-prompt");
  const area = make("textarea", { placeholder: model.get("placeholder"), value: model.get("value"), rows: 4 });
  const left = make("div", { className: "ttapi-left" });
  el.append(make("label", {}, make("span", { textContent: model.get("description") }), area), left);

  const count = () => {
    // As Python counts: a letter beyond the first 65,536 is one.
    const spare = model.get("limit") - [...area.value].length;
    const words = spare < 0 ? `${(-spare).toLocaleString("en")} characters too many` : "Ctrl+Enter runs";
    // With each letter, and seldom anything new: what is written has the page laid out again.
    if (left.textContent === words) return;
    left.classList.toggle("ttapi-alert", spare < 0);
    left.textContent = words;
  };
  const limit = () => {
    left.title = `${model.get("limit").toLocaleString("en")} characters at most`;
    count();
  };
  let taken = null; // what a run took along, and the kernel will say to be the prompt
  let more = false; // whether more was written since
  const show = () => {
    const value = model.get("value");
    if (more && value === taken) choose(model, "value", area.value);
    else if (value !== area.value) area.value = value;
    [taken, more] = [null, false];
    count();
  };
  area.addEventListener(TAKEN_ALONG, () => { [taken, more] = [area.value, false]; });
  area.addEventListener("input", () => {
    more = true;
    choose(model, "value", area.value);
    count();
  });
  limit();
  return listen([[model, "change:value", show], [model, "change:limit", limit]]);
}

export default { render };
