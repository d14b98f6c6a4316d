"use strict";
// Everything that people wrote gets into the page as text, never as markup.
const told = JSON.parse(document.getElementById("told").textContent);
const pictures = JSON.parse(document.getElementById("pictures").textContent);
const page = document.getElementById("report");
const state = { view: "Grid", rows: "", columns: "", fixed: {}, sort: ["number", 1], chosen: [], votes: [], voter: "", pair: null, saved: true };

function make(tag, given = {}, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && name !== "list") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...inside.filter((one) => one !== null && one !== undefined));
  return made;
}

const say = (text, tag = "span", given = {}) => make(tag, { dir: "auto", ...given }, String(text));
const picture = (at, alt) => make("img", { src: `data:image/webp;base64,${pictures[at]}`, alt, loading: "lazy", decoding: "async" });
const large = (one) => (told.full && one.state === "done" ? one.at + 1 : one.at);
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
const label = (one) => Object.entries(one.values).filter(([name]) => axes().includes(name)).map(([name, value]) => `${name}: ${value}`).join(", ") || one.text;

let known = null;
function axes() {
  if (!known) {
    const found = {};
    for (const one of [...told.results, ...told.skipped]) {
      for (const [name, value] of Object.entries(one.values)) (found[name] ??= new Set()).add(value);
    }
    known = new Map(Object.entries(found).filter(([, values]) => values.size > 1).map(([name, values]) => [name, [...values]]));
  }
  return [...known.keys()];
}
const valuesOf = (name) => (known.has(name) ? known.get(name) : [""]);

function facts(one) {
  const said = [];
  if (one.stars) said.push("★".repeat(one.stars));
  if (one.leak !== null) said.push(`leak ${(100 * one.leak).toFixed(1)} %`);
  if (one.seconds !== null) said.push(`${one.seconds.toFixed(1)} s`);
  if (one.cost !== null) said.push(`${Number(one.cost.toPrecision(4))} ${one.currency}`);
  if (one.tokens !== null) said.push(plural(one.tokens, "token"));
  return said;
}

// The grid

function choice(name, values, value, change) {
  const select = make("select", { "aria-label": name, onchange: () => change(select.value) });
  for (const one of values) select.append(make("option", { value: one, selected: one === value }, one.slice(0, 80) || "nothing"));
  return make("label", {}, `${name} `, select);
}

function controls() {
  const names = axes();
  const rest = names.filter((name) => name !== state.rows && name !== state.columns);
  const row = make("div", { className: "row" });
  const all = ["", ...names];
  const turn = (which, other) => (value) => {
    // Choosing the other's axis swaps the two.
    if (value === state[other]) state[other] = state[which];
    state[which] = value;
    show();
  };
  row.append(choice("Rows", all, state.rows, turn("rows", "columns")), choice("Columns", all, state.columns, turn("columns", "rows")));
  row.append(make("button", { type: "button", onclick: () => { [state.rows, state.columns] = [state.columns, state.rows]; show(); } }, "Swap"));
  for (const name of rest) {
    state.fixed[name] ??= "(all)";
    row.append(choice(name, ["(all)", ...valuesOf(name)], state.fixed[name], (value) => { state.fixed[name] = value; show(); }));
  }
  return row;
}

const here = (one, row, column) =>
  (!state.rows || one.values[state.rows] === row) && (!state.columns || one.values[state.columns] === column) &&
  axes().every((name) => name === state.rows || name === state.columns || state.fixed[name] === "(all)" || state.fixed[name] === undefined || one.values[name] === state.fixed[name]);

function card(one) {
  if (one.at === null) return say(one.problem ? `${one.state}: ${one.problem}` : one.state, "div", { className: "state" });
  const tick = make("input", { type: "checkbox", checked: state.chosen.includes(one.id), "aria-label": `Compare ${label(one)}`, onchange: () => choose(one, tick.checked) });
  const view = make("button", { type: "button", "aria-label": `Open ${label(one)}`, onclick: () => compare([one]) }, picture(one.at, label(one)));
  const rest = axes().filter((name) => name !== state.rows && name !== state.columns && (state.fixed[name] ?? "(all)") === "(all)");
  const which = rest.map((name) => `${name} ${one.values[name] ?? ""}`).join(", ");
  return make("figure", {}, view, make("figcaption", {}, make("label", {}, tick, " compare"), ...facts(one).map((fact) => say(fact)), which ? say(which) : null));
}

