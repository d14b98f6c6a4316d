// How two pictures are looked at, as numbers alone: where the line between them is, what is seen of both, and whether
// the one before is held in sight. Places are shares of the view: 1 is all of its width or height.

import { WHOLE, fitted, moved, zoomed } from "../lens.js";

const MOST_ZOOM = 16;
const ALL = [1, 1];

export function createLook() {
  const watchers = [];
  let [lens, position, held] = [WHOLE, 0.5, false];

  const changed = () => {
    for (const watcher of watchers) watcher();
  };
  const through = (other) => {
    lens = fitted(other, ALL, ALL);
    changed();
  };
  const slideTo = (share) => {
    position = Math.min(1, Math.max(0, share));
    changed();
  };
  const hold = (on) => {
    held = on;
    changed();
  };
  return {
    slideTo,
    hold,
    now: () => ({ lens, position, held }),
    whenSeen: (watcher) => watchers.push(watcher),
    slide: (share) => slideTo(position + share),
    // About a point of the view, which stays where it is; 0 shows all.
    zoom: (factor, point = [0.5, 0.5]) => through(zoomed(lens, point, factor, MOST_ZOOM)),
    pan: (right, down) => through(moved(lens, right, down)),
    flip: () => hold(!held),
    reset() {
      [lens, position, held] = [WHOLE, 0.5, false];
      changed();
    },
  };
}
