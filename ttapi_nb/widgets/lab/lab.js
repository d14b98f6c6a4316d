// The lab's view: what a report shows, told by the kernel while it runs.
// `Report` stands before this in the widget's one module.

const sourceOf = (bytes) => URL.createObjectURL(new Blob([bytes], { type: "image/webp" }));

// The notebook's colours, where it has some.
const dress = (page) => {
  if (document.body.dataset.jpThemeLight !== undefined || getComputedStyle(document.body).getPropertyValue("--jp-ui-font-color1")) page.classList.add("in-notebook");
};

// A widget is rendered first and put into the page afterwards.
function whenThere(find, act, frames = 200) {
  requestAnimationFrame(() => {
    const found = find();
    if (found) act(found);
    else if (frames) whenThere(find, act, frames - 1);
  });
}

const come = (page) => whenThere(() => page.closest(".ttapi-lab"), (lab) => {
  lab.scrollIntoView({ block: "start" });
  lab.querySelector("textarea")?.focus({ preventScroll: true });
});

// To the result that was opened, or back to where it was opened from.
function goTo(page, id) {
  if (id) {
    const card = [...page.querySelectorAll("figure")].find((one) => one.dataset.id === id);
    (card?.querySelector("button") ?? page).focus();
    return;
  }
  whenThere(() => page.closest(".ttapi-lab")?.querySelector(".ttapi-lab-stage [role=slider]"), (slider) => {
    slider.closest(".ttapi-lab-stage").scrollIntoView({ block: "start" });
    slider.focus({ preventScroll: true });
  });
}

function render({ model, el }) {
  const page = document.createElement("div");
  page.className = "ttapi-report";
  // The notebook's own keys stay outside: "1" makes a heading, "b" a cell.
  page.dataset.lmSuppressShortcuts = "true";
  page.tabIndex = -1;
  el.append(page);
  dress(page);
  const pictures = new Map(), waiting = new Map();
  const blank = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==";
  let report = null;
  const voted = (vote) => model.send({ type: "vote", vote });
  const rated = (id, stars) => model.send({ type: "rate", id, stars });
  const staged = (one) => model.send({ type: "open", id: one.id });
  const opened = (one, image) => {
    waiting.set(one.id, image);
    model.send({ type: "want", id: one.id });
  };
  const hear = (message, buffers) => {
    if (message.type === "picture") {
      pictures.set(message.at, sourceOf(buffers[0]));
      page.querySelectorAll(`img[data-at="${CSS.escape(message.at)}"]`).forEach((image) => { image.src = pictures.get(message.at); });
    } else if (message.type === "large") {
      const image = waiting.get(message.id);
      if (image?.isConnected) image.src = sourceOf(buffers[0]);
      waiting.delete(message.id);
    } else if (message.type === "staged") goTo(page, message.id);
    else if (message.type === "come") come(page);
    else if (message.type === "told" && report) report.tell(message.told);
    else if (message.type === "told") {
      report = new Report(page, message.told, (at) => pictures.get(String(at)) ?? blank, { voted, opened, rated, staged });
      report.show();
    }
  };
  const press = (event) => {
    if (!page.contains(event.target)) return;
    if (report && event.type === "keydown") report.key(event);
    // Tab and Escape are the page's; nothing else of what is typed in here is the notebook's.
    if (!["Tab", "Escape"].includes(event.key) && !event.ctrlKey && !event.metaKey) event.stopPropagation();
  };
  window.addEventListener("keydown", press, true);
  keepAll(model.widget_manager, model.get?.("around")).catch(console.warn);
  model.on("msg:custom", hear);
  if (model.get?.("called")) {
    model.set("called", false);
    model.save_changes();
    come(page);
  }
  model.send({ type: "ready" });
  return () => {
    window.removeEventListener("keydown", press, true);
    model.off("msg:custom", hear);
    pictures.forEach((address) => URL.revokeObjectURL(address));
  };
}

export default { render };
