// Earlier runs: a search, a page of cards with thumbnails, and the ways to other pages.

import { listen, make, makeButton } from "./basics.js";

const SEARCH_PAUSE = 300; // ms after the last letter
const WANTED = ["Any stars", "1 star or more", "2 stars or more", "3 stars or more", "4 stars or more", "5 stars"];

// The thumbnails of runs, which the kernel sends when a card is first shown.
function createThumbs(model) {
  const known = new Map(); // by run: its pictures' addresses, or null while the kernel has been asked
  const places = new Map(); // by run: where they go, and what they are
  const fill = (id) => {
    const [{ place, kind } = {}, urls] = [places.get(id), known.get(id)];
    if (!place || !urls) return;
    place.replaceChildren(...urls.map((src, at) => make("img", { src, alt: `${kind} ${at + 1}`, draggable: false })));
    if (!urls.length) place.textContent = kind === "Draft" ? "" : "Its file is gone.";
  };
  return {
    place(id, count, kind) {
      const place = make("div", { className: "ttapi-pictures" });
      places.set(id, { place, kind });
      if (count && !known.get(id)) model.send({ type: "want", id });
      if (count && !known.has(id)) known.set(id, null);
      fill(id);
      return place;
    },
    forgetPlaces: () => places.clear(),
    receive(message, buffers) {
      if (message.type !== "thumbs") return;
      for (const url of known.get(message.id) ?? []) URL.revokeObjectURL(url);
      known.set(message.id, buffers.map((bytes) => URL.createObjectURL(new Blob([bytes], { type: "image/webp" }))));
      fill(message.id);
    },
    forget() {
      for (const url of [...known.values()].flat()) if (url) URL.revokeObjectURL(url);
    },
  };
}

function makeCard(card, thumbs, act) {
  const { id, prompt, facts, problem, gone, count, drafts, stars, notes, kept, unsettled, waiting, done, undo } = card;
  const deeds = make("div", { className: "ttapi-card-deeds" });
  const add = (kind, text, label) => deeds.append(makeButton(text, `${text}: ${label}`, () => act(kind, id, text)));
  if (count || drafts) add("show", count ? "Show" : "Show drafts", prompt);
  if (count) add("compare", "Compare", `lay what is shown over ${prompt}`);
  add("fill", "Fill in", prompt);
  if (unsettled) add("billed", "It was billed", prompt);
  if (unsettled) add("unbilled", "It was not", prompt);
  if (waiting) add("fetch", "Fetch again", prompt);
  const marks = [stars ? "★".repeat(stars) : "", kept ? "✓ kept" : "", ...notes].filter(Boolean).join(" · ");
  const lines = [["ttapi-card-prompt", prompt], ["ttapi-card-facts", facts], ["ttapi-card-marks", marks],
    ["ttapi-card-problem", problem], ["ttapi-card-facts", gone]];
  const made = make("article", { className: "ttapi-run", "aria-label": `${prompt}, ${facts}` }, thumbs.place(id, count || drafts, count ? "Result" : "Draft"),
    ...lines.filter(([, text]) => text).map(([className, textContent]) => make("div", { className, textContent, title: textContent })), deeds);
  if (done) {
    const told = make("div", { className: "ttapi-card-done", role: "status" }, make("span", { textContent: done }));
    if (undo) told.append(makeButton("Undo", "Undo: as it was before it was filled in", () => act("undo", id, "Undo")));
    made.append(told);
  }
  made.dataset.run = id;
  return made;
}

// The row over the cards: what to look for.
function createSearch(model, look) {
  const words = make("input", { type: "search", placeholder: "words of the prompt, a note, a model, a file" });
  const stars = make("select", {}, ...WANTED.map((textContent, value) => make("option", { value, textContent })));
  let timer = 0;
  const now = () => {
    clearTimeout(timer);
    timer = 0;
    look(words.value, Number(stars.value), 0);
  };
  words.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(now, SEARCH_PAUSE);
  });
  words.addEventListener("change", () => { if (timer) now(); });
  stars.addEventListener("change", now);
  return {
    row: make("div", { className: "ttapi-search", role: "search" },
      make("label", {}, "Search ", words), make("label", {}, "Stars ", stars)),
    draw() {
      if (!timer && document.activeElement !== words) words.value = model.get("search");
      stars.value = model.get("stars");
    },
    stop: () => clearTimeout(timer),
  };
}

function createPager(model, look) {
  const turn = (by) => () => look(model.get("search"), model.get("stars"), model.get("page") + by);
  const newer = makeButton("◂ Newer", "Newer runs", turn(-1));
  const older = makeButton("Older ▸", "Older runs", turn(1));
  const where = make("span", { "aria-live": "polite" });
  const row = make("div", { className: "ttapi-pager" }, newer, where, older);
  return {
    row,
    draw() {
      const [first, count] = [model.get("first"), model.get("cards").length];
      newer.disabled = !model.get("page");
      older.disabled = !model.get("more");
      where.textContent = count ? `${first} to ${first + count - 1}` : model.get("empty");
    },
  };
}

function render({ model, el }) {
  const look = (search, stars, page) => model.send({ type: "look", search, stars, page });
  const [finder, pager, thumbs] = [createSearch(model, look), createPager(model, look), createThumbs(model)];
  const grid = make("div", { className: "ttapi-grid" });
  const alert = make("div", { className: "ttapi-alert", role: "alert" });
  const totals = make("div", { className: "ttapi-totals" });
  let pressed = null; // the button to go on from, once the cards are made anew
  const act = (type, id, text) => {
    pressed = [id, text];
    model.send({ type, id });
  };
  const draw = () => {
    const focused = grid.contains(document.activeElement);
    thumbs.forgetPlaces();
    grid.replaceChildren(...model.get("cards").map((card) => makeCard(card, thumbs, act)));
    if (focused && pressed) {
      const card = [...grid.children].find((one) => one.dataset.run === pressed[0]);
      const buttons = [...(card?.querySelectorAll("button") ?? [])];
      (buttons.find((one) => one.textContent === pressed[1]) ?? buttons[0])?.focus();
    }
    finder.draw();
    pager.draw();
    alert.textContent = model.get("alert");
    totals.textContent = model.get("totals");
  };
  el.classList.add("ttapi-runs");
  el.append(finder.row, alert, grid, pager.row, totals);
  const dropEvents = listen([
    [model, "change:cards change:page change:more change:empty change:totals change:alert", draw],
    [model, "msg:custom", thumbs.receive],
  ]);
  draw();
  return () => {
    finder.stop();
    thumbs.forget();
    dropEvents();
  };
}

export default { render };
