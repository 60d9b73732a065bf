/** A pen whose drawing is SVG; the same methods as those of a pen on a canvas. */
class SvgPen {
  constructor(w, h) { this.w = w; this.h = h; this.parts = []; }
  put(text) { this.parts.push(text); }
  n(v) { return String(Math.round(v * 100) / 100); }
  opacity(v) { return v < 1 ? ` opacity="${this.n(v)}"` : ""; }
  rect(x, y, w, h, colour, opacity = 1) {
    const left = Math.max(x, 0), right = Math.min(x + w, this.w);
    if (right > left) this.put(`<rect x="${this.n(left)}" y="${this.n(y)}" width="${this.n(right - left)}" height="${this.n(h)}" fill="${colour}"${this.opacity(opacity)}/>`);
  }
  line(x0, y0, x1, y1, colour, width = 1, opacity = 1) {
    this.put(`<path d="M${this.n(x0)} ${this.n(y0)}L${this.n(x1)} ${this.n(y1)}" stroke="${colour}" stroke-width="${width}"${this.opacity(opacity)}/>`);
  }
  area(points, colour, opacity = 1) {
    const pairs = [];
    for (let i = 0; i < points.length; i += 2) pairs.push(this.n(points[i]) + "," + this.n(points[i + 1]));
    this.put(`<polygon points="${pairs.join(" ")}" fill="${colour}"${this.opacity(opacity)}/>`);
  }
  text(x, y, text, { size = 12, colour = colours.ink, align = "left", weight = 400 } = {}) {
    const anchor = { left: "start", center: "middle", right: "end" }[align], safe = text.replace(/[&<>"]/g, c => `&#${c.charCodeAt(0)};`);
    this.put(`<text x="${this.n(x)}" y="${this.n(y + size * 0.35)}" font-size="${size}" font-weight="${weight}" fill="${colour}" text-anchor="${anchor}">${safe}</text>`);
  }
  cells(x, y, w, h, draw) {
    const canvas = document.createElement("canvas"), pen = penFor(canvas, w, h, 2);
    draw(pen.c);
    this.put(`<image x="${this.n(x)}" y="${this.n(y)}" width="${this.n(w)}" height="${this.n(h)}" preserveAspectRatio="none" href="${canvas.toDataURL("image/png")}"/>`);
  }
}

const stem = (data.title || "recording").replace(/\.[A-Za-z0-9]{1,5}$/, "").replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 80) || "recording";
function save(blob, lane, ending) {
  const link = make("a", { href: URL.createObjectURL(blob), download: stem + "." + lane.id + "." + ending });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
/** A lane with its names and an axis of time, as it is shown, drawn by `paint` at a place. */
function frameOf(lane) {
  const left = 96, top = 30, bottom = 24, w = view.width, h = lane.height;
  return {
    width: left + w + 32, height: top + h + bottom, left, top,
    around(pen) {
      pen.rect(0, 0, this.width, this.height, colours.panel);
      pen.text(left, 15, (data.title || "Recording") + " · " + lane.title, { size: 13, weight: 600 });
      for (const { at, text } of lane.axis) pen.text(left - 7, top + at * h, text, { size: 11, align: "right", colour: colours.quiet });
      for (const [s, text] of ticks()) {
        const x = left + view.x(s);
        pen.line(x, top + h, x, top + h + 5, colours.quiet);
        pen.text(x, top + h + 14, text, { size: 11, align: "center", colour: colours.quiet });
      }
    },
  };
}
function svgOf(lane) {
  const frame = frameOf(lane), outer = new SvgPen(frame.width, frame.height), inner = new SvgPen(view.width, lane.height);
  frame.around(outer);
  lane.draw(inner, view.width, lane.height, 2);
  outer.put(`<svg x="${frame.left}" y="${frame.top}" width="${view.width}" height="${lane.height}">${inner.parts.join("")}</svg>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${frame.width}" height="${frame.height}" viewBox="0 0 ${frame.width} ${frame.height}" font-family="system-ui, DejaVu Sans, sans-serif">${outer.parts.join("")}</svg>\n`;
}
function pngOf(lane) {
  const frame = frameOf(lane), canvas = document.createElement("canvas"), inner = document.createElement("canvas");
  const pen = penFor(canvas, frame.width, frame.height, 2);
  frame.around(pen);
  lane.draw(penFor(inner, view.width, lane.height, 2), view.width, lane.height, 2);
  pen.c.drawImage(inner, frame.left, frame.top, view.width, lane.height);
  return new Promise(done => canvas.toBlob(done, "image/png"));
}
function tableOf(lane) {
  const [from, to] = lane.table.part ? [view.from, view.to] : [0, DURATION];
  return lane.table.rows(from, to);
}
function csvOf(lane) {
  const cell = v => { const text = String(v); return /[",\n\r]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text; };
  return [lane.table.head, ...tableOf(lane)].map(row => row.map(cell).join(",")).join("\n") + "\n";
}
function jsonOf(lane) {
  const rows = tableOf(lane).map(row => Object.fromEntries(row.map((v, i) => [lane.table.head[i], v])));
  return JSON.stringify({ recording: data.title, hemiola: data.version, [lane.id]: rows }, null, 1) + "\n";
}
/** The notes as a MIDI file of one track, 960 ticks to the second. */
function midiOf() {
  const events = [];
  for (let i = 0; i < notes.count; i++) {
    const on = Math.round(notes.onset[i] * 960), off = Math.max(on + 1, Math.round(notes.offset[i] * 960)), pitch = notes.pitch[i];
    events.push([on, 1, 0x90, pitch, Math.max(1, notes.velocity[i])], [off, 0, 0x80, pitch, 64]);
  }
  events.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const track = [0, 0xff, 0x51, 3, 0x07, 0xa1, 0x20];
  let before = 0;
  for (const [at, , ...message] of events) {
    const bytes = [];
    let wait = at - before;
    before = at;
    do { bytes.unshift(wait & 127 | (bytes.length ? 128 : 0)); wait >>>= 7; } while (wait);
    track.push(...bytes, ...message);
  }
  track.push(0, 0xff, 0x2f, 0);
  const long = v => [v >>> 24, v >>> 16 & 255, v >>> 8 & 255, v & 255], word = text => [...text].map(c => c.charCodeAt(0));
  const head = [...word("MThd"), 0, 0, 0, 6, 0, 0, 0, 1, 0x01, 0xe0, ...word("MTrk"), ...long(track.length)];
  const file = new Uint8Array(head.length + track.length);
  file.set(head);
  file.set(track, head.length);
  return file;
}
/** The files that a lane can be had as. */
function filesOf(lane) {
  const part = lane.table.part ? " of the part that is shown" : "";
  const files = [["CSV", "Numbers" + part, () => save(new Blob([csvOf(lane)], { type: "text/csv" }), lane, "csv")]];
  if (!lane.table.part) files.push(["JSON", "Numbers", () => save(new Blob([jsonOf(lane)], { type: "application/json" }), lane, "json")]);
  if (lane.midi) files.push(["MIDI", "Notes", () => save(new Blob([midiOf()], { type: "audio/midi" }), lane, "mid")]);
  files.push(["PNG", "Picture of the part that is shown", () => pngOf(lane).then(blob => save(blob, lane, "png"))]);
  files.push(["SVG", "Drawing of the part that is shown", () => save(new Blob([svgOf(lane)], { type: "image/svg+xml" }), lane, "svg")]);
  return files;
}
