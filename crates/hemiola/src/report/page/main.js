const area = byId("lanes");
for (const lane of lanes) {
  lane.canvas = make("canvas", {});
  lane.canvas.style.height = lane.height + "px";
  lane.canvas.setAttribute("role", "img");
  lane.canvas.setAttribute("aria-label", lane.title + (lane.empty ? ": none found" : lane.detail ? ": " + lane.detail : ""));
  const axis = make("div", { className: "axis" });
  axis.setAttribute("aria-hidden", "true");
  lane.body = make("div", { className: "body" }, lane.canvas);
  const heading = make("header", {}, make("h2", {}, lane.title), make("span", {}, lane.detail || ""));
  if (lane.empty) lane.body.append(make("div", { className: "nothing" }, "none found"));
  else {
    for (const { at, text } of lane.axis) {
      const name = make("span", { title: text }, text);
      name.style.top = (at * 100).toFixed(3) + "%";
      axis.append(name);
    }
    lane.body.append(axis);
    const menu = make("details", { className: "save" }, make("summary", {}, "Save"));
    menu.firstChild.setAttribute("aria-label", "Save " + lane.title);
    menu.append(make("div", {}, ...filesOf(lane).map(([name, title, onclick]) => make("button", { type: "button", title, onclick: () => { onclick(); menu.open = false; } }, name))));
    menu.addEventListener("toggle", () => { if (menu.open) for (const other of document.querySelectorAll(".save")) if (other !== menu) other.open = false; });
    heading.append(menu);
  }
  lane.section = make("section", { className: "lane", id: "lane-" + lane.id }, heading, lane.body);
  lane.section.setAttribute("aria-label", lane.title);
  area.append(lane.section);
  lane.seen = true;
}
if (!lanes.length) area.append(make("p", { className: "lane" }, "Nothing was listened for: there is no lane to show."));

let asked = false, printing = false, frames = [];
/** Draws what is in sight, once for each frame of the screen. */
function redraw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(draw);
}
function draw() {
  asked = false;
  const begun = performance.now(), ratio = printing ? 3 : devicePixelRatio;
  const penOn = (canvas, h) => {
    const pen = penFor(canvas, view.width, h, ratio);
    if (printing) pen.rect(0, 0, view.width, h, colours.panel);
    return pen;
  };
  for (const lane of lanes) if (printing || lane.seen) lane.draw(penOn(lane.canvas, lane.height), view.width, lane.height, ratio);
  drawRuler(penOn(byId("ruler"), 22), 22);
  byId("whole").disabled = byId("out").disabled = view.span >= DURATION * 0.9999;
  player.show(false);
  frames.push(performance.now() - begun);
  if (frames.length > 600) frames.shift();
}
function layOut() {
  if (printing) return;
  view.width = Math.max(50, byId("ruler").clientWidth);
  drawStripGround();
  redraw();
}
new ResizeObserver(layOut).observe(area);
const sight = new IntersectionObserver(entries => {
  for (const entry of entries) lanes.find(lane => lane.section === entry.target).seen = entry.isIntersecting;
  redraw();
}, { rootMargin: "200px" });
for (const lane of lanes) sight.observe(lane.section);

