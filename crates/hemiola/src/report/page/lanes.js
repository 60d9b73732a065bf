/** What is drawn over the time, from top to bottom: `draw(pen, w, h, ratio)`, `axis` with places from 0, the top, to 1, and
    `tell(s, share of the height)` for what is under the pointer. */
const lanes = [];

/** Lines at bars, or at beats where there is room. */
function drawBars(pen, h) {
  if (!beats || !beats.time.length) return;
  const first = countTo(beats.time, view.from - 1e-9), last = countTo(beats.time, view.to);
  if (last <= first) return;
  const apart = view.width / (last - first);
  for (let i = first; i < last; i++) {
    const bar = beats.number[i] === 1;
    if (bar ? apart * (beats.perBar || 4) > 14 : apart > 26) {
      const x = Math.round(view.x(beats.time[i])) + 0.5;
      pen.line(x, 0, x, h, colours.line, 1, bar ? 0.7 : 0.3);
    }
  }
}

if (data.peaks_per_second) {
  const bytes = bytesOf("peaks"), fine = new Int8Array(bytes.buffer), levels = [fine];
  const RATE = data.peaks_per_second;
  const level = k => {
    while (levels.length <= k) {
      const from = levels[levels.length - 1], n = Math.ceil(from.length / 8), to = new Int8Array(2 * n);
      for (let i = 0; i < n; i++) {
        let low = 127, high = -127;
        for (let j = 8 * i; j < Math.min(8 * i + 8, from.length); j += 2) { low = Math.min(low, from[j]); high = Math.max(high, from[j + 1]); }
        to[2 * i] = low;
        to[2 * i + 1] = high;
      }
      levels.push(to);
    }
    return levels[k];
  };
  let most = 1;
  for (const v of fine) most = Math.max(most, Math.abs(v));
  /** Peaks from one time to another as an area of a width. */
  const area = (pen, from, to, w, h, colour) => {
    const k = Math.max(0, Math.floor(Math.log2((to - from) / w * RATE) / 2)), peaks = level(k), rate = RATE / 4 ** k, n = peaks.length / 2;
    // Soft recordings are magnified, silence is not.
    const middle = h / 2, unit = (h / 2 - 2) / Math.max(most, 6), upper = [], lower = [];
    const first = Math.max(0, Math.floor(from * rate)), last = Math.min(n - 1, Math.ceil(to * rate));
    for (let i = first; i <= last; i++) {
      const x = ((i + 0.5) / rate - from) / (to - from) * w, high = peaks[2 * i + 1] * unit, low = peaks[2 * i] * unit;
      upper.push(x, middle - Math.max(high, low + 0.5));
      lower.push(middle - low + 0.5, x);
    }
    if (upper.length) pen.area(upper.concat(lower.reverse()), colour);
  };
  lanes.push({
    id: "waveform", title: "Waveform", height: 76, empty: !fine.length, area,
    draw(pen, w, h) { pen.rect(0, h / 2 - 0.5, w, 1, colours.line); area(pen, view.from, view.to, w, h, colours.wave); },
    axis: [],
    tell(s) {
      const i = Math.floor(s * RATE) * 2, peak = Math.max(-fine[i], fine[i + 1]) / 127;
      return peak > 0 ? ["", (20 * Math.log10(peak)).toFixed(0) + " dB"] : ["", "silent"];
    },
    table: { part: true, head: ["time_s", "lowest", "highest"], rows: (from, to) => {
      const rows = [];
      for (let i = Math.max(0, Math.floor(from * RATE)); i < Math.min(fine.length / 2, to * RATE); i++)
        rows.push([(i / RATE).toFixed(2), (fine[2 * i] / 127).toFixed(3), (fine[2 * i + 1] / 127).toFixed(3)]);
      return rows;
    } },
  });
}

