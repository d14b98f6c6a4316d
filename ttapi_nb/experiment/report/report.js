"use strict";
// An experiment to look at, to compare, to sort and to vote on: the page of a report, and the notebook's lab.
// Everything that people wrote gets into the page as text, never as markup.

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
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
const chance = (most) => Math.floor(Math.random() * most);
const unique = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
const COLUMNS = ["seconds", "cost", "tokens", "leak", "stars"];
const OWN = ["number", "state", "text", "note", ...COLUMNS];
const VIEWS = { Grid: "grid", Table: "list", Vote: "voting", Ranking: "rankings", About: "about" };
const VOTES = { 1: "left", 2: "right", t: "tie", 3: "tie", b: "both bad", 0: "both bad" };

function facts(one) {
  const said = [];
  if (one.stars) said.push("★".repeat(one.stars));
  if (one.leak !== null) said.push(`leak ${(100 * one.leak).toFixed(1)} %`);
  if (one.seconds !== null) said.push(`${one.seconds.toFixed(1)} s`);
  if (one.cost !== null) said.push(`${Number(one.cost.toPrecision(4))} ${one.currency}`);
  if (one.tokens !== null) said.push(plural(one.tokens, "token"));
  return said;
}

// What a control is known by when the page is made anew.
const nameOf = (one) => [one.closest("figure")?.dataset.id, one.tagName, one.getAttribute("aria-label") ?? one.textContent.replace(/[▲▼]/g, "").trim()].join(" ");

// `source(at)` is where a picture is. Who shows it in a notebook is told: `voted(vote)` of each vote, `rated(id, stars)`,
// `opened(one, image)` when a large picture is wanted, and `staged(one)` where a result is to be opened elsewhere.
class Report {
  constructor(page, told, source, { voted = null, opened = null, rated = null, staged = null } = {}) {
    Object.assign(this, { page, told, source, voted, opened, rated, staged, known: null });
    this.state = { view: "Grid", rows: "", columns: "", fixed: {}, sort: ["number", 1], chosen: [], votes: [], voter: "", pair: null, saved: true };
    const first = this.axes();
    this.state.rows = first.find((name) => name === "prompt") ?? first[0] ?? "";
    this.state.columns = first.find((name) => name !== this.state.rows && name === "model") ?? first.find((name) => name !== this.state.rows) ?? "";
  }

  // What is told may change while it is looked at.
  tell(told) {
    this.told = told;
    this.known = null;
    // What is held side by side stays until it is closed.
    if (!this.page.querySelector("dialog[open]")) this.show();
  }

  picture(at, alt) {
    return make("img", { src: this.source(at), alt, loading: "lazy", decoding: "async" });
  }

  large(one) {
    return this.told.full && one.state === "done" ? one.at + 1 : one.at;
  }

  label(one) {
    return Object.entries(one.values).filter(([name]) => this.axes().includes(name)).map(([name, value]) => `${name}: ${value}`).join(", ") || one.text;
  }

  axes() {
    if (!this.known) {
      const found = {};
      for (const one of [...this.told.results, ...this.told.skipped]) {
        for (const [name, value] of Object.entries(one.values)) (found[name] ??= new Set()).add(value);
      }
      this.known = new Map(Object.entries(found).filter(([, values]) => values.size > 1).map(([name, values]) => [name, [...values]]));
    }
    return [...this.known.keys()];
  }

  valuesOf(name) {
    this.axes();
    return this.known.has(name) ? this.known.get(name) : [""];
  }

  choice(name, values, value, change) {
    const select = make("select", { "aria-label": name, onchange: () => change(select.value) });
    for (const one of values) select.append(make("option", { value: one, selected: one === value }, one.slice(0, 80) || "nothing"));
    return make("label", {}, `${name} `, select);
  }

  // The grid