/* Pointers: a mouse moves the cursor, a finger the time, two fingers the zoom. */
const placeOf = e => e.clientX - byId("ruler").getBoundingClientRect().left;
const touches = new Map();
let scrubbing = null, swipe = null;
function press(e) {
  if (e.button) return;
  if (e.pointerType === "touch") {
    touches.set(e.pointerId, placeOf(e));
    swipe = { x: placeOf(e), moved: touches.size > 1 };
  } else scrub(e);
  e.currentTarget.setPointerCapture(e.pointerId);
}
function scrub(e) {
  scrubbing = e.pointerId;
  player.seek(view.time(placeOf(e)));
}
function drag(e) {
  const x = placeOf(e);
  if (touches.has(e.pointerId)) {
    const before = [...touches.values()];
    touches.set(e.pointerId, x);
    const now = [...touches.values()];
    if (now.length === 2) {
      const wide = Math.abs(before[0] - before[1]), wider = Math.abs(now[0] - now[1]);
      if (wide > 8 && wider > 8) view.zoom(wider / wide, (now[0] + now[1]) / 2);
    } else if (swipe.moved || Math.abs(x - swipe.x) > 6) {
      if (swipe.moved) view.move((before[0] - x) / view.pace);
      swipe.moved = true;
    }
  } else if (scrubbing === e.pointerId) player.seek(view.time(Math.min(Math.max(x, 0), view.width)));
}
function release(e) {
  if (touches.delete(e.pointerId) && e.type === "pointerup" && swipe && !swipe.moved) player.seek(view.time(placeOf(e)));
  if (scrubbing === e.pointerId) scrubbing = null;
}
for (const canvas of [byId("ruler"), ...lanes.map(lane => lane.canvas)]) {
  canvas.addEventListener("pointerdown", press);
  canvas.addEventListener("pointermove", drag);
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
}
function wheel(e) {
  const unit = e.deltaMode === 1 ? 16 : e.deltaMode === 2 ? view.width : 1;
  if (e.ctrlKey || e.metaKey) view.zoom(Math.exp(-e.deltaY * unit * 0.004), placeOf(e));
  else if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) view.move((e.deltaX || e.deltaY) * unit / view.pace);
  else return;
  e.preventDefault();
}
area.addEventListener("wheel", wheel, { passive: false });
byId("ruler").addEventListener("wheel", wheel, { passive: false });
byId("strip").addEventListener("wheel", wheel, { passive: false });
{
  const strip = byId("strip");
  const go = e => {
    const box = strip.getBoundingClientRect(), s = (e.clientX - box.left) / box.width * DURATION;
    player.seek(s);
    if (s < view.from || s > view.to) view.set(s - view.span / 2, view.span);
  };
  strip.addEventListener("pointerdown", e => { if (!e.button) { strip.setPointerCapture(e.pointerId); go(e); } });
  strip.addEventListener("pointermove", e => { if (strip.hasPointerCapture(e.pointerId)) go(e); });
  strip.setAttribute("aria-valuemax", DURATION.toFixed(1));
}

/* What is under the pointer. */
const tip = byId("tip"), hair = byId("hair");
function hover(lane, e) {
  const box = lane.canvas.getBoundingClientRect(), s = Math.min(Math.max(view.time(e.clientX - box.left), 0), DURATION);
  const share = Math.min(Math.max((e.clientY - box.top) / box.height, 0), 0.9999), [main, more] = lane.empty ? ["", ""] : lane.tell(s, share);
  tip.replaceChildren(...[main && make("b", {}, main), more && make("small", {}, more), make("small", {}, clock(s, view.span < 60 ? 2 : 1))].filter(Boolean));
  tip.hidden = hair.hidden = false;
  const right = e.clientX + 16 + tip.offsetWidth < innerWidth - 4;
  tip.style.transform = "translate(" + Math.max(4, right ? e.clientX + 14 : e.clientX - tip.offsetWidth - 14) + "px," + Math.max(4, Math.min(e.clientY + 14, innerHeight - tip.offsetHeight - 4)) + "px)";
  hair.style.transform = "translateX(" + view.x(s) + "px)";
}
const leave = () => { tip.hidden = hair.hidden = true; };
for (const lane of lanes) {
  lane.canvas.addEventListener("pointermove", e => { if (e.pointerType !== "touch") hover(lane, e); });
  lane.canvas.addEventListener("pointerleave", leave);
}

