"use strict";
// The page of a run.

{
  const { entries, facets, clips, others } = page.data;
  const main = document.getElementById("main");
  const lists = [["clip", new List(clips, "cards", makeCard)], ...others.map((kind) => [kind, new List(kind, "lines", makeLine)])];
  const empty = el("p", { class: "empty", hidden: true }, "Nothing matches these filters.");
  let shown = entries;

  const filters = new Filters(facets, entries, () => {
    shown = entries.filter((entry) => filters.accepts(entry));
    for (const [kind, list] of lists) list.show(shown.filter((entry) => entry.kind === kind));
    filters.say(shown.length, entries.length, "scenes");
    empty.hidden = shown.length > 0;
  });
  main.append(filters.node, empty, ...lists.map(([, list]) => list.node));
  filters.change();

  const view = new ClipView(entries, () => shown);
  view.followAddress();
}
