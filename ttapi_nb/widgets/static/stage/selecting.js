// Selecting: the places that were clicked, what a click under the pointer would find, and the crosshair that arrows move.
// The kernel tells in `selecting` which engine there is and what it is doing.

import { make } from "../basics.js";
import { TOOLS } from "./tools.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowRight: [1, 0], ArrowDown: [0, 1] };
const ARROW_STEP = 8; // pixels of the screen that an arrow goes, and with Shift
const LONG_STEP = 64;
const GLIMPSE_PATIENCE = 2_000; // milliseconds after which a glimpse that never came is asked for again

// What can be chosen while the tool is: shown in the row over the photo.
export function makeSelectOptions(model) {
  const button = (textContent, title, what) => make("button", {
    type: "button", textContent, title, onclick: () => model.send({ type: "select", what }),
  });
  const engine = make("span", { className: "ttapi-engine" });
  const doing = make("span", { className: "ttapi-unseen", role: "status" });
  const row = make("div", { className: "ttapi-selecting" }, engine,
    doing,
    button("Subject", "Select what the photo shows", "subject"),
    button("Background", "Select all but what the photo shows", "background"),
    button("Another", "Let the next click begin another thing (N)", "another"));
  return {
    row,
    show() {
      const { engine: name = "", busy = false, missing = "", note = "" } = model.get("selecting");
      row.hidden = !TOOLS[model.get("tool")].selects;
      row.classList.toggle("ttapi-busy", busy);
      engine.textContent = missing || name;
      engine.title = note || (busy ? `${name} is looking at the photo` : "");
      doing.textContent = busy ? "is looking at the photo" : "";
      for (const one of row.querySelectorAll("button")) one.disabled = Boolean(missing);
    },
  };
}

function paintGlimpse(canvas, { width, height }, data, tint) {
  const covered = new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, width * height);
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(width, height);
  for (let at = 0; at < covered.length; at += 1) pixels.data[4 * at + 3] = covered[at];
  context.putImageData(pixels, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = tint;
  context.fillRect(0, 0, width, height);
}

// A glimpse at a time: the next place is asked for when the last has been answered.
function makeGlimpses(model, canvas) {
  let wanted = null;
  let asked = 0;
  let number = 0;
  const ask = () => {
    if (!wanted || performance.now() - asked < GLIMPSE_PATIENCE) return;
    const [x, y] = wanted;
    wanted = null;
    asked = performance.now();
    model.send({ type: "select", what: "hover", x, y, number: (number += 1) });
  };
  return {
    want(place) {
      wanted = place;
      ask();
    },
    clear() {
      wanted = null;
      number += 1;
      canvas.hidden = true;
    },
    receive(message, buffers) {
      if (message.type !== "glimpse") return;
      asked = 0;
      if (message.number === number) {
        canvas.hidden = !buffers?.length;
        if (!canvas.hidden) paintGlimpse(canvas, message, buffers[0], model.get("tint"));
      }
      ask();
    },
  };
}

export function createSelecting({ sheet, paper, over }, model, view, outbox, mayPaint) {
  const canvas = make("canvas", { className: "ttapi-glimpse", hidden: true });
  const dots = make("div", { className: "ttapi-dots" });
  const cross = make("div", { className: "ttapi-crosshair", hidden: true });
  const words = make("div", {
    className: "ttapi-corner-words", hidden: true, role: "status",
    textContent: "Enter selects · Delete takes away · N begins another thing · Esc lets go",
  });
  paper.append(canvas);
  sheet.append(dots, cross, words);
  const glimpses = makeGlimpses(model, canvas);
  let place = null; // of the crosshair, in pixels of the preview

  const chosen = () => Boolean(TOOLS[model.get("tool")].selects);
  const follows = () => chosen() && model.get("selecting").quick && !model.get("selecting").busy && mayPaint();
  const seen = ([x, y]) => {
    const lens = view.lens();
    return `translate(${lens.x + x * lens.scale}px, ${lens.y + y * lens.scale}px)`;
  };
  const draw = () => {
    const points = chosen() ? model.get("selecting").points ?? [] : [];
    dots.replaceChildren(...points.map(([x, y, label]) => make("span", {
      className: label ? "ttapi-dot" : "ttapi-dot ttapi-dot-away", textContent: label ? "+" : "−", style: `transform: ${seen([x, y])}`,
    })));
    cross.hidden = words.hidden = !place || !chosen();
    if (place) cross.style.transform = seen(place);
  };
  const letGo = () => {
    place = null;
    glimpses.clear();
    draw();
  };
  const moved = (event) => {
    if (event.buttons || event.pointerType === "touch" || !follows()) return;
    place = null;
    cross.hidden = words.hidden = true;
    glimpses.want(view.place(event));
  };
  const step = (event) => {
    const length = (event.shiftKey ? LONG_STEP : ARROW_STEP) / view.lens().scale;
    const [right, down] = ARROWS[event.key];
    const inside = (at, side) => Math.min(side - 1, Math.max(0, at));
    const [x, y] = place ?? [over.width / 2, over.height / 2];
    place = place ? [inside(x + right * length, over.width), inside(y + down * length, over.height)] : [x, y];
    draw();
    if (follows()) glimpses.want(place);
  };
  const click = (erase) => {
    if (place && mayPaint()) outbox.hand({ tool: "select", points: [...place, 1], erase });
  };
  over.addEventListener("pointermove", moved);
  over.addEventListener("pointerdown", glimpses.clear);
  over.addEventListener("pointerleave", glimpses.clear);
  view.whenSeen(draw);
  return {
    draw,
    letGo,
    receive: glimpses.receive,
    show() {
      if (!chosen() || model.get("selecting").busy) glimpses.clear();
      if (!chosen()) place = null;
      draw();
    },
    // What a key does on the photo, or nothing.
    actionOf(event) {
      if (!chosen() || !sheet.contains(event.target)) return undefined;
      if (event.key in ARROWS) return () => step(event);
      if (event.key === "Enter" && place) return () => click(event.altKey);
      if (["Delete", "Backspace"].includes(event.key) && place) return () => click(true);
      if (event.key === "Escape" && place) return letGo;
      return event.key.toLowerCase() === "n" && !event.altKey ? () => model.send({ type: "select", what: "another" }) : undefined;
    },
  };
}