const gridTable = (raster, names, digits, value) => ({ part: true, head: ["time_s", ...names], rows: (from, to) => {
  const rows = [];
  for (let i = 0; i < raster.columns; i++) {
    const s = raster.from + (i + 0.5) / raster.fps;
    if (s >= from - 1e-9 && s <= to) rows.push([s.toFixed(3), ...names.map((_, r) => value(raster.at(s, r)).toFixed(digits))]);
  }
  return rows;
} });

if (data.spectrogram) {
  const raster = new Raster(bytesOf("spectrogram"), data.spectrogram, "spectrogram", true), bands = data.bands_hz, n = bands.length;
  const place = hz => {
    const i = bands.findIndex(b => b >= hz);
    return i < 0 ? n : i === 0 ? 0.5 : i - 0.5 + Math.log(hz / bands[i - 1]) / Math.log(bands[i] / bands[i - 1]);
  };
  const decibels = level => (level - 255) * 80 / 255;
  lanes.push({
    id: "spectrogram", title: "Spectrogram", detail: "over 80 dB", height: 156, empty: !raster.columns,
    draw(pen, w, h, ratio) { pen.cells(0, 0, w, h, c => raster.draw(c, h, ratio)); },
    axis: [50, 100, 200, 500, 1000, 2000, 5000, 10000].filter(hz => hz > bands[0] * 1.15 && hz < bands[n - 1] * 0.9)
      .map(hz => ({ at: 1 - place(hz) / n, text: hz < 1000 ? hz + " Hz" : hz / 1000 + " kHz" })),
    tell(s, share) {
      const row = Math.min(n - 1, Math.floor((1 - share) * n)), hz = bands[row];
      const pitch = Math.round(69 + 12 * Math.log2(hz / 440));
      return [Math.round(hz) + " Hz · " + pitchName(pitch), decibels(raster.at(s, row)).toFixed(0) + " dB"];
    },
    table: gridTable(raster, bands.map(hz => hz + " Hz"), 1, decibels),
  });
}

