// Marks, and the runs that are made of them, on their way to the kernel. A dropped connection may lose one: what is not
// answered is sent again, in order, and the kernel takes each number once.

const AGAIN = [2_000, 60_000]; // milliseconds until what has no answer is sent again: at first, and at most

export function createOutbox(model) {
  const newName = () => `${Date.now()}-${Math.random()}`;
  let view = newName(); // the kernel counts what each view sends by itself
  let sent = 0; // marks and runs of this view so far
  let waiting = []; // those without an answer
  let wait = AGAIN[0];
  let again = 0;

  const post = ({ number, tool, points, erase, run }) => {
    if (run) model.send({ type: "run", view, number, ...run });
    else model.send({ type: "mark", view, number, tool, erase }, undefined, [Float32Array.from(points).buffer]);
  };
  const postAgain = () => {
    waiting.forEach(post);
    wait = Math.min(2 * wait, AGAIN[1]);
    again = waiting.length ? setTimeout(postAgain, wait) : 0;
  };
  const hand = (one) => {
    one.number = sent += 1;
    waiting.push(one);
    post(one);
    if (!again) again = setTimeout(postAgain, wait);
  };
  return {
    hand,
    // Pressed once more while it is on its way, it is the same run: the hand only waited in vain.
    run(asked) {
      if (!waiting.some(({ run }) => run && run.prompt === asked.prompt)) hand({ run: asked });
    },
    // The kernel has answered: from its next frame on, its own ink shows the mark.
    receive(message) {
      if (message.type !== "taken" || message.view !== view) return;
      for (const one of waiting) if (one.number === message.number) one.taken = true;
      waiting = waiting.filter((one) => !one.taken);
      wait = AGAIN[0];
      clearTimeout(again);
      again = waiting.length ? setTimeout(postAgain, wait) : 0;
    },
    // For another photo: marks of the one before are of no use to it. Under another name, since the kernel waits for a
    // number that never comes.
    forget() {
      if (!waiting.length) return;
      const runs = waiting.filter(({ run }) => run);
      [view, sent, waiting] = [newName(), 0, []];
      runs.forEach(hand);
    },
    stop() {
      clearTimeout(again);
    },
  };
}
