// The session's answers: a strip of thumbnails, and a row of what can be done with the one that is chosen. Choosing and
// rating show at once; the kernel is told, and says how it stands.

import { listen, make, makeButton } from "./basics.js";
import { createChoices } from "./compare/choices.js";
import { takeKeys } from "./keys.js";
import { createStars } from "./tray/stars.js";

const NOTE_PAUSE = 800; // ms after the last letter, so that a note outlives a kernel that dies

// The thumbnails, each with its number, its stars, and whether it is kept, came late, or is compared with.
function createThumbs(choose) {
  const strip = createChoices("ttapi-strip", "Results of this session", choose);
  let urls = [];
  const forget = () => urls.forEach((url) => URL.revokeObjectURL(url));
  return {
    row: strip.row,
    forget,
    load(thumbs) {
      forget();
      urls = thumbs.map((bytes) => URL.createObjectURL(new Blob([bytes], { type: "image/webp" })));
    },
    draw(items, chosen, against) {
      const focused = strip.row.contains(document.activeElement);
      strip.row.replaceChildren();
      items.forEach(({ key, alt, stars, verdict, late }, at) => {
        const marks = [stars ? "★".repeat(stars) : "", verdict === "kept" ? "✓" : "", late ? "late" : ""];
        const choice = strip.add(key, make("img", { src: urls[at], alt, draggable: false }),
          make("span", { textContent: [at + 1, ...marks].filter(Boolean).join(" ") }));
        choice.classList.toggle("ttapi-against", key === against);
        choice.title = alt;
      });
      strip.check(chosen);
      const input = strip.row.querySelector("input:checked");
      // Focus stays where it is, in a strip that was just made anew.
      if (focused) input?.focus({ preventScroll: true });
      // Within the strip alone: the page must not jump.
      const now = input?.parentElement;
      if (now) strip.row.scrollLeft = now.offsetLeft + now.offsetWidth / 2 - strip.row.clientWidth / 2;
    },
  };
}

// A list of what a result can be compared with.
function createRivals(pick) {
  const list = make("select", { onchange: () => pick(list.value) });
  return {
    field: make("label", { className: "ttapi-rivals" }, "Compare with ", list),
    draw(items, chosen, against) {
      const options = items.map(({ key }, at) => [key, `Result ${at + 1}`]).filter(([key]) => key !== chosen);
      list.replaceChildren(...[["", "the photo"], ...options].map(([value, textContent]) => make("option", { value, textContent })));
      list.value = against;
    },
  };
}

function createNote(send) {
  const field = make("input", { type: "text", placeholder: "What you think of it", maxLength: 4000 });
  let [key, timer] = ["", 0];
  const tell = () => {
    clearTimeout(timer);
    timer = 0;
    if (key) send({ type: "rate", key, note: field.value });
  };
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(tell, NOTE_PAUSE);
  });
  field.addEventListener("change", tell);
  return {
    field: make("label", { className: "ttapi-note-field" }, "Note ", field),
    contains: (target) => target === field,
    draw(item) {
      const other = (item?.key ?? "") !== key;
      // What is yet to be told belongs to the one before.
      if (other && timer) tell();
      key = item?.key ?? "";
      if (other || (document.activeElement !== field && !timer)) field.value = item?.note ?? "";
    },
    stop: () => { if (timer) tell(); },
  };
}

// Which one is chosen: here first, so that a busy kernel doesn't hold up the hand, and then as the kernel says.
function createState(model) {
  const watchers = [];
  let key = model.get("chosen");
  const changed = () => watchers.forEach((watcher) => watcher());
  const choose = (other) => {
    key = other;
    changed();
    model.send({ type: "choose", key });
  };
  return {
    choose,
    key: () => key,
    now: () => model.get("items").find((item) => item.key === key),
    whenSeen: (watcher) => watchers.push(watcher),
    told() {
      key = model.get("chosen");
      changed();
    },
    flip(by) {
      const items = model.get("items");
      const at = items.findIndex((item) => item.key === key);
      if (at >= 0) choose(items[(at + by + items.length) % items.length].key);
    },
  };
}

// What is done with the chosen one: by buttons, and by keys while the focus is in the tray.
function createDeeds(model, state) {
  const about = (type, more = {}) => {
    if (state.now()) model.send({ type, key: state.key(), ...more });
  };
  return {
    flip: (by) => () => state.flip(by),
    keep: () => about("rate", { verdict: state.now()?.verdict === "kept" ? "" : "kept" }),
    surelyKeep: () => about("rate", { verdict: "kept" }),
    discard: () => about("discard"),
    save: () => about("save"),
    undo: () => model.send({ type: "undo" }),
    star: (stars) => about("rate", { stars }),
  };
}