if (notes) {
  let low = 127, high = 0;
  for (const p of notes.pitch) { low = Math.min(low, p); high = Math.max(high, p); }
  const range = notes.count ? pitchName(low) + " to " + pitchName(high) : "";
  if (!notes.count) { low = 60; high = 71; }
  low = Math.max(0, low - 2);
  high = Math.min(127, high + 2);
  while (high - low < 23) { low = Math.max(0, low - 1); high = Math.min(127, high + 1); }
  const keys = high - low + 1;
  // From far away, many notes are cells: ten a second, as loud as the loudest note.
  const MANY = 2000;
  let far = null;
  const cellsOfNotes = () => {
    const FPS = 10, length = notes.last[notes.count - 1], cells = new Uint8Array((Math.ceil(Math.min(DURATION, length) * FPS) + 1) * keys);
    for (let i = 0; i < notes.count; i++) {
      const level = 90 + Math.round(notes.velocity[i] * 1.25), row = notes.pitch[i] - low;
      for (let c = Math.floor(notes.onset[i] * FPS); c <= notes.offset[i] * FPS && c * keys < cells.length; c++) cells[c * keys + row] = Math.max(cells[c * keys + row], level);
    }
    return new Raster(cells, { rows: keys, fps: FPS, from_s: 0 }, "presence", false);
  };
  const black = p => [1, 3, 6, 8, 10].includes(p % 12);
  notes.range = range;
  notes.sounding = s => {
    const found = [];
    for (let i = countTo(notes.onset, s) - 1; i >= 0 && notes.last[i] > s; i--) if (notes.offset[i] > s) found.push(i);
    return found.sort((a, b) => notes.pitch[a] - notes.pitch[b]);
  };
  lanes.push({
    id: "notes", title: "Notes", detail: plural(notes.count, "note") + (range && ", " + range), height: Math.min(340, Math.max(180, keys * 5)), empty: !notes.count,
    draw(pen, w, h, ratio) {
      const key = h / keys, y = p => (high - p) * key;
      if (view.pace < 6 && notes.count > MANY) {
        far = far || cellsOfNotes();
        pen.cells(0, 0, w, h, c => far.draw(c, h, ratio));
        return;
      }
      for (let p = low; p <= high; p++) if (black(p)) pen.rect(0, y(p), w, key, colours.faint);
      drawBars(pen, h);
      for (let p = low; p <= high; p++) if (p % 12 === 0) pen.rect(0, y(p) + key - 0.5, w, 1, colours.line, 0.8);
      const first = countTo(notes.last, view.from), last = countTo(notes.onset, view.to), gap = Math.max(0, Math.min(1, key / 4));
      const named = key >= 8 && view.pace > 60;
      for (let i = first; i < last; i++) {
        if (notes.offset[i] < view.from) continue;
        const x0 = view.x(notes.onset[i]), wide = view.x(notes.offset[i]) - x0;
        const strength = 0.4 + 0.6 * notes.velocity[i] / 127;
        pen.rect(x0, y(notes.pitch[i]) + gap / 2, Math.max(wide > 4 ? wide - 1 : wide, 1.2), key - gap, colours.note, Math.round(strength * 20) / 20);
        if (named && wide > 30) pen.text(x0 + 3, y(notes.pitch[i]) + key / 2, pitchName(notes.pitch[i]), { size: 9, colour: colours.panel });
      }
    },
    axis: Array.from({ length: keys }, (_, i) => low + i).filter(p => p % 12 === 0).map(p => ({ at: (high - p + 0.5) / keys, text: pitchName(p) })),
    tell(s, share) {
      const pitch = high - Math.floor(share * keys), near = 3 / view.pace;
      const last = countTo(notes.onset, s + near);
      for (let i = last - 1; i >= 0 && notes.last[i] >= s - near; i--)
        if (notes.pitch[i] === pitch && notes.offset[i] >= s - near)
          return [pitchName(pitch), clock(notes.onset[i], 2) + " to " + clock(notes.offset[i], 2) + ", velocity " + notes.velocity[i]];
      return ["", pitchName(pitch)];
    },
    table: { head: ["onset_s", "offset_s", "pitch", "name", "velocity"], rows: () => Array.from(notes.onset,
      (s, i) => [+s.toFixed(3), +notes.offset[i].toFixed(3), notes.pitch[i], pitchName(notes.pitch[i]), notes.velocity[i]]) },
    midi: true,
  });
}

if (data.chroma) {
  const raster = new Raster(bytesOf("chroma"), data.chroma, "presence", false);
  lanes.push({
    id: "chroma", title: "Chroma", detail: "presence of each pitch class", height: 138, empty: !raster.columns,
    draw(pen, w, h, ratio) { pen.cells(0, 0, w, h, c => raster.draw(c, h, ratio)); },
    axis: SHARPS.map((text, i) => ({ at: 1 - (i + 0.5) / 12, text })),
    tell(s, share) { const row = Math.min(11, Math.floor((1 - share) * 12)); return [SHARPS[row], Math.round(raster.at(s, row) / 2.55) + " %"]; },
    table: gridTable(raster, SHARPS, 3, v => v / 255),
  });
}