function grid() {
  const box = make("div", {});
  box.append(controls());
  const table = make("table", { className: "grid" });
  const columns = state.columns ? valuesOf(state.columns) : [""];
  const corner = [state.rows, state.columns].filter(Boolean).join(" \\ ") || "results";
  table.append(make("thead", {}, make("tr", {}, say(corner, "th"), ...columns.map((column) => say(column || "all", "th", { scope: "col" })))));
  const body = make("tbody", {});
  for (const row of state.rows ? valuesOf(state.rows) : [""]) {
    const head = say(row || "all", "th", { scope: "row" });
    const photo = state.rows === "photo" ? told.photos.find((one) => one.name === row) : null;
    if (photo) head.append(make("img", { className: "photo", src: `data:image/webp;base64,${pictures[photo.at + (photo.masked ? 1 : 0)]}`, alt: "the photo" }));
    const line = make("tr", {}, head);
    for (const column of columns) {
      const cell = make("td", {}, ...told.results.filter((one) => here(one, row, column)).map(card));
      const reasons = new Set(told.skipped.filter((skipped) => here(skipped, row, column)).map((skipped) => skipped.why));
      for (const why of reasons) cell.append(say(`skipped: ${why}`, "div", { className: "state" }));
      line.append(cell);
    }
    body.append(line);
  }
  table.append(body);
  box.append(make("div", { className: "scroll", tabIndex: 0 }, table));
  return box;
}

// Side by side

function choose(one, on) {
  state.chosen = state.chosen.filter((id) => id !== one.id);
  if (on) state.chosen.push(one.id);
  // The oldest goes: more than four are too small to see.
  if (state.chosen.length > 4) { state.chosen.shift(); show(); } else bar();
}

function bar() {
  document.querySelector(".bar")?.remove();
  if (!state.chosen.length) return;
  const open = () => compare(told.results.filter((one) => state.chosen.includes(one.id)));
  const clear = () => { state.chosen = []; show(); };
  document.body.append(make("div", { className: "bar" }, `${plural(state.chosen.length, "result")} chosen`,
    make("button", { type: "button", className: "main", onclick: open }, "Compare"), make("button", { type: "button", onclick: clear }, "Clear")));
}

function compare(results) {
  const close = () => dialog.close();
  const dialog = make("dialog", { onclose: () => dialog.remove(), "aria-label": "Compare" });
  const side = make("div", { className: "side" });
  const name = results[0].values.photo;
  const photo = told.photos.find((one) => one.name === name);
  if (photo && results.every((one) => one.values.photo === name)) side.append(make("div", {}, picture(photo.at, "the photo"), say("The photo", "p")));
  for (const one of results) {
    side.append(make("div", {}, picture(large(one), label(one)), say(label(one), "p"), say(one.text, "p", { className: "soft" }), say(facts(one).join(" · "), "p", { className: "soft" }), one.note ? say(one.note, "p") : null));
  }
  dialog.append(side, make("div", { className: "row" }, make("button", { type: "button", onclick: close, autofocus: true }, "Close")));
  document.body.append(dialog);
  dialog.showModal();
}

// The table

const COLUMNS = ["seconds", "cost", "tokens", "leak", "stars"];
const field = (one, name) => (name === "number" || COLUMNS.includes(name) || ["state", "text", "note"].includes(name) ? one[name] : (one.values[name] ?? ""));

function sorted() {
  const [name, way] = state.sort;
  const order = (a, b) => {
    const [one, other] = [field(a, name), field(b, name)];
    // What is not known stands last, whichever way.
    if (one === null || other === null) return (one === null) - (other === null);
    return way * (typeof one === "number" ? one - other : String(one).localeCompare(String(other), undefined, { numeric: true }));
  };
  return [...told.results].sort(order);
}

