/** The sound, and the time of the cursor, which moves without sound too. */
const player = {
  audio: null,
  cursor: 0,
  get time() { return this.audio && this.audio.readyState > 0 ? Math.min(this.audio.currentTime, DURATION) : this.cursor; },
  get playing() { return !!this.audio && !this.audio.paused; },
  seek(s) {
    this.cursor = Math.min(Math.max(s, 0), DURATION);
    if (this.audio && this.audio.readyState > 0) this.audio.currentTime = this.cursor;
    this.show(true);
  },
  toggle() {
    if (!this.audio) { byId("file").focus(); tellMessage("Open the recording to hear it: this page has no sound of its own."); return; }
    if (!this.playing) {
      if (this.time >= DURATION - 0.05) this.seek(0);
      this.audio.play().catch(fault => tellMessage("The recording cannot be played: " + fault.message));
    } else this.audio.pause();
  },
  open(blob, name) {
    if (this.audio) { this.audio.pause(); URL.revokeObjectURL(this.audio.src); }
    const audio = this.audio = new Audio();
    audio.preload = "auto";
    for (const event of ["play", "pause", "ended"]) audio.addEventListener(event, () => { showPlaying(); tick(); });
    for (const event of ["seeking", "seeked", "timeupdate"]) audio.addEventListener(event, () => { this.cursor = audio.currentTime; this.show(this.playing || event !== "timeupdate"); });
    audio.addEventListener("loadedmetadata", () => {
      byId("play").disabled = false;
      if (this.cursor > 0) audio.currentTime = this.cursor;
      const differs = name && Number.isFinite(audio.duration) && Math.abs(audio.duration - DURATION) > Math.max(1, DURATION * 0.01);
      tellMessage(differs ? name + " lasts " + clock(audio.duration) + ", what was analysed " + clock(DURATION) + ": is it another recording?" : "");
      this.show(false);
    });
    audio.addEventListener("error", () => { byId("play").disabled = true; tellMessage("This browser cannot play " + (name || "the recording of this page") + "; open it in another format."); byId("open").hidden = false; });
    audio.src = URL.createObjectURL(blob);
  },
  /** Draws the cursor where it is; `follow` brings it into view. */
  show(follow) {
    const s = this.time, x = view.x(s), cursor = byId("cursor");
    if (follow && byId("follow").checked && (x < 0 || x > view.width * (this.playing ? 0.94 : 1))) view.set(s - view.span * (this.playing ? 0.06 : 0.3), view.span);
    const now = view.x(s), inside = now >= -1 && now <= view.width + 1;
    // Out of sight it must not widen the page.
    cursor.style.transform = "translateX(" + (inside ? now : 0).toFixed(2) + "px)";
    cursor.style.visibility = inside ? "visible" : "hidden";
    drawStripCursor(s);
    showNow(s);
  },
};
const tellMessage = text => { byId("message").textContent = text; byId("message").hidden = !text; };
function showPlaying() {
  const button = byId("play");
  button.textContent = player.playing ? "❚❚" : "▶";
  button.setAttribute("aria-label", player.playing ? "Pause" : "Play");
}
let ticking = false;
/** Moves the cursor while the sound goes on. */
function tick() {
  if (ticking) return;
  ticking = true;
  const step = () => {
    player.show(true);
    ticking = player.playing;
    if (ticking) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

let told = "";
/** What sounds at the cursor, in words. */
function showNow(s) {
  const key = Math.round(s * 10);
  if (told === key) return;
  told = key;
  byId("clock").replaceChildren(clock(s), make("small", {}, " / " + clock(DURATION, 0)));
  const parts = [];
  if (chords) {
    const i = chords.at(s);
    if (i >= 0 && chords.kind(i)) parts.push(make("b", {}, chords.name(i)), chords.numeral(i) ? " " + chords.numeral(i) + " in " + chords.key(i) : "");
  }
  if (beats) {
    const i = countTo(beats.time, s) - 1;
    if (i >= 0) parts.push((parts.length ? " · " : "") + "bar " + beats.bar[i] + ", beat " + beats.number[i]);
  }
  if (notes) {
    const names = [...new Set(notes.sounding(s).map(i => pitchName(notes.pitch[i])))];
    if (names.length) parts.push((parts.length ? " · " : "") + names.join(" "));
  }
  byId("now").replaceChildren(...parts);
  const strip = byId("strip");
  strip.setAttribute("aria-valuenow", s.toFixed(1));
  strip.setAttribute("aria-valuetext", clock(s) + (byId("now").textContent ? ", " + byId("now").textContent : ""));
}

let stripImage = null;
/** The whole recording, and which part of it is shown. */
function drawStripGround() {
  const canvas = byId("strip"), w = canvas.clientWidth, h = canvas.clientHeight;
  if (!w || !h) return;
  stripImage = document.createElement("canvas");
  const pen = penFor(stripImage, w, h), waveform = lanes.find(lane => lane.id === "waveform");
  if (waveform && !waveform.empty) waveform.area(pen, 0, DURATION, w, h, colours.wave);
  else pen.rect(0, h / 2 - 0.5, w, 1, colours.line);
}
function drawStripCursor(s) {
  const canvas = byId("strip"), w = canvas.clientWidth, h = canvas.clientHeight;
  if (!stripImage || !w) return;
  const pen = penFor(canvas, w, h), x = t => t / DURATION * w;
  pen.c.drawImage(stripImage, 0, 0, w, h);
  if (view.span < DURATION * 0.9999) {
    const from = x(view.from), to = Math.max(x(view.to), from + 2);
    pen.rect(0, 0, from, h, colours.ground, 0.66);
    pen.rect(to, 0, w - to, h, colours.ground, 0.66);
    for (const [a, b, c, d] of [[from, 0, to - from, 1.5], [from, h - 1.5, to - from, 1.5], [from, 0, 1.5, h], [to - 1.5, 0, 1.5, h]]) pen.rect(a, b, c, d, colours.accent);
  }
  pen.rect(x(s) - 1, 0, 2, h, colours.cursor);
}