/* Buttons and keys. */
byId("play").onclick = () => player.toggle();
byId("in").onclick = () => zoomAtCursor(1.6);
byId("out").onclick = () => zoomAtCursor(1 / 1.6);
byId("whole").onclick = () => view.set(0, DURATION);
byId("follow").onchange = () => player.show(true);
byId("help").onclick = () => byId("keys").showModal();
function zoomAtCursor(factor) {
  const x = view.x(player.time);
  view.zoom(factor, x >= 0 && x <= view.width ? x : view.width / 2);
}
function stepBeat(way) {
  if (!beats || !beats.time.length) return player.seek(player.time + way);
  const at = way > 0 ? countTo(beats.time, player.time + 0.02) : countTo(beats.time, player.time - 0.06) - 1;
  player.seek(at < 0 ? 0 : at < beats.time.length ? beats.time[at] : DURATION);
}
const KEYS = {
  " ": () => player.toggle(),
  ArrowLeft: e => e.shiftKey ? stepBeat(-1) : player.seek(player.time - 5),
  ArrowRight: e => e.shiftKey ? stepBeat(1) : player.seek(player.time + 5),
  Home: () => player.seek(0),
  End: () => player.seek(DURATION),
  "+": () => zoomAtCursor(1.6), "=": () => zoomAtCursor(1.6), "-": () => zoomAtCursor(1 / 1.6), "−": () => zoomAtCursor(1 / 1.6),
  0: () => view.set(0, DURATION),
  f: () => byId("follow").click(),
  d: () => byId("theme").click(),
  "?": () => byId("keys").showModal(),
};
addEventListener("keydown", e => {
  if (e.ctrlKey || e.metaKey || e.altKey || byId("keys").open) return;
  if (e.key === "Escape") { for (const menu of document.querySelectorAll(".save[open]")) { menu.open = false; menu.firstChild.focus(); } return; }
  // A control has the keys that it knows itself.
  if (e.key === " " && e.target.closest("button, summary, input, label")) return;
  const act = KEYS[e.key.length === 1 ? e.key.toLowerCase() : e.key];
  if (!act) return;
  e.preventDefault();
  act(e);
});
addEventListener("pointerdown", e => { if (!e.target.closest(".save")) for (const menu of document.querySelectorAll(".save[open]")) menu.open = false; });

/* The recording. */
byId("file").onchange = () => { const file = byId("file").files[0]; if (file) player.open(file, file.name); };
addEventListener("dragover", e => e.preventDefault());
addEventListener("drop", e => { e.preventDefault(); const file = e.dataTransfer.files[0]; if (file) player.open(file, file.name); });
if (data.audio) {
  byId("open").hidden = true;
  player.open(new Blob([bytesOf("audio-bytes")], { type: data.audio }));
}

/* Light and dark. */
let chosen = null;
const system = matchMedia("(prefers-color-scheme: dark)");
function theme(dark) {
  document.documentElement.classList.toggle("dark", dark);
  byId("theme").setAttribute("aria-pressed", dark);
  readColours();
  drawStripGround();
  redraw();
}
system.onchange = e => { if (chosen === null) theme(e.matches); };
byId("theme").onclick = () => theme(chosen = !colours.dark);

/* On paper: light, the whole recording over the width of the page. Chromium prints a canvas a little smaller than its place,
   but an image as large: one covers the other. */
const PAPER = 860, SMALLER = 0.69;
let before = null;
addEventListener("beforeprint", () => {
  if (printing) return;
  before = { dark: colours.dark, from: view.from, span: view.span, width: view.width, undo: [] };
  printing = true;
  theme(false);
  view.width = PAPER;
  view.from = 0;
  view.to = DURATION;
  draw();
  for (const [canvas, height] of [[byId("ruler"), 22], ...lanes.map(lane => [lane.canvas, lane.height])]) {
    const image = make("img", { alt: "", decoding: "sync", src: canvas.toDataURL() });
    canvas.style.height = (height * SMALLER).toFixed(1) + "px";
    canvas.after(image);
    before.undo.push(() => { image.remove(); canvas.style.height = height + "px"; });
  }
});
addEventListener("afterprint", () => {
  if (!printing) return;
  for (const undo of before.undo) undo();
  printing = false;
  view.width = before.width;
  view.set(before.from, before.span);
  theme(before.dark);
  layOut();
});

theme(system.matches);
layOut();
