// The stage's other side: the results laid over the photo, in the photo's place. The kernel makes that comparison when
// there is first something to compare.

import { choose, make } from "../basics.js";
import { createChoices } from "../compare/choices.js";
import { createCompare } from "../compare/whole.js";
import { unpacked } from "../keeping.js";

const SIDES_OF_STAGE = { edit: "Edit", result: "Result" };

export function createResultSide(model) {
  const place = make("div", { className: "ttapi-result-side", hidden: true });
  const ways = make("div", { className: "ttapi-result-bar", hidden: true });
  const looks = make("div", { className: "ttapi-result-bar", hidden: true });
  const sides = createChoices("ttapi-choice", "Side", (side) => choose(model, "side", side));
  for (const [side, text] of Object.entries(SIDES_OF_STAGE)) sides.add(side, make("span", { textContent: text }));
  let compare = null; // what is shown there, once it is made
  let known = null; // the name of the model that it shows

  const show = () => {
    const side = model.get("side");
    sides.check(side);
    sides.refuse("result", model.get("results") ? "" : "There is no result yet");
    place.hidden = ways.hidden = looks.hidden = side !== "result";
  };
  const build = async () => {
    const name = model.get("results");
    if (name === known) return;
    known = name;
    compare?.stop();
    compare = null;
    for (const part of [place, ways, looks]) part.replaceChildren();
    if (name) {
      const results = await model.widget_manager.get_model(unpacked(name));
      if (known !== name) return;
      compare = createCompare(results, place);
      ways.append(compare.ways);
      looks.append(compare.looks);
    }
    show();
  };
  const turnToEdit = () => {
    if (model.get("side") !== "edit") choose(model, "side", "edit");
  };
  build();
  return {
    turnToEdit,
    // `press(event)` is called with a press on a picture where a drag means nothing else, after the photo is back.
    whenPressed(press) {
      place.addEventListener("pointerdown", (event) => {
        if (!event.target.closest(".ttapi-view[data-mode=heat]:not(.ttapi-zoomed)") || event.button === 1) return;
        event.stopPropagation();
        event.preventDefault();
        turnToEdit();
        press(event);
      }, true);
    },
    place,
    ways,
    looks,
    sides: sides.row,
    show,
    build,
    shown: () => model.get("side") === "result",
    stop() {
      known = null;
      compare?.stop();
    },
  };
}
