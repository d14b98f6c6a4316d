// Marks on their way to the kernel. A dropped connection may lose one: what is not answered is sent again, in order,
// and the kernel takes each number once.

const AGAIN = [2_000, 60_000]; // milliseconds until a mark without an answer is sent again: at first, and at most

export function createOutbox(model) {
  const view = `${Date.now()}-${Math.random()}`; // the kernel counts each view's marks by themselves
  let sent = 0; // marks of this view so far
  let waiting = []; // those without an answer
  let wait = AGAIN[0];
  let again = 0;

  const post = ({ number, tool, points, erase }) =>
    model.send({ type: "mark", view, number, tool, erase }, undefined, [Float32Array.from(points).buffer]);
  const postAgain = () => {
    waiting.forEach(post);
    wait = Math.min(2 * wait, AGAIN[1]);
    again = waiting.length ? setTimeout(postAgain, wait) : 0;
  };
  return {
    hand(mark) {
      mark.number = sent += 1;
      waiting.push(mark);
      post(mark);
      if (!again) again = setTimeout(postAgain, wait);
    },
    // The kernel has answered: from its next frame on, its own ink shows the mark.
    receive(message) {
      if (message.type !== "taken" || message.view !== view) return;
      for (const mark of waiting) if (mark.number === message.number) mark.taken = true;
      waiting = waiting.filter((mark) => !mark.taken);
      wait = AGAIN[0];
      clearTimeout(again);
      again = waiting.length ? setTimeout(postAgain, wait) : 0;
    },
    // For another photo: marks of the one before are of no use to it.
    forget() {
      waiting = [];
    },
    stop() {
      clearTimeout(again);
    },
  };
}
