"use strict";
// The page of an evaluation: scores of every row, what went worst, and every clip.

const RESAMPLES = 1000;
const MORE = 24; // cards at a time in the list of what went worst

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
function dice(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Mean of values and its 95 % percentile bootstrap interval: {count, mean, low, high}. */
function meanInterval(values, seed) {
  const known = values.filter((value) => value !== null);
  const count = known.length;
  if (!count) return { count, mean: null, low: null, high: null };
  const mean = known.reduce((sum, value) => sum + value, 0) / count;
  if (count < 2) return { count, mean, low: null, high: null };
  const roll = dice(seed);
  const means = new Float64Array(RESAMPLES);
  for (let draw = 0; draw < RESAMPLES; draw++) {
    let sum = 0;
    for (let index = 0; index < count; index++) sum += known[Math.floor(roll() * count)];
    means[draw] = sum / count;
  }
  means.sort();
  return { count, mean, low: quantile(means, 0.025), high: quantile(means, 0.975) };
}

function quantile(sorted, share) {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  return sorted[below] + (at - below) * (sorted[Math.min(below + 1, sorted.length - 1)] - sorted[below]);
}

/** A text that shows beside a node while it is pointed at or has the focus. */
const tipBox = el("div", { class: "tip", role: "tooltip", id: "tip", hidden: true });
document.body.append(tipBox);

function tip(node, title, lines) {
  const show = () => {
    tipBox.replaceChildren(el("strong", {}, title), ...lines.map((line) => el("p", {}, line)));
    tipBox.hidden = false;
    const box = node.getBoundingClientRect();
    const left = Math.max(8, Math.min(box.left, document.documentElement.clientWidth - tipBox.offsetWidth - 8));
    tipBox.style.left = `${left}px`;
    tipBox.style.top = `${box.bottom + 6}px`;
    node.setAttribute("aria-describedby", "tip");
  };
  const hide = () => {
    tipBox.hidden = true;
    node.removeAttribute("aria-describedby");
  };
  node.addEventListener("mouseenter", show);
  node.addEventListener("focus", show);
  node.addEventListener("mouseleave", hide);
  node.addEventListener("blur", hide);
  node.addEventListener("keydown", (event) => event.key === "Escape" && hide());
}

const ARROWS = { higher: "↑", lower: "↓" };
const HEADLINES = "headlines";

class ScoreTable {
  constructor(data) {
    this.data = data;
    this.subset = null;
    this.sorted = null;
    const groups = [...new Set(data.metrics.map((metric) => metric.group))];
    this.group = groups.length > 1 ? HEADLINES : groups[0];
    this.tabs = el("div", { class: "group", role: "group", "aria-label": "Metrics" });
    const names = groups.length > 1 ? [HEADLINES, ...groups, "all"] : groups;
    this.buttons = names.map((name) => {
      const button = el("button", { type: "button", class: "toggle", "aria-pressed": String(name === this.group), "data-group": name }, name.replaceAll("_", " "));
      button.addEventListener("click", () => this.pick(name));
      return button;
    });
    this.tabs.append(el("span", {}, "Metrics"), ...this.buttons);
    this.scroll = el("div", { class: "scroll scores", tabindex: "0", role: "region", "aria-label": "Scores" });
    this.hint = el("p", { class: "hint" });
    this.meanings = el("details", { class: "meanings" });
    this.node = el("section", { class: "list" }, el("h2", {}, "Scores"), this.tabs, this.scroll, this.hint, this.meanings);
  }

  pick(name) {
    this.group = name;
    this.sorted = null;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.group === name));
    this.draw();
  }

  /** Count these clips only (indices); null: all, with the intervals of scores.json. */
  setSubset(subset) {
    this.subset = subset;
    this.draw();
  }

  metrics() {
    const { metrics } = this.data;
    if (this.group === "all") return metrics;
    if (this.group !== HEADLINES) return metrics.filter((metric) => metric.group === this.group);
    return metrics.filter((metric, index) => metrics.findIndex((one) => one.group === metric.group) === index);
  }

  summary(row, metric) {
    const stored = this.data.summaries[row.name][metric.name];
    if (this.subset === null) return stored;
    const values = this.data.values[row.name][metric.name];
    return meanInterval(this.subset.map((index) => values[index]), this.data.seed + this.subset.length);
  }

  draw() {
    const metrics = this.metrics();
    const table = el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "row"), metrics.map((metric) => this.head(metric)), el("th", { scope: "col", class: "number" }, "clips"))));
    const summaries = this.data.rows.map((row) => metrics.map((metric) => this.summary(row, metric)));
    const best = metrics.map((metric, column) => this.best(metric, summaries.map((line) => line[column])));
    table.append(el("tbody", {}, this.data.rows.map((row, index) => this.line(row, summaries[index], metrics, best))));
    sortable(table, (column) => metrics[column - 1]?.direction !== "lower");
    metrics.forEach((metric, column) => this.explain(metric, table.tHead.rows[0].cells[column + 1].querySelector("button")));
    this.scroll.replaceChildren(table);
    this.hint.textContent = this.words();
    this.meanings.replaceChildren(el("summary", {}, "What the figures mean"), el("dl", {}, metrics.flatMap((metric) => [el("dt", {}, `${metric.title} (${metric.name})`), el("dd", {}, this.meaning(metric).join(" "))])));
  }

  head(metric) {
    const unit = metric.unit ? ` [${metric.unit.replace("^2", "²")}]` : "";
    return el("th", { scope: "col", class: "number", "data-metric": metric.name }, `${metric.title}${unit} ${ARROWS[metric.direction]}`);
  }

  meaning(metric) {
    const end = (value) => (value === null ? "∞" : figure(value));
    const lines = [metric.definition, `Range ${metric.low === null ? "−∞" : figure(metric.low)} to ${end(metric.high)}${metric.unit ? ` ${metric.unit}` : ""}; ${metric.direction} is better.`];
    return metric.source ? [...lines, `Source: ${metric.source}`] : lines;
  }

  explain(metric, button) {
    tip(button, metric.title, this.meaning(metric));
  }

  /** The best mean of the rows that are no bound; of all where there are only bounds. */
  best(metric, summaries) {
    const of = (rows) => rows.map((row) => summaries[this.data.rows.indexOf(row)].mean).filter((mean) => mean !== null);
    const contenders = this.data.rows.filter((row) => row.kind !== "bound");
    const means = of(contenders.length ? contenders : this.data.rows);
    if (!means.length) return null;
    return metric.direction === "higher" ? Math.max(...means) : Math.min(...means);
  }

  line(row, summaries, metrics, best) {
    const words = [el("span", { class: `chip ${row.kind}` }, row.kind), row.untrained ? el("span", { class: "chip note" }, "untrained") : null];
    const head = el("th", { scope: "row" }, el("span", { class: "name" }, row.name, " ", words.filter(Boolean)), row.title ? el("small", {}, row.title) : null);
    const wins = row.kind !== "bound" || this.data.rows.every((one) => one.kind === "bound");
    const cells = summaries.map((summary, column) => this.cell(summary, wins && summary.mean !== null && summary.mean === best[column]));
    const failed = this.failed(row);
    const most = Math.max(0, ...summaries.map((summary) => summary.count));
    const count = el("td", { class: "number", "data-value": most }, String(most), failed ? el("small", { class: "bad" }, `${failed} failed`) : null);
    return el("tr", { "data-row": row.name, class: row.kind }, head, cells, count);
  }

  cell(summary, best) {
    if (summary.mean === null) return el("td", { class: "number faint" }, "–");
    const interval = summary.low === null ? "" : `${figure(summary.low)} … ${figure(summary.high)}`;
    return el("td", { class: `number ${best ? "best" : ""}`.trim(), "data-value": summary.mean }, figure(summary.mean), el("small", {}, interval));
  }

  failed(row) {
    const failures = this.data.failures[row.name];
    const wanted = this.subset ?? this.data.keys.map((_, index) => index);
    return wanted.filter((index) => failures[index]).length;
  }

  words() {
    const wanted = this.subset === null ? `all ${this.data.keys.length} clips` : `${this.subset.length} of ${this.data.keys.length} clips`;
    const how = this.subset === null ? "as in scores.json" : `of ${RESAMPLES} resamples drawn by this page`;
    const bounds = this.data.rows.some((row) => row.kind !== "bound") ? " Bold: the best row that is no bound." : "";
    return `Means over ${wanted}, with 95 % bootstrap intervals ${how}. ${ARROWS.higher} higher is better, ${ARROWS.lower} lower.${bounds}`;
  }
}

