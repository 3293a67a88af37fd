"use strict";
// Cards of clips, and plain lists of what has none.

/** A card; its pictures load when they come near the window. */
function makeCard(entry, variant) {
  const pictures = entry.posters.map((poster) => el("img", { src: poster.file, alt: poster.alt, loading: "lazy", decoding: "async" }));
  const content = [
    el("div", { class: "posters" }, pictures),
    el("div", { class: "text" },
      el("p", { class: "caption" }, entry.caption),
      el("p", { class: "key" }, entry.key),
      el("p", { class: "chips" }, entry.chips.map(chip))),
  ];
  return el("li", { class: "card", "data-key": entry.key }, el("a", { href: ClipView.address(entry.key, variant) }, content));
}

/** A line for a scene without a video: what, why, and more on demand. */
function makeLine(entry) {
  const more = entry.details.length
    ? el("details", {}, el("summary", {}, "Details"), el("ul", {}, entry.details.map((line) => el("li", {}, line))))
    : null;
  return el("li", { class: "line", "data-key": entry.key },
    el("p", { class: "key" }, entry.key, " ", el("span", { class: "chips" }, entry.chips.map(chip))),
    el("p", { class: "reason" }, entry.caption), more);
}

/** A titled list that hides while it is empty. */
class List {
  constructor(title, className, make) {
    this.make = make;
    this.heading = el("h2", {}, title);
    this.title = title;
    this.items = el("ul", { class: className });
    this.node = el("section", { class: "list" }, this.heading, this.items);
    this.nodes = new Map();
  }

  show(entries) {
    this.node.hidden = !entries.length;
    this.heading.textContent = `${this.title} (${entries.length})`;
    this.items.replaceChildren(...entries.map((entry) => {
      if (!this.nodes.has(entry)) this.nodes.set(entry, this.make(entry));
      return this.nodes.get(entry);
    }));
  }
}
