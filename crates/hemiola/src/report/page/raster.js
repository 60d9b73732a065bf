/** Colours of 256 levels between stops. */
function palette(stops) {
  const rgb = stops.map(s => [1, 3, 5].map(i => parseInt(s.slice(i, i + 2), 16)));
  return Uint32Array.from({ length: 256 }, (_, level) => {
    const at = level / 255 * (rgb.length - 1), i = Math.min(Math.floor(at), rgb.length - 2);
    const [r, g, b] = rgb[i].map((v, k) => Math.round(v + (at - i) * (rgb[i + 1][k] - v)));
    return (255 << 24 | b << 16 | g << 8 | r) >>> 0;
  });
}
// Loud is dark on light ground and light on dark ground; lightness alone tells levels apart.
const PALETTES = {
  spectrogram: { light: palette(["#ffffff", "#e3eaf1", "#b3cbe0", "#7399c2", "#465f9f", "#332a6d", "#150a33"]),
    dark: palette(["#101014", "#1d1147", "#51127c", "#8c2981", "#cd4071", "#fb8861", "#fcfdbf"]) },
  presence: { light: palette(["#ffffff", "#d9e9f3", "#8fc1e0", "#3d8fc4", "#08589a", "#06284f"]),
    dark: palette(["#1c1c20", "#17384e", "#1b6389", "#3b97c4", "#8fcdec", "#eefaff"]) },
};

/** Rows of bytes over time, [time, rows], drawn in tiles; the first row is at the bottom. */
class Raster {
  constructor(bytes, { rows, fps, from_s }, colourName, smooth) {
    Object.assign(this, { rows, fps, from: from_s, colourName, smooth });
    this.levels = [bytes];
    this.tiles = new Map();
  }
  /** Each level has half as many columns as the one before, of the larger of two. */
  level(k) {
    while (this.levels.length <= k) {
      const fine = this.levels[this.levels.length - 1], rows = this.rows, columns = Math.ceil(fine.length / rows / 2);
      const coarse = new Uint8Array(columns * rows);
      for (let c = 0; c < columns; c++) {
        const a = 2 * c * rows, b = a + rows < fine.length ? a + rows : a;
        for (let r = 0; r < rows; r++) coarse[c * rows + r] = Math.max(fine[a + r], fine[b + r]);
      }
      this.levels.push(coarse);
    }
    return this.levels[k];
  }
  tile(k, index) {
    const name = (colours.dark ? "dark " : "light ") + k + " " + index;
    let canvas = this.tiles.get(name);
    if (canvas) return canvas;
    const cells = this.level(k), rows = this.rows, colour = PALETTES[this.colourName][colours.dark ? "dark" : "light"];
    const first = index * Raster.WIDE, columns = Math.min(Raster.WIDE, cells.length / rows - first);
    canvas = document.createElement("canvas");
    canvas.width = columns;
    canvas.height = rows;
    const context = canvas.getContext("2d"), image = context.createImageData(columns, rows), pixels = new Uint32Array(image.data.buffer);
    for (let c = 0; c < columns; c++) {
      const from = (first + c) * rows;
      for (let r = 0; r < rows; r++) pixels[(rows - 1 - r) * columns + c] = colour[cells[from + r]];
    }
    context.putImageData(image, 0, 0);
    if (this.tiles.size >= Raster.KEPT) this.tiles.delete(this.tiles.keys().next().value);
    this.tiles.set(name, canvas);
    return canvas;
  }
  draw(context, h, ratio) {
    // One to two columns for each pixel of the screen, where there are as many.
    const dense = this.fps / (view.pace * ratio), k = Math.max(0, Math.floor(Math.log2(dense)));
    const cells = this.level(k), fps = this.fps / 2 ** k, columns = cells.length / this.rows;
    const first = Math.max(0, Math.floor((view.from - this.from) * fps / Raster.WIDE));
    const last = Math.min(Math.ceil(columns / Raster.WIDE) - 1, Math.floor((view.to - this.from) * fps / Raster.WIDE));
    context.imageSmoothingEnabled = this.smooth;
    for (let i = first; i <= last; i++) {
      const tile = this.tile(k, i), start = this.from + i * Raster.WIDE / fps;
      const x0 = Math.round(view.x(start) * ratio) / ratio, x1 = Math.round(view.x(start + tile.width / fps) * ratio) / ratio;
      context.drawImage(tile, x0, 0, Math.max(x1 - x0, 1 / ratio), h);
    }
  }
  /** The byte at a time, of a row. */
  at(s, row) {
    const i = Math.floor((s - this.from) * this.fps) * this.rows + row;
    return this.levels[0][i] || 0;
  }
  get columns() { return this.levels[0].length / this.rows; }
}
Raster.WIDE = 512;
Raster.KEPT = 96;