/** What went worst: a card for each row and clip, least margin first. */
class WorstList {
  constructor(data) {
    this.data = data;
    this.shown = MORE;
    const kinds = [...new Set(data.rows.map((row) => row.kind))];
    const first = ["prediction", "baseline", "bound"].find((kind) => kinds.includes(kind));
    this.wanted = `kind:${first}`;
    const options = [...kinds.map((kind) => [`kind:${kind}`, `all: ${kind}`]), ...data.rows.map((row) => [row.name, row.name])];
    const pick = choice("Rows", options, this.wanted, (value) => {
      this.wanted = value;
      this.shown = MORE;
      this.draw();
    }, { class: "worst" });
    this.items = el("ul", { class: "cards small" });
    this.more = el("button", { type: "button", onclick: () => this.showMore() }, "Show more");
    const [metric] = data.metrics;
    this.node = el("section", { class: "list" }, el("h2", {}, "Failures"),
      el("p", { class: "hint" }, `What could not be scored, then the worst by ${metric.title}.`), pick, this.items, this.more);
  }

  setSubset(subset) {
    this.subset = subset;
    this.shown = MORE;
    this.draw();
  }

  showMore() {
    const before = this.items.children.length;
    this.shown += MORE;
    this.draw();
    this.items.children[before]?.querySelector("a")?.focus();
  }

