"use strict";
// Curves over time as SVG, with the band of perturbed outcomes and a cursor that goes with the video.

const PLOT_HEIGHT = 190;
const PLOT_MARGIN = { left: 46, right: 12, top: 10, bottom: 24 };

class Plot {
  /** plot: a record `Plot`; seek(frame) is called when the plot is clicked or dragged. */
  constructor(plot, fps, numFrames, seek) {
    Object.assign(this, { plot, fps, numFrames, seek, frame: 0, width: 0 });
    this.values = plot.lines.map(() => el("b"));
    const legend = plot.lines.map((line, index) =>
      el("li", { class: line.role }, el("i"), `${line.name} `, this.values[index]));
    if (plot.low.length) legend.push(el("li", { class: "band" }, el("i"), "perturbed outcomes"));
    this.svg = svg("svg", { role: "img", "aria-label": this.summary(), height: PLOT_HEIGHT });
    this.node = el("figure", { class: "plot" },
      el("figcaption", {}, `${plot.title} [${plot.unit}]`),
      this.svg, el("ul", { class: "legend" }, legend));
    this.observer = new ResizeObserver(([entry]) => this.resize(entry.contentRect.width));
    this.observer.observe(this.svg);
    this.listen();
  }

  summary() {
    const parts = this.plot.lines.map((line) => {
      const known = line.values.filter((value) => value !== null);
      if (!known.length) return `${line.name}: nothing`;
      return `${line.name} from ${figure(known[0])} to ${figure(known[known.length - 1])}`;
    });
    return `${this.plot.title} over time in ${this.plot.unit}; ${parts.join("; ")}`;
  }

  listen() {
    const move = (event) => {
      const x = event.clientX - this.svg.getBoundingClientRect().left - PLOT_MARGIN.left;
      const share = x / Math.max(1, this.width - PLOT_MARGIN.left - PLOT_MARGIN.right);
      this.seek(Math.round(Math.min(1, Math.max(0, share)) * (this.numFrames - 1)));
    };
    this.svg.addEventListener("pointerdown", (event) => {
      this.svg.setPointerCapture(event.pointerId);
      move(event);
    });
    this.svg.addEventListener("pointermove", (event) => {
      if (this.svg.hasPointerCapture(event.pointerId)) move(event);
    });
  }

  resize(width) {
    if (!width || width === this.width) return;
    this.width = width;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${PLOT_HEIGHT}`);
    this.svg.replaceChildren(...this.grid(), ...this.band(), ...this.curves(), ...this.cursor());
    this.setFrame(this.frame);
  }

  range() {
    const { lines, low, high } = this.plot;
    const all = [...lines.flatMap((line) => line.values), ...low, ...high].filter((value) => value !== null);
    if (!all.length) return [0, 1];
    const [least, most] = [Math.min(...all), Math.max(...all)];
    const room = Math.max((most - least) * 0.06, Math.abs(most) * 1e-3, 1e-4);
    return [least - room, most + room];
  }

  x(frame) {
    const span = this.width - PLOT_MARGIN.left - PLOT_MARGIN.right;
    return PLOT_MARGIN.left + (span * frame) / Math.max(1, this.numFrames - 1);
  }

  y(value) {
    const [low, high] = this.range();
    const span = PLOT_HEIGHT - PLOT_MARGIN.top - PLOT_MARGIN.bottom;
    return PLOT_MARGIN.top + (span * (high - value)) / (high - low);
  }

  grid() {
    const nodes = [];
    const [low, high] = this.range();
    for (const [value, text] of ticks(low, high, 4)) {
      const y = this.y(value);
      nodes.push(svg("line", { class: "grid", x1: PLOT_MARGIN.left, x2: this.width - PLOT_MARGIN.right, y1: y, y2: y }));
      nodes.push(svg("text", { x: PLOT_MARGIN.left - 6, y: y + 4, "text-anchor": "end" }, text));
    }
    const last = (this.numFrames - 1) / this.fps;
    for (const [time, text] of ticks(0, last, Math.max(2, Math.floor(this.width / 90)))) {
      nodes.push(svg("text", { x: this.x(time * this.fps), y: PLOT_HEIGHT - 6, "text-anchor": "middle" }, `${text} s`));
    }
    return nodes;
  }

  band() {
    const { low, high } = this.plot;
    return runs(low).map(([start, end]) => {
      const points = [];
      for (let frame = start; frame < end; frame++) points.push(`${this.x(frame)},${this.y(high[frame])}`);
      for (let frame = end - 1; frame >= start; frame--) points.push(`${this.x(frame)},${this.y(low[frame])}`);
      return svg("polygon", { class: "band", points: points.join(" ") });
    });
  }

  curves() {
    return this.plot.lines.flatMap((line) => runs(line.values).map(([start, end]) => {
      const points = [];
      for (let frame = start; frame < end; frame++) points.push(`${this.x(frame)},${this.y(line.values[frame])}`);
      return svg("polyline", { class: `curve ${line.role}`, points: points.join(" ") });
    }));
  }

  cursor() {
    this.line = svg("line", { class: "cursor", y1: PLOT_MARGIN.top, y2: PLOT_HEIGHT - PLOT_MARGIN.bottom });
    this.dots = this.plot.lines.map((line) => svg("circle", { class: `dot ${line.role}`, r: 3.5 }));
    return [this.line, ...this.dots];
  }

  setFrame(frame) {
    this.frame = frame;
    this.plot.lines.forEach((line, index) => (this.values[index].textContent = figure(line.values[frame])));
    if (!this.line) return;
    const x = this.x(frame);
    this.line.setAttribute("x1", x);
    this.line.setAttribute("x2", x);
    this.dots.forEach((dot, index) => {
      const value = this.plot.lines[index].values[frame];
      dot.setAttribute("visibility", value === null || value === undefined ? "hidden" : "visible");
      if (value === null || value === undefined) return;
      dot.setAttribute("cx", x);
      dot.setAttribute("cy", this.y(value));
    });
  }

  close() {
    this.observer.disconnect();
  }
}

/** Stretches [start, end) of a curve that have values. */
function runs(values) {
  const found = [];
  let start = null;
  for (let index = 0; index <= values.length; index++) {
    const there = index < values.length && values[index] !== null;
    if (there && start === null) start = index;
    if (!there && start !== null) {
      found.push([start, index]);
      start = null;
    }
  }
  return found;
}

/** Round numbers between two ends, at most `count` steps apart, each with its text. */
function ticks(low, high, count) {
  const rough = (high - low) / Math.max(1, count);
  if (!(rough > 0)) return [[low, figure(low)]];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * (1 - 1e-9));
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const found = [];
  for (let index = Math.ceil(low / step); index * step <= high + step * 1e-6; index++)
    found.push([index * step, minus((index * step).toFixed(decimals))]);
  return found;
}
