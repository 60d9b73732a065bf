const byId = id => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);

/** The bytes of an element of base64, which is emptied; none where it is not there. */
function bytesOf(id) {
  const element = byId(id);
  if (!element) return new Uint8Array(0);
  const text = atob(element.textContent);
  element.textContent = "";
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
/** One column of a list of rows, in seconds where these are milliseconds. */
function column(rows, width, place, unit = 1) {
  const values = new Float64Array(rows.length / width);
  for (let i = 0; i < values.length; i++) values[i] = rows[i * width + place] / unit;
  return values;
}

const DURATION = Math.max(data.duration_s, 0.001);
const SHARPS = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
const pitchName = pitch => SHARPS[pitch % 12] + (Math.floor(pitch / 12) - 1);
/** Such as 1:23.4, or 1:02:03 with no digits. */
function clock(s, digits = 1) {
  const unit = 10 ** digits, whole = Math.round(Math.max(s, 0) * unit) / unit;
  const h = Math.floor(whole / 3600), m = Math.floor(whole / 60) % 60;
  const rest = (whole % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return (h ? h + ":" + String(m).padStart(2, "0") : m) + ":" + rest;
}
/** How many of rising values are not above one. */
function countTo(values, value) {
  let low = 0, high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= value) low = middle + 1; else high = middle;
  }
  return low;
}
/** For each place, the largest of all values up to there: where to begin to look for what still lasts. */
function largestSoFar(values) {
  const most = new Float64Array(values.length);
  values.reduce((m, v, i) => most[i] = Math.max(m, v), -Infinity);
  return most;
}
const plural = (n, one, many) => n.toLocaleString("en") + " " + (n === 1 ? one : many || one + "s");

const notes = data.notes && (rows => {
  const onset = column(rows, 4, 0, 1000), length = column(rows, 4, 1, 1000);
  const offset = onset.map((s, i) => s + length[i]);
  return { count: onset.length, onset, offset, last: largestSoFar(offset), pitch: column(rows, 4, 2), velocity: column(rows, 4, 3) };
})(data.notes);

const onsets = data.onsets && { time: column(data.onsets, 2, 0, 1000), strength: column(data.onsets, 2, 1, 100) };

const beats = data.beats && (b => {
  const time = column(b.beats, 2, 0, 1000), number = column(b.beats, 2, 1);
  let bars = 0;
  // What comes before the first whole bar is bar 0.
  const bar = number.map(n => n === 1 ? ++bars : bars);
  return { time, number, bar, bars, tempo: b.tempo_bpm, perBar: b.beats_per_bar };
})(data.beats);

const chords = data.chords && (c => {
  const at = (rows, place) => rows[place] || null;
  const start = column(c.rows, 5, 0, 1000), end = column(c.rows, 5, 1, 1000);
  const label = column(c.rows, 5, 2), numeral = column(c.rows, 5, 3), key = column(c.rows, 5, 4);
  // Neighbours in the same key are one stretch of it.
  const keys = [];
  for (let i = 0; i < start.length; i++) {
    const name = at(c.keys, key[i]), last = keys[keys.length - 1];
    if (last && last.name === name) last.end = end[i];
    else keys.push({ start: start[i], end: end[i], name });
  }
  return {
    count: start.length, start, end, harmony: c.harmony, keys: keys.filter(k => k.name),
    label: i => c.labels[label[i]][0], name: i => c.labels[label[i]][1], kind: i => c.labels[label[i]][2],
    numeral: i => at(c.numerals, numeral[i]), key: i => at(c.keys, key[i]),
    at(s) { const i = countTo(start, s) - 1; return i >= 0 && s < end[i] ? i : -1; },
  };
})(data.chords);

const instruments = data.instruments && (d => {
  const n = d.labels.length, cells = bytesOf("instruments");
  const start = column(d.windows, 2, 0, 1000), end = column(d.windows, 2, 1, 1000);
  const most = d.labels.map((_, k) => { let m = 0; for (let i = k; i < cells.length; i += n) m = Math.max(m, cells[i]); return m / 255; });
  const all = d.labels.map((label, k) => ({ label, k, score: d.scores[k], most: most[k] })).sort((a, b) => b.score - a.score || b.most - a.most);
  const heard = all.filter(row => row.score >= 0.15 || row.most >= 0.4);
  return { labels: d.labels, n, cells, start, end, all, rows: (heard.length ? heard : all.slice(0, 3)).slice(0, 10) };
})(data.instruments);
