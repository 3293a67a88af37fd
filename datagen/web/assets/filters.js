"use strict";
// Search and drop-down lists over entries, by their facets.

const EVERY = "";

class Filters {
  /** facets: names in order; entries: [{key, caption, facets: {name: [values]}}]; change() is called on every change. */
  constructor(facets, entries, change) {
    this.chosen = new Map();
    this.text = "";
    this.change = change;
    this.count = el("output", { class: "count", "aria-live": "polite" });
    this.reset = el("button", { type: "button", class: "quiet", hidden: true, onclick: () => this.clear() }, "Clear");
    this.search = el("input", { type: "search", placeholder: "Search", "aria-label": "Search keys and captions" });
    this.search.addEventListener("input", () => this.set(() => (this.text = this.search.value.toLowerCase().trim())));
    this.lists = facets.map((facet) => this.list(facet, entries)).filter((list) => list !== null);
    this.node = el("form", { class: "filters", role: "search", "aria-label": "Filters", onsubmit: (event) => event.preventDefault() });
    this.node.append(this.search, ...this.lists, this.reset, this.count);
  }

  list(facet, entries) {
    const counts = new Map();
    for (const entry of entries)
      for (const value of new Set(entry.facets[facet] || [])) counts.set(value, (counts.get(value) || 0) + 1);
    if (!counts.size) return null;
    const values = [...counts].sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
    const options = [[EVERY, "all"], ...values.map(([value, count]) => [value, `${value} (${count})`])];
    return choice(facet, options, EVERY, (value) => this.set(() => this.chosen.set(facet, value)), { "data-facet": facet });
  }

  set(assign) {
    assign();
    this.reset.hidden = !this.active;
    this.change();
  }

  get active() {
    return Boolean(this.text) || [...this.chosen.values()].some((value) => value !== EVERY);
  }

  clear() {
    for (const list of this.lists) list.querySelector("select").value = EVERY;
    this.search.value = "";
    this.set(() => {
      this.chosen.clear();
      this.text = "";
    });
    this.search.focus();
  }

  /** Whether an entry is wanted. */
  accepts(entry) {
    for (const [facet, value] of this.chosen)
      if (value !== EVERY && !(entry.facets[facet] || []).includes(value)) return false;
    return !this.text || `${entry.key} ${entry.caption}`.toLowerCase().includes(this.text);
  }

  say(shown, total, what) {
    this.count.textContent = shown === total ? `${total} ${what}` : `${shown} of ${total} ${what}`;
  }
}
