// What lies around the photo: the frame of the part that is sent, and the room that it is extended into, with handles
// to pull. Margins are [left, top, right, bottom] in pixels of the photo.

import { choose, make } from "../basics.js";

// Where a handle is: -1 at the first side, 1 at the last, 0 in the middle.
const HANDLES = [-1, 0, 1].flatMap((across) => [-1, 0, 1].map((down) => ({ across, down })))
  .filter(({ across, down }) => across || down);

// What is kept free around a picture in all, across and down: enough to pull a margin from where it is.
export function spareAround([width, height], [left, top, right, bottom]) {
  const least = 0.6 * Math.max(width, height);
  return [Math.max(least, 2.4 * Math.max(left, right)), Math.max(least, 2.4 * Math.max(top, bottom))];
}

// The margins after a handle was pulled this far; only those it lies on follow it.
export function pulled(margins, { across, down }, [right, downward]) {
  const pull = [across < 0 ? -right : 0, down < 0 ? -downward : 0, across > 0 ? right : 0, down > 0 ? downward : 0];
  return margins.map((margin, side) => Math.max(0, Math.round(margin + pull[side])));
}

// Where a handle lies on a box.
export function pointOnBox([left, top, right, bottom], { across, down }) {
  return [[left, (left + right) / 2, right][across + 1], [top, (top + bottom) / 2, bottom][down + 1]];
}

function cursorOf({ across, down }) {
  if (!across || !down) return across ? "ew-resize" : "ns-resize";
  return across === down ? "nwse-resize" : "nesw-resize";
}

function makeHandles(sheet) {
  return HANDLES.map((place) => {
    const knob = make("div", { className: "ttapi-margin", hidden: true });
    knob.style.cursor = cursorOf(place);
    sheet.append(knob);
    return { ...place, knob };
  });
}

// A handle that is pulled sets the model's margins; `pull` says where all of them were when it was taken hold of.
function listenToHandle(handle, model, view, pull) {
  const { knob } = handle;
  knob.addEventListener("pointerdown", (event) => {
    knob.setPointerCapture(event.pointerId);
    pull.begin({ at: view.onSheet(event), margins: model.get("margins") });
  });
  knob.addEventListener("pointermove", (event) => {
    const start = pull.start();
    if (!start) return;
    const pixel = view.lens().scale * model.get("scale");
    const [x, y] = view.onSheet(event);
    choose(model, "margins", pulled(start.margins, handle, [(x - start.at[0]) / pixel, (y - start.at[1]) / pixel]));
  });
  knob.addEventListener("lostpointercapture", pull.end);
}

export function createMargins({ sheet, frame, room, over }, model, view) {
  const handles = makeHandles(sheet);
  let start = null;

  const extending = () => Boolean(model.get("extending"));
  const shown = () => model.get("margins").map((margin) => margin * model.get("scale"));
  const show = () => {
    const sent = model.get("frame");
    frame.hidden = !sent.length || extending();
    if (!frame.hidden) view.putOver(frame, sent);
    for (const part of [room, ...handles.map(({ knob }) => knob)]) part.hidden = !extending();
    if (!extending()) return;
    const [left, top, right, bottom] = shown();
    const box = [-left, -top, over.width + right, over.height + bottom];
    view.putOver(room, box);
    for (const handle of handles) view.putAt(handle.knob, pointOnBox(box, handle));
  };
  const makeRoom = () => view.keepFree(extending() ? spareAround([over.width, over.height], shown()) : null);
  const pull = {
    start: () => start,
    begin: (where) => { start = where; },
    end: () => { start = null; makeRoom(); },
  };
  for (const handle of handles) listenToHandle(handle, model, view, pull);
  view.whenSeen(show);
  return {
    extending,
    makeRoom,
    show,
    // Room is not made anew while a handle is held: it would slip from under the pointer.
    changed() {
      if (start) show();
      else makeRoom();
    },
  };
}
