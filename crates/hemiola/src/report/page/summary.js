const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
{
  const title = data.title || "Recording";
  document.title = title;
  byId("title").textContent = title;
  const channels = data.channels === 1 ? "mono" : data.channels === 2 ? "stereo" : data.channels + " channels";
  const length = data.duration_s < 60 ? data.duration_s.toFixed(1) + " s" : clock(data.duration_s, 0) + (data.duration_s < 3600 ? " min" : " h");
  byId("about").textContent = [data.sample_rate && data.sample_rate / 1000 + " kHz", data.channels && channels].filter(Boolean).join(" · ");

  const summary = byId("summary"), facts = make("div", { id: "facts" });
  summary.append(facts);
  const card = (name, value, small) => {
    const paragraph = make("p", {}, value);
    if (small) paragraph.append(make("small", {}, small));
    facts.append(make("div", { className: "card" }, make("h2", {}, name), paragraph));
  };
  /** Names with a bar and a share each. */
  const bars = (name, rows) => {
    const list = make("ol");
    for (const [text, share] of rows) {
      const bar = make("i");
      bar.style.setProperty("--share", Math.min(100, share * 100).toFixed(1) + "%");
      list.append(make("li", {}, make("b", { title: text }, text), bar, make("span", {}, Math.round(share * 100) + " %")));
    }
    summary.append(make("div", { className: "card wide" }, make("h2", {}, name), list));
  };
  card("Length", length);
  if (data.key) card("Key", data.key === "–" ? "cannot be told" : data.key);
  if (beats) {
    card("Tempo", beats.tempo ? Math.round(beats.tempo) + " bpm" : "no pulse heard");
    if (beats.time.length && beats.perBar) card("Metre", plural(beats.perBar, "beat"), "a bar" + (beats.bars ? ", " + plural(beats.bars, "bar") : ""));
  }
  if (notes) card("Notes", notes.count.toLocaleString("en"), notes.count ? notes.range : "none found");
  if (onsets) card("Onsets", onsets.time.length.toLocaleString("en"), (onsets.time.length / DURATION).toFixed(1) + " a second");
  if (chords) {
    const lengths = new Map();
    let all = 0;
    for (let i = 0; i < chords.count; i++) if (chords.kind(i)) {
      const length = chords.end[i] - chords.start[i];
      all += length;
      lengths.set(chords.name(i), (lengths.get(chords.name(i)) || 0) + length);
    }
    const most = [...lengths].sort((a, b) => b[1] - a[1]).slice(0, 5);
    if (most.length) bars("Chords most used", most.map(([name, s]) => [name, s / all])); else card("Chords", "none found");
  }
  if (instruments) {
    const most = instruments.all.slice(0, 5).filter(row => row.score >= 0.005);
    if (most.length) bars("Instruments", most.map(row => [row.label, row.score])); else card("Instruments", "none found");
  }
  if (data.warnings.length) {
    byId("warnings").hidden = false;
    byId("warnings").append(...data.warnings.map(text => make("p", {}, "⚠ " + text)));
  }
  const models = data.models.map(([part, model]) => part + " by " + model).join(", ");
  byId("made").textContent = ["hemiola " + data.version, models && "Models: " + models, data.sha256 && "SHA-256 " + data.sha256].filter(Boolean).join(" · ");
}
