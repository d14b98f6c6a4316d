// The tools, one entry each; a new one is an entry here and a mark of its name in Python. Its points are x, y, radius,
// x, y, radius … in pixels of the preview.
//   label, key, hint what it is called, the key that chooses it, and what it does; `aside` is said after its key
//   sized            it is as wide as the brush, and the ring shows how wide; `pressed`: a pen's pressure counts, and
//                    `tolerates`: how far a colour may differ does
//   mark, erases     what it makes where that has another name; whether it takes paint away whatever the button
//   corners, atOnce  it is made corner by corner until it is closed; a press alone makes it
//   selects          it says where something is, and the kernel finds what; see selecting.js
//   follow(points, step)  takes a move into the points: `step.end()` is its end, `step.way()` all the points up to it,
//                    `step.straight` whether Shift is held. Returns where the new part begins, or nothing where all of
//                    the mark has to be drawn again
//   draw(context, points, from)  paints the preview, or what is new of it

// A segment whose round ends may differ, as a pen draws it that is pressed harder on the way.
function addSegment(context, x0, y0, r0, x1, y1, r1) {
  const length = Math.hypot(x1 - x0, y1 - y0);
  if (length <= Math.abs(r0 - r1)) {
    const [x, y, radius] = r0 > r1 ? [x0, y0, r0] : [x1, y1, r1];
    context.moveTo(x + radius, y);
    context.arc(x, y, radius, 0, 2 * Math.PI);
    return;
  }
  const along = Math.atan2(y1 - y0, x1 - x0);
  const open = Math.acos((r0 - r1) / length);
  context.moveTo(x0 + r0 * Math.cos(along + open), y0 + r0 * Math.sin(along + open));
  context.arc(x0, y0, r0, along + open, along - open + 2 * Math.PI);
  context.arc(x1, y1, r1, along - open, along + open);
  context.closePath();
}

function drawStroke(context, points, from) {
  context.lineCap = context.lineJoin = "round";
  let even = true;
  for (let at = from + 5; at < points.length; at += 3) even &&= points[at] === points[from + 2];
  if (even) {
    context.lineWidth = 2 * points[from + 2];
    context.moveTo(points[from], points[from + 1]);
    for (let at = from; at < points.length; at += 3) context.lineTo(points[at], points[at + 1]);
    context.stroke();
  } else {
    for (let at = from + 3; at < points.length; at += 3) addSegment(context, ...points.slice(at - 3, at + 3));
    context.fill();
  }
}

// Fills the outline that `trace(context, points)` makes.
function filled(trace) {
  return (context, points) => {
    trace(context, points);
    context.fill();
  };
}

function traceRectangle(context, points) {
  const [[x0, y0], [x1, y1]] = [points, points.slice(-3)];
  context.rect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0));
}

function traceEllipse(context, points) {
  const [[x0, y0], [x1, y1]] = [points, points.slice(-3)];
  context.ellipse((x0 + x1) / 2, (y0 + y1) / 2, Math.abs(x1 - x0) / 2, Math.abs(y1 - y0) / 2, 0, 0, 2 * Math.PI);
}

function traceCorners(context, points) {
  for (let at = 0; at < points.length; at += 3) context.lineTo(points[at], points[at + 1]);
}

// A box that is being dragged is no paint: only its sides.
function drawSides(context, points) {
  traceRectangle(context, points);
  context.lineWidth = 2;
  context.stroke();
}

function toItsEnd(points, step) {
  points.splice(3, points.length, ...step.end());
}

function allTheWay(points, step) {
  points.push(...step.way());
}

function strokeOn(points, step) {
  if (step.straight) {
    toItsEnd(points, step);
    return undefined;
  }
  const from = points.length - 3;
  allTheWay(points, step);
  return from;
}

export const TOOLS = {
  brush: { label: "Brush", key: "b", hint: "Paint what should change", sized: true, pressed: true, follow: strokeOn, draw: drawStroke },
  eraser: {
    label: "Eraser", key: "e", hint: "Take paint away", aside: "X swaps them · [ ] size", sized: true, pressed: true,
    mark: "brush", erases: true,
  },
  line: { label: "Line", key: "l", hint: "Paint a straight line", sized: true, follow: toItsEnd, draw: drawStroke },
  rectangle: { label: "Rectangle", key: "r", hint: "Fill a rectangle", follow: toItsEnd, draw: filled(traceRectangle) },
  ellipse: { label: "Ellipse", key: "o", hint: "Fill an ellipse", follow: toItsEnd, draw: filled(traceEllipse) },
  polygon: {
    label: "Polygon", key: "p", hint: "Click the corners; Enter, a double click or the first corner closes",
    corners: true, draw: filled(traceCorners),
  },
  lasso: { label: "Lasso", key: "f", hint: "Fill what you draw around", follow: allTheWay, draw: filled(traceCorners) },
  // What it fills only the kernel knows.
  bucket: { label: "Bucket", key: "g", hint: "Click to fill similar colours", tolerates: true, atOnce: true, draw: () => {} },
  select: {
    label: "Select", key: "w", hint: "Click a thing, or drag a box around it", aside: "arrows, Enter and Delete do it without a mouse",
    selects: true, follow: toItsEnd, draw: drawSides,
  },
};

// `mark` is {tool, points, erase}. While it is made corner by corner it has `hover`, and covers nothing yet.
export function drawMark(context, { tool, points, erase, hover }, tint, from = 0) {
  if (hover) return;
  context.globalCompositeOperation = erase ? "destination-out" : "source-over";
  context.strokeStyle = context.fillStyle = tint;
  context.beginPath();
  TOOLS[tool].draw(context, points, from);
  context.globalCompositeOperation = "source-over";
}