function list() {
  // What nobody knows of any result needs no room.
  const some = (name) => told.results.some((one) => field(one, name));
  const names = ["number", ...axes(), "text", "state", ...[...COLUMNS, "note"].filter(some)];
  const head = make("tr", {}, make("th", {}, "result"));
  for (const name of names) {
    const [by, way] = state.sort;
    const turn = () => { state.sort = [name, by === name ? -way : 1]; show(); };
    head.append(make("th", { scope: "col", "aria-sort": by === name ? (way > 0 ? "ascending" : "descending") : "none" }, make("button", { type: "button", onclick: turn }, say(name), by === name ? (way > 0 ? " ▲" : " ▼") : "")));
  }
  const body = make("tbody", {});
  for (const one of sorted()) {
    const line = make("tr", {}, make("td", {}, one.at === null ? "" : picture(one.at, label(one))));
    for (const name of names) {
      let value = field(one, name);
      if (name === "state" && one.problem) value = `${value}: ${one.problem}`;
      if (name === "cost" && value !== null) value = `${Number(value.toPrecision(6))} ${one.currency}`;
      if (name === "leak" && value !== null) value = `${(100 * value).toFixed(2)} %`;
      if (name === "seconds" && value !== null) value = value.toFixed(2);
      line.append(say(value ?? "", "td"));
    }
    body.append(line);
  }
  return make("div", { className: "scroll", tabIndex: 0 }, make("table", { className: "list" }, make("thead", {}, head), body));
}

// Blind votes

const chance = (most) => Math.floor(Math.random() * most);
const unique = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

function pairs() {
  const results = told.results.filter((one) => one.at !== null);
  const rest = (one) => Object.entries(one.values).filter(([name]) => name !== told.by);
  // Alike in all but what is judged; else of the same photo; else any.
  for (const alike of [(one) => JSON.stringify(rest(one)), (one) => one.values.photo, () => ""]) {
    const groups = new Map();
    for (const one of results) groups.set(alike(one), [...(groups.get(alike(one)) ?? []), one]);
    const found = [];
    for (const group of groups.values()) {
      group.forEach((one, at) => group.slice(at + 1).forEach((other) => { if (one.values[told.by] !== other.values[told.by]) found.push([one, other]); }));
    }
    if (found.length) return found;
  }
  return [];
}

function nextPair() {
  const all = pairs();
  const values = (one, other) => JSON.stringify([one.values[told.by], other.values[told.by]].sort());
  const byId = new Map(told.results.map((one) => [one.id, one]));
  const met = { values: {}, results: {} };
  for (const vote of state.votes) {
    const [one, other] = [byId.get(vote.left), byId.get(vote.right)];
    met.values[values(one, other)] = (met.values[values(one, other)] ?? 0) + 1;
    met.results[[vote.left, vote.right].sort()] = (met.results[[vote.left, vote.right].sort()] ?? 0) + 1;
  }
  const count = ([one, other]) => [met.values[values(one, other)] ?? 0, met.results[[one.id, other.id].sort()] ?? 0];
  let best = null, least = [Infinity, Infinity], equal = 0;
  for (const pair of all) {
    const [first, second] = count(pair);
    const better = first < least[0] || (first === least[0] && second < least[1]);
    if (better) { best = pair; least = [first, second]; equal = 1; }
    // Each of those that were compared equally seldom is as likely.
    else if (first === least[0] && second === least[1] && chance(++equal) === 0) best = pair;
  }
  state.pair = best && (chance(2) ? best : [best[1], best[0]]);
}

function vote(choice) {
  if (!state.pair) return;
  const [left, right] = state.pair;
  state.votes.push({ id: unique(), left: left.id, right: right.id, choice, voter: state.voter, time: Date.now() / 1000 });
  state.saved = false;
  nextPair();
  show();
}

function handIn() {
  const content = JSON.stringify({ format: told.format, experiment: told.name, votes: state.votes });
  const link = make("a", { href: URL.createObjectURL(new Blob([content], { type: "application/json" })), download: "votes.json" });
  link.click();
  state.saved = true;
}

