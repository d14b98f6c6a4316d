// The icons, drawn here so that no front end's icon font matters: lines on a sheet of 24 x 24.

const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  brush: "M19.5 3.5 9 13m11.5-8.5L11 15M8.5 13.5c2 .2 3 1.5 2.900 3.200-.2 2.900-3.400 4.300-8.400 3.800 1.600-1 1.300-2 1.700-3.900.4-2 1.800-3.300 3.800-3.100z",
  eraser: "M8.5 19.5h12M14 4.5l6 6-9 9H7.5l-3.5-3.5zM9 9.5l6 6",
  line: "M6 18 18 6M4 18a2 2 0 1 0 4 0a2 2 0 1 0-4 0M16 6a2 2 0 1 0 4 0a2 2 0 1 0-4 0",
  rectangle: "M4 6h16v12H4z",
  ellipse: "M3.5 12a8.5 6.5 0 1 0 17 0a8.5 6.5 0 1 0-17 0",
  polygon: "M12 4l8 6-3 9.5H7L4 10z",
  lasso: "M7.5 14.5C5 13.800 3.5 12.200 3.5 10.200 3.5 7.200 7.300 5 12 5s8.5 2.200 8.5 5.200-3.800 5.300-8.5 5.300c-.6 0-1.200 0-1.800-.1M5.700 16.300a2.200 2.200 0 1 0 4.400 0a2.200 2.200 0 1 0-4.400 0M8 18.5c0 1.5-.7 2.300-2 2.800",
  bucket: "M5 12.5 12 5.5l7 7-6 6a1.5 1.5 0 0 1-2 0zM5.5 12.5h13M9.5 3l3 3M20.5 16.5c.9 1.300 1.300 2 1.300 2.600a1.300 1.300 0 0 1-2.600 0c0-.6.4-1.300 1.300-2.600z",
  select: "M4.5 19.5 14 10M12.5 8.5l3 3M17.5 3v4M15.5 5h4M19.5 11v3M18 12.5h3M9 4v3M7.5 5.5h3",
  undo: "M8.5 7 4.5 11l4 4M4.5 11H14a4.5 4.5 0 0 1 0 9h-3",
  redo: "M15.5 7l4 4-4 4M19.5 11H10a4.5 4.5 0 0 0 0 9h3",
  invert: "M4 12a8 8 0 1 0 16 0a8 8 0 1 0-16 0M12 4v16M12 8h4.5M12 12h8M12 16h5",
  clear: "M4.5 7h15M9 7V4.5h6V7M6.5 7l1 13h9l1-13M10.5 10.5v6M13.5 10.5v6",
  numbers: "M9.5 4l-2 16M16.5 4l-2 16M4.5 9h16M3.5 15h16",
  edge: "M12 3.5a8.5 8.5 0 0 1 8.5 8.5M20.5 12a8.5 8.5 0 0 1-17 0 8.5 8.5 0 0 1 8.5-8.5M7.5 12a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0",
  extend: "M8.5 8.5h7v7h-7zM12 5.5v-3m-1.800 1.600L12 2.300l1.800 1.800M12 18.5v3m-1.800-1.600 1.800 1.800 1.800-1.800M5.5 12h-3m1.600-1.800L2.300 12l1.800 1.800M18.5 12h3m-1.600-1.800 1.800 1.800-1.800 1.800",
  view: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM9 12a3 3 0 1 0 6 0a3 3 0 1 0-6 0",
  hide: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM9 12a3 3 0 1 0 6 0a3 3 0 1 0-6 0M4 20 20 4",
  full: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  keys: "M3 6.5h18v11H3zM6.5 10h.01M10 10h.01M13.5 10h.01M17 10h.01M7.5 14h9",
  close: "M6 6l12 12M18 6 6 18",
};

export function makeIcon(name) {
  const icon = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  icon.setAttribute("viewBox", "0 0 24 24");
  icon.setAttribute("aria-hidden", "true");
  path.setAttribute("d", PATHS[name] ?? PATHS.select);
  icon.append(path);
  return icon;
}