  ranked() {
    const [metric] = this.data.metrics;
    const sign = metric.direction === "higher" ? 1 : -1;
    const rows = this.data.rows.filter((row) => this.wanted === row.name || this.wanted === `kind:${row.kind}`);
    const cells = rows.flatMap((row) => (this.subset ?? this.data.keys.map((_, index) => index)).map((index) => ({
      row, index, failure: this.data.failures[row.name][index], value: this.data.values[row.name][metric.name][index],
    })));
    const rank = (cell) => (cell.failure ? -Infinity : cell.value === null ? Infinity : sign * cell.value);
    return cells.sort((a, b) => (rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : 0));
  }

  draw() {
    const ranked = this.ranked();
    this.items.replaceChildren(...ranked.slice(0, this.shown).map((cell) => this.card(cell)));
    this.more.hidden = ranked.length <= this.shown;
    this.node.hidden = !ranked.length;
  }

  card({ row, index, failure, value }) {
    const [metric] = this.data.metrics;
    const entry = this.data.entries[index];
    const posters = failure ? [entry.posters[1]] : [entry.posters[1], { file: entry.script.replace(/[^/]*$/, `${encodeURIComponent(row.name)}.jpg`), alt: `prediction of ${row.name}` }];
    const figureChip = { text: failure ? "not scored" : `${metric.title} ${figure(value)}`, tone: failure ? "bad" : "", title: "" };
    return makeCard({ ...entry, caption: failure || row.name, posters, chips: [figureChip] }, row.name);
  }
}

{
  const { data } = page;
  const main = document.getElementById("main");
  const scores = new ScoreTable(data);
  const worst = new WorstList(data);
  const clips = new List("Clips", "cards", (entry) => makeCard(entry));
  const empty = el("p", { class: "empty", hidden: true }, "Nothing matches these filters.");
  let shown = data.entries;
  const filters = new Filters(data.facets, data.entries, () => {
    shown = data.entries.filter((entry) => filters.accepts(entry));
    const subset = filters.active ? shown.map((entry) => data.entries.indexOf(entry)) : null;
    scores.setSubset(subset);
    worst.setSubset(subset);
    clips.show(shown);
    filters.say(shown.length, data.entries.length, "clips");
    empty.hidden = shown.length > 0;
  });
  main.append(filters.node, empty, scores.node, ...data.tables.map(makeTable), worst.node, clips.node);
  filters.change();

  const view = new ClipView(data.entries, () => shown);
  view.followAddress();
}
