// What is seen of a picture in a room, as numbers alone. A lens is not changed, but replaced by another:
//   zoom   1 where all of the picture is in sight, more where it is seen closer
//   scale  how long a pixel of the picture is in the room
//   x, y   where the picture's first corner is in the room

export const WHOLE = Object.freeze({ zoom: 1, scale: 1, x: 0, y: 0 });

// In the middle where it is smaller than the room, and without a gap at the sides where it is larger.
function inSight(offset, room, size) {
  return size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, offset));
}

// The same zoom in a room and for a picture of these sizes; at zoom 1, so much is kept free around the picture.
export function fitted(lens, [width, height], picture, spare = [0, 0]) {
  const scale = Math.min(width / (picture[0] + spare[0]), height / (picture[1] + spare[1])) * lens.zoom;
  const [x, y] = [inSight(lens.x, width, picture[0] * scale), inSight(lens.y, height, picture[1] * scale)];
  return { zoom: lens.zoom, scale, x, y };
}

// Closer by a factor, but not beyond `closest`, the largest scale. The point of the room stays over the same pixel.
export function zoomed(lens, [x, y], factor, closest) {
  const most = Math.max(1, (closest * lens.zoom) / lens.scale);
  const zoom = Math.min(most, Math.max(1, lens.zoom * factor));
  const change = zoom / lens.zoom;
  return { zoom, scale: lens.scale * change, x: x - (x - lens.x) * change, y: y - (y - lens.y) * change };
}

export function moved(lens, right, down) {
  return { ...lens, x: lens.x + right, y: lens.y + down };
}

// The point of the picture that is under a point of the room.
export function pointUnder(lens, [x, y]) {
  return [(x - lens.x) / lens.scale, (y - lens.y) / lens.scale];
}

// Where a box of the picture, [left, top, right, bottom], is in the room.
export function boxOver(lens, [left, top, right, bottom]) {
  return {
    left: lens.x + left * lens.scale, top: lens.y + top * lens.scale,
    width: (right - left) * lens.scale, height: (bottom - top) * lens.scale,
  };
}