function listenToTrayKeys(el, note, deeds) {
  const actionOf = (event) => {
    const { key, target } = event;
    const undo = (event.ctrlKey || event.metaKey) && key.toLowerCase() === "z";
    const typing = note.contains(target);
    if (undo && !typing) return deeds.undo;
    if ((event.ctrlKey && !undo) || (event.metaKey && !undo) || event.altKey || key === "Escape") return undefined;
    if (typing) return null;
    const pressed = target.closest("button, select");
    if (key === "Enter" && !pressed) return deeds.surelyKeep;
    if (key === "Delete" || key === "Backspace") return deeds.discard;
    if (/^[0-5]$/.test(key)) return () => deeds.star(Number(key));
    if (target.closest("select, .ttapi-stars")) return null;
    if (key === "ArrowLeft" || key === "ArrowUp") return deeds.flip(-1);
    if (key === "ArrowRight" || key === "ArrowDown") return deeds.flip(1);
    return null;
  };
  return takeKeys({ inside: (event) => el.contains(event.target), actionOf, released() {} });
}

// The places of the tray, and what draws them.
function createPlaces(model, deeds, state) {
  const thumbs = createThumbs(state.choose);
  const count = make("span", { className: "ttapi-count", "aria-live": "polite" });
  const what = make("span", { className: "ttapi-what" });
  const status = make("span", { className: "ttapi-said", role: "status" });
  const stars = createStars(deeds.star);
  const note = createNote((message) => model.send(message));
  const rivals = createRivals((key) => model.send({ type: "compare", key }));
  const keep = makeButton("Keep", "Keep: mark this result as kept (Enter)", deeds.keep);
  const discard = makeButton("Discard", "Discard: take this result out of the tray (Delete)", deeds.discard);
  const save = makeButton("Save", "Save: write this result into the working folder", deeds.save);
  const undo = makeButton("Undo discard", "Undo discard: bring back what was discarded last (Ctrl+Z)", deeds.undo);
  const back = makeButton("◂", "The result before (←)", deeds.flip(-1));
  const on = makeButton("▸", "The next result (→)", deeds.flip(1));
  const flips = make("div", { className: "ttapi-flips" }, back, count, on);
  const row = make("div", { className: "ttapi-deeds", role: "group", "aria-label": "The result that is chosen" },
    flips, stars.row, note.field, keep, discard, rivals.field, save, undo);
  return { thumbs, count, what, status, stars, note, rivals, keep, undo, row, about: [keep, discard, save, back, on] };
}

function drawAll(model, places, state) {
  const [items, item, key] = [model.get("items"), state.now(), state.key()];
  places.thumbs.draw(items, key, model.get("against"));
  places.count.textContent = item ? `${items.indexOf(item) + 1} of ${items.length}` : "No result";
  places.what.textContent = item ? `${item.model} · ${item.prompt}` : "";
  places.what.title = places.what.textContent;
  places.status.textContent = model.get("status");
  places.stars.draw(item?.stars ?? 0);
  places.note.draw(item);
  places.rivals.draw(items, key, model.get("against"));
  places.keep.setAttribute("aria-pressed", item?.verdict === "kept");
  for (const button of places.about) button.disabled = !item;
  places.undo.hidden = !model.get("discarded");
}

function render({ model, el }) {
  const state = createState(model);
  const deeds = createDeeds(model, state);
  const places = createPlaces(model, deeds, state);
  const draw = () => drawAll(model, places, state);
  const load = () => {
    places.thumbs.load(model.get("thumbs"));
    draw();
  };
  el.classList.add("ttapi-session");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", "Results of this session");
  el.append(places.thumbs.row, make("div", { className: "ttapi-words" }, places.what, places.status), places.row);
  state.whenSeen(draw);
  const dropKeys = listenToTrayKeys(el, places.note, deeds);
  const dropEvents = listen([
    [model, "change:thumbs", load], [model, "change:chosen", state.told],
    [model, "change:items change:against change:discarded change:status", draw],
  ]);
  load();
  return () => {
    places.note.stop();
    places.thumbs.forget();
    dropKeys();
    dropEvents();
  };
}

export default { render };