  controls() {
    const names = this.axes();
    const rest = names.filter((name) => name !== this.state.rows && name !== this.state.columns);
    const row = make("div", { className: "row" });
    const all = ["", ...names];
    const turn = (which, other) => (value) => {
      // Choosing the other's axis swaps the two.
      if (value === this.state[other]) this.state[other] = this.state[which];
      this.state[which] = value;
      this.show();
    };
    row.append(this.choice("Rows", all, this.state.rows, turn("rows", "columns")), this.choice("Columns", all, this.state.columns, turn("columns", "rows")));
    row.append(make("button", { type: "button", onclick: () => { [this.state.rows, this.state.columns] = [this.state.columns, this.state.rows]; this.show(); } }, "Swap"));
    for (const name of rest) {
      this.state.fixed[name] ??= "(all)";
      row.append(this.choice(name, ["(all)", ...this.valuesOf(name)], this.state.fixed[name], (value) => { this.state.fixed[name] = value; this.show(); }));
    }
    return row;
  }

  here(one, row, column) {
    return (!this.state.rows || one.values[this.state.rows] === row) && (!this.state.columns || one.values[this.state.columns] === column) &&
    this.axes().every((name) => name === this.state.rows || name === this.state.columns || this.state.fixed[name] === "(all)" || this.state.fixed[name] === undefined || one.values[name] === this.state.fixed[name]);
  }

  card(one) {
    if (one.at === null) return say(one.problem ? `${one.state}: ${one.problem}` : one.state, "div", { className: "state" });
    const tick = make("input", { type: "checkbox", checked: this.state.chosen.includes(one.id), "aria-label": `Compare ${this.label(one)}`, onchange: () => this.choose(one, tick.checked) });
    const view = make("button", { type: "button", "aria-label": `Open ${this.label(one)}`, onclick: () => (this.staged ? this.staged(one) : this.compare([one])) }, this.picture(one.at, this.label(one)));
    const rest = this.axes().filter((name) => name !== this.state.rows && name !== this.state.columns && (this.state.fixed[name] ?? "(all)") === "(all)");
    const which = rest.map((name) => `${name} ${one.values[name] ?? ""}`).join(", ");
    return make("figure", { "data-id": one.id }, view, make("figcaption", {}, make("label", {}, tick, " compare"), ...facts(one).map((fact) => say(fact)), which ? say(which) : null));
  }

