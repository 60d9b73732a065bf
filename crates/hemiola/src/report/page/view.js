/** The stretch of time that is shown, and the colours it is shown in. */
const view = {
  from: 0, to: DURATION, width: 800,
  x(s) { return (s - this.from) / (this.to - this.from) * this.width; },
  time(x) { return this.from + x / this.width * (this.to - this.from); },
  get span() { return this.to - this.from; },
  get pace() { return this.width / this.span; },
  /** Keeps within the recording; half a second and more is shown. */
  set(from, span) {
    span = Math.min(Math.max(span, Math.min(0.5, DURATION)), DURATION);
    from = Math.min(Math.max(from, 0), DURATION - span);
    this.from = from;
    this.to = from + span;
    redraw();
  },
  /** By a factor above 1 into the time at a place, which stays where it is. */
  zoom(factor, x = this.width / 2) {
    const at = this.time(x), span = this.span / factor;
    this.set(at - x / this.width * Math.min(span, DURATION), span);
  },
  move(s) { this.set(this.from + s, this.span); },
};

let colours = {};
function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["ground", "panel", "ink", "quiet", "line", "faint", "accent", "cursor", "wave", "note", "onset", "beat", "major", "minor",
    "diminished", "other", "none", "key"]) colours[name] = style.getPropertyValue("--" + name).trim();
  colours.dark = document.documentElement.classList.contains("dark");
}
const FONT = 'system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';

/** Draws on a canvas. */
class Pen {
  constructor(context) { this.c = context; this.fill = null; this.font = null; }
  rect(x, y, w, h, colour, opacity = 1) {
    const c = this.c;
    if (this.fill !== colour) c.fillStyle = this.fill = colour;
    if (c.globalAlpha !== opacity) c.globalAlpha = opacity;
    c.fillRect(x, y, w, h);
  }
  line(x0, y0, x1, y1, colour, width = 1, opacity = 1) {
    const c = this.c;
    c.globalAlpha = opacity;
    c.strokeStyle = colour;
    c.lineWidth = width;
    c.beginPath();
    c.moveTo(x0, y0);
    c.lineTo(x1, y1);
    c.stroke();
  }
  /** Points x, y, x, y … around an area. */
  area(points, colour, opacity = 1) {
    const c = this.c;
    c.globalAlpha = opacity;
    c.fillStyle = this.fill = colour;
    c.beginPath();
    for (let i = 0; i < points.length; i += 2) c.lineTo(points[i], points[i + 1]);
    c.fill();
  }
  text(x, y, text, { size = 12, colour = colours.ink, align = "left", weight = 400 } = {}) {
    const c = this.c, font = weight + " " + size + "px " + FONT;
    c.globalAlpha = 1;
    if (this.fill !== colour) c.fillStyle = this.fill = colour;
    if (this.font !== font) c.font = this.font = font;
    c.textAlign = align;
    c.textBaseline = "middle";
    c.fillText(text, x, y);
  }
  /** Cells, drawn by a function of a context. */
  cells(x, y, w, h, draw) { this.c.globalAlpha = 1; draw(this.c); }
}
const measured = new Map(), measuring = document.createElement("canvas").getContext("2d");
function textWidth(text, size = 12, weight = 400) {
  const key = weight + "/" + size + "/" + text;
  if (!measured.has(key)) {
    measuring.font = weight + " " + size + "px " + FONT;
    measured.set(key, measuring.measureText(text).width);
  }
  return measured.get(key);
}
/** A pen for a canvas of so many CSS pixels, which is emptied. */
function penFor(canvas, w, h, ratio = devicePixelRatio) {
  const wide = Math.max(1, Math.round(w * ratio)), high = Math.max(1, Math.round(h * ratio));
  if (canvas.width !== wide || canvas.height !== high) { canvas.width = wide; canvas.height = high; }
  const context = canvas.getContext("2d");
  context.setTransform(wide / w, 0, 0, high / h, 0, 0);
  context.clearRect(0, 0, w, h);
  return new Pen(context);
}

/** Times for an axis with at least `room` pixels between them. */
function ticks(room = 90) {
  const steps = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
  const step = steps.find(s => s * view.pace >= room) || 7200 * 2 ** Math.max(0, Math.ceil(Math.log2(room / view.pace / 7200)));
  const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0, list = [];
  for (let i = Math.ceil(view.from / step - 1e-9); i * step <= view.to + 1e-9; i++) list.push([i * step, clock(i * step, digits)]);
  return list;
}
function drawRuler(pen, h) {
  for (const [s, text] of ticks()) {
    const x = Math.round(view.x(s)) + 0.5, wide = textWidth(text, 11);
    pen.line(x, h - 6, x, h, colours.quiet);
    pen.text(Math.min(Math.max(x, wide / 2 + 1), view.width - wide / 2 - 1), h / 2 - 1, text, { size: 11, colour: colours.quiet, align: "center" });
  }
}