if (chords) {
  const KINDS = ["none", "major", "minor", "diminished", "other"], rows = chords.harmony ? [30, 24, 20] : [34];
  const label = (pen, text, x0, x1, y, style) => {
    const left = Math.max(x0, 0), right = Math.min(x1, view.width), wide = textWidth(text, style.size, style.weight);
    if (wide + 6 <= right - left) pen.text(left + 4, y, text, style);
  };
  lanes.push({
    id: "chords", title: chords.harmony ? "Chords, Roman numerals, keys" : "Chords", detail: plural(chords.count, "chord"),
    height: rows.reduce((a, b) => a + b), empty: !chords.count,
    draw(pen, w) {
      const first = countTo(chords.end, view.from), last = countTo(chords.start, view.to);
      let drawn = -1;
      for (let i = first; i < last; i++) {
        const x0 = view.x(chords.start[i]), x1 = view.x(chords.end[i]);
        if (x1 < drawn) continue;
        drawn = Math.max(x1, x0 + 1);
        const wide = Math.max(x1 - x0 - (x1 - x0 > 3 ? 1 : 0), 1), kind = chords.kind(i);
        pen.rect(x0, 0, wide, rows[0] - 1, colours[KINDS[kind]]);
        if (x1 - x0 > 9) label(pen, chords.name(i), x0, x1, rows[0] / 2, { size: 13, weight: 600, colour: kind ? colours.ink : colours.quiet });
        if (rows.length > 1 && chords.numeral(i) && x1 - x0 > 9) label(pen, chords.numeral(i), x0, x1, rows[0] + rows[1] / 2 - 1, { size: 12 });
      }
      if (rows.length < 2) return;
      const top = rows[0] + rows[1];
      for (const key of chords.keys) {
        if (key.end < view.from || key.start > view.to) continue;
        const x0 = view.x(key.start), x1 = view.x(key.end);
        pen.rect(x0, top, Math.max(x1 - x0 - 1, 0.5), rows[2], colours.key);
        label(pen, key.name, x0, x1, top + rows[2] / 2, { size: 11, colour: colours.ink });
      }
    },
    axis: rows.length > 1 ? ["chord", "numeral", "key"].map((text, i) => ({ at: (rows.slice(0, i).reduce((a, b) => a + b, 0) + rows[i] / 2) / 74, text })) : [],
    tell(s) {
      const i = chords.at(s);
      if (i < 0) return ["", "no chord"];
      const of = chords.numeral(i) ? chords.numeral(i) + " in " + chords.key(i) : "";
      return [chords.name(i), [of, chords.label(i), clock(chords.start[i], 2) + " to " + clock(chords.end[i], 2)].filter(Boolean).join(", ")];
    },
    table: { head: ["start_s", "end_s", "label", "numeral", "key"], rows: () => Array.from(chords.start,
      (s, i) => [+s.toFixed(3), +chords.end[i].toFixed(3), chords.label(i), chords.numeral(i) || "", chords.key(i) || ""]) },
  });
}

if (instruments) {
  const { rows, n, cells, start, end } = instruments, count = start.length;
  // Windows may overlap: each has the time that is nearest to its middle.
  const edges = new Float64Array(count + 1);
  for (let i = 0; i <= count; i++)
    edges[i] = i === 0 ? start[0] || 0 : i === count ? end[count - 1] : (start[i - 1] + end[i - 1] + start[i] + end[i]) / 4;
  // Windows are cells of equal length, those of the window in their middle.
  const fps = Math.min(20, Math.max(0.05, 2 * count / Math.max(edges[count] - edges[0], 0.1))), grid = new Uint8Array(Math.ceil(Math.min(DURATION, edges[count] || 0) * fps) * rows.length);
  for (let c = 0, i = 0; c * rows.length < grid.length; c++) {
    while (i < count && edges[i + 1] <= (c + 0.5) / fps) i++;
    if (i < count && edges[i] <= (c + 0.5) / fps) rows.forEach((row, r) => grid[c * rows.length + rows.length - 1 - r] = cells[i * n + row.k]);
  }
  const raster = new Raster(grid, { rows: Math.max(1, rows.length), fps, from_s: 0 }, "presence", false), ROW = 17;
  lanes.push({
    id: "instruments", title: "Instruments", detail: "how sure, over time", height: Math.max(2, rows.length) * ROW, empty: !count || !rows.length,
    draw(pen, w, h, ratio) {
      pen.cells(0, 0, w, h, c => raster.draw(c, h, ratio));
      for (let r = 1; r < rows.length; r++) pen.rect(0, r * ROW - 0.5, w, 1, colours.panel);
    },
    axis: rows.map((row, i) => ({ at: (i + 0.5) / rows.length, text: row.label })),
    tell(s, share) {
      const i = countTo(edges, s) - 1, row = rows[Math.min(rows.length - 1, Math.floor(share * rows.length))];
      return i < 0 || i >= count || !row ? ["", ""] : [row.label, Math.round(cells[i * n + row.k] / 2.55) + " %"];
    },
    table: { head: ["start_s", "end_s", ...instruments.labels], rows: () => Array.from(start, (s, i) => [+s.toFixed(3), +end[i].toFixed(3),
      ...instruments.labels.map((_, k) => +(cells[i * n + k] / 255).toFixed(3))]) },
  });
}

