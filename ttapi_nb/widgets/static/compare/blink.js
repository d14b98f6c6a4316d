// Before and after in turn, by itself, and the button that starts and stops it.

import { makeButton } from "../basics.js";

const BLINK_MS = 800;

export function createBlink(look) {
  const play = makeButton("", "");
  let timer = 0;

  const run = (on) => {
    clearInterval(timer);
    timer = on ? setInterval(look.flip, BLINK_MS) : 0;
    play.textContent = on ? "Pause" : "Play";
    play.title = on ? "Stop blinking" : "Blink by itself";
    play.setAttribute("aria-label", play.title);
  };
  play.addEventListener("click", () => run(!timer));
  return { play, run };
}