  grid() {
    const box = make("div", {});
    box.append(this.controls());
    const table = make("table", { className: "grid" });
    const columns = this.state.columns ? this.valuesOf(this.state.columns) : [""];
    const corner = [this.state.rows, this.state.columns].filter(Boolean).join(" \\ ") || "results";
    table.append(make("thead", {}, make("tr", {}, say(corner, "th"), ...columns.map((column) => say(column || "all", "th", { scope: "col" })))));
    const body = make("tbody", {});
    for (const row of this.state.rows ? this.valuesOf(this.state.rows) : [""]) {
      const head = say(row || "all", "th", { scope: "row" });
      const photo = this.state.rows === "photo" ? this.told.photos.find((one) => one.name === row) : null;
      if (photo) head.append(make("img", { className: "photo", src: this.source(photo.at + (photo.masked ? 1 : 0)), alt: "the photo" }));
      const line = make("tr", {}, head);
      for (const column of columns) {
        const cell = make("td", {}, ...this.told.results.filter((one) => this.here(one, row, column)).map((one) => this.card(one)));
        const reasons = new Set(this.told.skipped.filter((skipped) => this.here(skipped, row, column)).map((skipped) => skipped.why));
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

  choose(one, on) {
    this.state.chosen = this.state.chosen.filter((id) => id !== one.id);
    if (on) this.state.chosen.push(one.id);
    // The oldest goes: more than four are too small to see.
    if (this.state.chosen.length > 4) { this.state.chosen.shift(); this.show(); } else this.bar();
  }

  bar() {
    this.page.querySelector(".bar")?.remove();
    if (!this.state.chosen.length) return;
    const open = () => this.compare(this.told.results.filter((one) => this.state.chosen.includes(one.id)));
    const clear = () => { this.state.chosen = []; this.show(); };
    this.page.append(make("div", { className: "bar" }, `${plural(this.state.chosen.length, "result")} chosen`,
      make("button", { type: "button", className: "main", onclick: open }, "Compare"), make("button", { type: "button", onclick: clear }, "Clear")));
  }

  compare(results) {
    const close = () => dialog.close();
    const dialog = make("dialog", { onclose: () => { dialog.remove(); this.show(); }, "aria-label": "Compare" });
    const side = make("div", { className: "side" });
    const name = results[0].values.photo;
    const photo = this.told.photos.find((one) => one.name === name);
    if (photo && results.every((one) => one.values.photo === name)) side.append(make("div", {}, this.picture(photo.at, "the photo"), say("The photo", "p")));
    for (const one of results) {
      const shown = this.picture(this.large(one), this.label(one));
      this.opened?.(one, shown);
      side.append(make("div", {}, shown, say(this.label(one), "p"), say(one.text, "p", { className: "soft" }), say(facts(one).join(" · "), "p", { className: "soft" }), one.note ? say(one.note, "p") : null));
    }
    dialog.append(side, make("div", { className: "row" }, make("button", { type: "button", onclick: close, autofocus: true }, "Close")));
    this.page.append(dialog);
    dialog.showModal();
  }

  // The table

  field(one, name) {
    return OWN.includes(name) ? one[name] : (one.values[name] ?? "");
  }

  sorted() {
    const [name, way] = this.state.sort;
    const order = (a, b) => {
      const [one, other] = [this.field(a, name), this.field(b, name)];
      // What is not known stands last, whichever way.
      if (one === null || other === null) return (one === null) - (other === null);
      return way * (typeof one === "number" ? one - other : String(one).localeCompare(String(other), undefined, { numeric: true }));
    };
    return [...this.told.results].sort(order);
  }

  list() {
    // What nobody knows of any result needs no room.
    const some = (name) => this.told.results.some((one) => this.field(one, name));
    const names = ["number", ...this.axes(), "text", "state", ...[...COLUMNS, "note"].filter(some)];
    const head = make("tr", {}, make("th", {}, "result"));
    for (const name of names) {
      const [by, way] = this.state.sort;
      const turn = () => { this.state.sort = [name, by === name ? -way : 1]; this.show(); };
      head.append(make("th", { scope: "col", "aria-sort": by === name ? (way > 0 ? "ascending" : "descending") : "none" }, make("button", { type: "button", onclick: turn }, say(name), by === name ? (way > 0 ? " ▲" : " ▼") : "")));
    }
    const body = make("tbody", {});
    for (const one of this.sorted()) {
      const line = make("tr", {}, make("td", {}, one.at === null ? "" : this.picture(one.at, this.label(one))));
      for (const name of names) {
        let value = this.field(one, name);
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

  pairs() {
    const results = this.told.results.filter((one) => one.at !== null);
    const rest = (one) => Object.entries(one.values).filter(([name]) => name !== this.told.by);
    // Alike in all but what is judged; else of the same photo; else any.
    for (const alike of [(one) => JSON.stringify(rest(one)), (one) => one.values.photo, () => ""]) {
      const groups = new Map();
      for (const one of results) groups.set(alike(one), [...(groups.get(alike(one)) ?? []), one]);
      const found = [];
      for (const group of groups.values()) {
        group.forEach((one, at) => group.slice(at + 1).forEach((other) => { if (one.values[this.told.by] !== other.values[this.told.by]) found.push([one, other]); }));
      }
      if (found.length) return found;
    }
    return [];
  }

  nextPair() {
    const all = this.pairs();
    const values = (one, other) => JSON.stringify([one.values[this.told.by], other.values[this.told.by]].sort());
    const byId = new Map(this.told.results.map((one) => [one.id, one]));
    const met = { values: {}, results: {} };
    for (const vote of this.state.votes) {
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
    this.state.pair = best && (chance(2) ? best : [best[1], best[0]]);
  }

  vote(choice) {
    if (!this.state.pair) return;
    const [left, right] = this.state.pair;
    const made = { id: unique(), left: left.id, right: right.id, choice, voter: this.state.voter, time: Date.now() / 1000 };
    this.state.votes.push(made);
    if (this.voted) this.voted(made);
    else this.state.saved = false;
    this.nextPair();
    this.show();
  }

  handIn() {
    const content = JSON.stringify({ format: this.told.format, experiment: this.told.name, votes: this.state.votes });
    const link = make("a", { href: URL.createObjectURL(new Blob([content], { type: "application/json" })), download: "votes.json" });
    link.click();
    this.state.saved = true;
  }

  voting() {
    if (!this.state.pair) this.nextPair();
    if (!this.state.pair) return say("There are no two results to hold against each other yet.", "p");
    const name = make("input", { value: this.state.voter, maxLength: 100, "aria-label": "Your name", oninput: () => { this.state.voter = name.value; } });
    const sides = ["left", "right"].map((side, at) => make("button", { type: "button", "aria-label": `The ${side} is better`, onclick: () => this.vote(side) },
      make("img", { src: this.source(this.large(this.state.pair[at])), alt: `the ${side} one` })));
    const button = (key, words, choice) => make("button", { type: "button", onclick: () => this.vote(choice) }, make("kbd", {}, key), ` ${words}`);
    return make("div", {}, say(`Which is better, by the ${this.told.by} that you don't see? Sides are by chance. ${plural(this.state.votes.length, "vote")} so far.`, "p"),
      make("div", { className: "pair" }, ...sides),
      make("div", { className: "row" }, button("1", "left", "left"), button("2", "right", "right"), button("t", "equal", "tie"), button("b", "both bad", "both bad")),
      make("div", { className: "row" }, make("label", {}, "Your name ", name), ...(this.voted ? [] : [make("button", { type: "button", className: "main", disabled: !this.state.votes.length, onclick: () => this.handIn() }, "Save my votes"),
        say("A small file, to be read with trial.add_votes(path).", "span", { className: "soft" })])));
  }

  // What it is

  rankings() {
    const box = make("div", {});
    if (!this.told.rankings.length) box.append(say("There were no votes when this report was made.", "p"));
    for (const one of this.told.rankings) {
      box.append(say(one.by, "h2"));
      if (one.rows.length) {
        box.append(make("table", {}, make("thead", {}, make("tr", {}, ...one.columns.map((name) => say(name, "th")))),
          make("tbody", {}, ...one.rows.map((row) => make("tr", {}, ...row.map((word) => say(word, "td")))))));
      }
      for (const note of one.notes) box.append(say(note, "p"));
    }
    return box;
  }

  about() {
    const box = make("div", {}, say("Prompts", "h2"));
    for (const one of this.told.prompts) box.append(make("dl", {}, one.name ? say(one.name, "dt") : null, make("dd", {}, say(one.text, "pre"))));
    box.append(say("How it was made", "h2"));
    const lines = make("dl", {});
    for (const [name, value] of [...this.told.how, ["Report", `${this.told.made}, ttapi_nb ${this.told.version}`]]) lines.append(say(name, "dt"), say(value, "dd"));
    box.append(lines);
    return box;
  }

  key(event) {
    const target = event.composedPath()[0];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const card = this.rated && target.closest?.("figure");
    if (card && /^[0-5]$/.test(event.key)) { event.preventDefault(); this.rated(card.dataset.id, Number(event.key)); }
    if (this.state.view !== "Vote" || target.matches?.("input, select")) return;
    if (VOTES[event.key]) { event.preventDefault(); this.vote(VOTES[event.key]); }
  }

  show() {
    const counts = Object.entries(this.told.counts).map(([name, count]) => `${count} ${name}`).join(", ");
    const turn = (name) => () => { this.state.view = name; this.show(); };
    const tabs = Object.keys(VIEWS).map((name) => make("button", { type: "button", "aria-pressed": String(this.state.view === name), onclick: turn(name) }, name));
    const old = this.page.querySelector(".scroll");
    const at = old && [old.scrollLeft, old.scrollTop];
    const inside = this.page.contains(document.activeElement) && nameOf(document.activeElement);
    this.page.replaceChildren(say(this.told.name, "h1"), say([counts, this.told.cost, this.told.made].filter(Boolean).join(" · "), "p", { className: "soft" }),
      ...this.told.notices.map((notice) => say(notice, "p", { className: "notice" })), this.told.note ? say(this.told.note, "p", { className: "notice" }) : "",
      make("nav", { className: "row" }, ...tabs), this[VIEWS[this.state.view]]());
    this.bar();
    // What had the focus is gone, and the next key would be the notebook's.
    const again = inside && [...this.page.querySelectorAll("button, select, input, .scroll")].find((one) => nameOf(one) === inside);
    if (inside) (again || this.page).focus({ preventScroll: true });
    const scroll = this.page.querySelector(".scroll");
    if (scroll && at) [scroll.scrollLeft, scroll.scrollTop] = at;
  }
}