if (onsets) lanes.push({
  id: "onsets", title: "Onsets", detail: plural(onsets.time.length, "onset"), height: 34, empty: !onsets.time.length,
  draw(pen, w, h) {
    const first = countTo(onsets.time, view.from - 0.01), last = countTo(onsets.time, view.to), most = new Float32Array(Math.ceil(w) + 1);
    for (let i = first; i < last; i++) { const x = Math.round(view.x(onsets.time[i])); if (x >= 0 && x < most.length) most[x] = Math.max(most[x], onsets.strength[i], 0.02); }
    most.forEach((s, x) => { if (s) pen.rect(x - 0.5, h - 2 - (h - 5) * s, 1.5, (h - 5) * s + 2, colours.onset); });
  },
  axis: [],
  tell(s) {
    const i = countTo(onsets.time, s), near = [i - 1, i].filter(k => k >= 0 && k < onsets.time.length).sort((a, b) => Math.abs(onsets.time[a] - s) - Math.abs(onsets.time[b] - s))[0];
    return near === undefined || Math.abs(onsets.time[near] - s) * view.pace > 8 ? ["", ""] : ["Onset at " + clock(onsets.time[near], 2), "strength " + Math.round(onsets.strength[near] * 100) + " %"];
  },
  table: { head: ["time_s", "strength"], rows: () => Array.from(onsets.time, (s, i) => [+s.toFixed(3), onsets.strength[i]]) },
});

if (beats) lanes.push({
  id: "beats", title: "Beats and bars", detail: plural(beats.time.length, "beat") + (beats.bars ? ", " + plural(beats.bars, "bar") : ""), height: 40, empty: !beats.time.length,
  draw(pen, w, h) {
    const first = countTo(beats.time, view.from - 0.2), last = countTo(beats.time, view.to), apart = w / Math.max(1, last - first), per = beats.perBar || 4;
    const step = [1, 2, 4, 8, 16, 32, 64, 128, 256].find(n => apart * per * n >= 34) || 512;
    for (let i = first; i < last; i++) {
      const x = view.x(beats.time[i]), bar = beats.number[i] === 1;
      if (bar) {
        const half = textWidth(String(beats.bar[i]), 11, 600) / 2 + 1;
        if (apart * per > 5 || (beats.bar[i] - 1) % step === 0) pen.rect(x - 0.75, 15, 1.5, h - 15, colours.ink, 0.85);
        if ((beats.bar[i] - 1) % step === 0) pen.text(Math.min(Math.max(x, half), w - half), 8, String(beats.bar[i]), { size: 11, align: "center", weight: 600 });
      } else {
        if (apart > 4) pen.rect(x - 0.5, 24, 1, h - 24, colours.beat, 0.8);
        if (apart > 34) pen.text(x, 17, String(beats.number[i]), { size: 10, align: "center", colour: colours.quiet });
      }
    }
  },
  axis: [],
  tell(s) {
    const i = countTo(beats.time, s) - 1;
    return i < 0 ? ["", "before the first beat"] : ["Bar " + beats.bar[i] + ", beat " + beats.number[i], "at " + clock(beats.time[i], 2)];
  },
  table: { head: ["time_s", "bar", "beat"], rows: () => Array.from(beats.time, (s, i) => [+s.toFixed(3), beats.bar[i], beats.number[i]]) },
});