function voting() {
  if (!state.pair) nextPair();
  if (!state.pair) return say("There are no two results to hold against each other yet.", "p");
  const name = make("input", { value: state.voter, maxLength: 100, "aria-label": "Your name", oninput: () => { state.voter = name.value; } });
  const sides = ["left", "right"].map((side, at) => make("button", { type: "button", "aria-label": `The ${side} is better`, onclick: () => vote(side) },
    make("img", { src: `data:image/webp;base64,${pictures[large(state.pair[at])]}`, alt: `the ${side} one` })));
  const button = (key, words, choice) => make("button", { type: "button", onclick: () => vote(choice) }, make("kbd", {}, key), ` ${words}`);
  return make("div", {}, say(`Which is better, by the ${told.by} that you don't see? Sides are by chance. ${plural(state.votes.length, "vote")} so far.`, "p"),
    make("div", { className: "pair" }, ...sides),
    make("div", { className: "row" }, button("1", "left", "left"), button("2", "right", "right"), button("t", "equal", "tie"), button("b", "both bad", "both bad")),
    make("div", { className: "row" }, make("label", {}, "Your name ", name), make("button", { type: "button", className: "main", disabled: !state.votes.length, onclick: handIn }, "Save my votes"),
      say("A small file, to be read with trial.add_votes(path).", "span", { className: "soft" })));
}

// What it is

function rankings() {
  const box = make("div", {});
  if (!told.rankings.length) box.append(say("There were no votes when this report was made.", "p"));
  for (const one of told.rankings) {
    box.append(say(one.by, "h2"));
    if (one.rows.length) {
      box.append(make("table", {}, make("thead", {}, make("tr", {}, ...one.columns.map((name) => say(name, "th")))),
        make("tbody", {}, ...one.rows.map((row) => make("tr", {}, ...row.map((word) => say(word, "td")))))));
    }
    for (const note of one.notes) box.append(say(note, "p"));
  }
  return box;
}

function about() {
  const box = make("div", {}, say("Prompts", "h2"));
  for (const one of told.prompts) box.append(make("dl", {}, one.name ? say(one.name, "dt") : null, make("dd", {}, say(one.text, "pre"))));
  box.append(say("How it was made", "h2"));
  const lines = make("dl", {});
  for (const [name, value] of [...told.how, ["Report", `${told.made}, ttapi_nb ${told.version}`]]) lines.append(say(name, "dt"), say(value, "dd"));
  box.append(lines);
  return box;
}

const VIEWS = { Grid: grid, Table: list, Vote: voting, Ranking: rankings, About: about };

function show() {
  const counts = Object.entries(told.counts).map(([name, count]) => `${count} ${name}`).join(", ");
  const tabs = Object.keys(VIEWS).map((name) => make("button", { type: "button", "aria-pressed": String(state.view === name), onclick: () => { state.view = name; show(); } }, name));
  page.replaceChildren(say(told.name, "h1"), say([counts, told.cost, told.made].join(" · "), "p", { className: "soft" }),
    ...told.notices.map((notice) => say(notice, "p", { className: "notice" })), told.note ? say(told.note, "p", { className: "notice" }) : "",
    make("nav", { className: "row" }, ...tabs), VIEWS[state.view]());
  bar();
}

document.addEventListener("keydown", (event) => {
  if (state.view !== "Vote" || event.target.matches("input") || event.ctrlKey || event.metaKey || event.altKey) return;
  const choices = { 1: "left", 2: "right", t: "tie", 3: "tie", b: "both bad", 0: "both bad" };
  if (choices[event.key]) { event.preventDefault(); vote(choices[event.key]); }
});
addEventListener("beforeunload", (event) => { if (!state.saved) event.preventDefault(); });

const first = axes();
state.rows = first.find((name) => name === "prompt") ?? first[0] ?? "";
state.columns = first.find((name) => name !== state.rows && name === "model") ?? first.find((name) => name !== state.rows) ?? "";
show();
