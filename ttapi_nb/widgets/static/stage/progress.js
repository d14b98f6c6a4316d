// A run that is under way, shown on the picture: the mask shimmers, over the newest draft of the result where one has
// come, and a line counts the seconds and can cancel.

import { make } from "../basics.js";

const SECOND = 1_000;

export function createProgress({ paper, over }, model) {
  const draft = make("img", { className: "ttapi-partial", hidden: true });
  const shimmer = make("div", { className: "ttapi-shimmer", hidden: true });
  const words = make("span");
  const cancel = make("button", { type: "button", textContent: "Cancel", "aria-label": "Cancel this run", onclick: () => model.send({ type: "cancel" }) });
  // The status beside Run is what a screen reader hears.
  const line = make("div", { className: "ttapi-progress", hidden: true }, make("span", { className: "ttapi-spinner" }), words, cancel);
  let began = 0; // when the run did, by this page's clock
  let ticking = 0;
  let url = "";
  paper.append(draft, shimmer);

  const count = () => {
    const { doing } = model.get("progress");
    words.textContent = `${doing} … ${Math.max(0, Math.round((performance.now() - began) / SECOND))} s`;
  };
  // All of the photo shimmers where nothing is masked.
  const maskIt = (masked) => {
    shimmer.style.maskImage = masked ? `url(${over.toDataURL()})` : "";
    shimmer.style.maskSize = "100% 100%";
  };
  const show = () => {
    const { doing, seconds, masked } = model.get("progress");
    const begins = Boolean(doing) && line.hidden;
    shimmer.hidden = line.hidden = !doing;
    if (!doing) {
      clearInterval(ticking);
      ticking = 0;
      return;
    }
    began = performance.now() - seconds * SECOND;
    if (begins) maskIt(masked);
    ticking ||= setInterval(count, SECOND);
    count();
  };
  const showDraft = () => {
    const { number, picture, mime, box } = model.get("partial");
    const old = url;
    url = picture ? URL.createObjectURL(new Blob([picture], { type: mime })) : "";
    draft.hidden = !url;
    if (url) {
      const [left, top, right, bottom] = box;
      Object.assign(draft.style, {
        left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px`,
        transformOrigin: `${-left}px ${-top}px`, // the photo's corner
      });
      draft.alt = `Draft ${number} of the result, not finished`;
      draft.src = url;
    } else {
      draft.removeAttribute("src");
    }
    if (old) URL.revokeObjectURL(old);
  };
  return {
    line,
    show,
    showDraft,
    stop() {
      clearInterval(ticking);
      if (url) URL.revokeObjectURL(url);
    },
  };
}
