"use strict";
// Tables whose columns sort on a click.

/** A figure with a table of words; `scroll` regions keep a wide one from widening the page. */
function makeTable(table) {
  const body = el("tbody");
  for (const row of table.rows)
    body.append(el("tr", {}, row.map((word, column) => tableCell(word, column, isNumeric(table, column)))));
  const head = el("tr", {}, table.head.map((name, column) =>
    el("th", { scope: "col", class: isNumeric(table, column) ? "number" : undefined }, name)));
  const node = el("table", {}, el("thead", {}, head), body);
  if (table.rows.length > 1) sortable(node);
  return el("section", { class: "block" },
    el("h3", {}, table.title),
    table.note ? el("p", { class: "hint" }, table.note) : null,
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": table.title }, node));
}

function isNumeric(table, column) {
  return column > 0 && table.rows.some((row) => row[column].value !== null);
}

function tableCell(word, column, numeric) {
  const attributes = { class: `${word.tone} ${numeric ? "number" : ""}`.trim() || undefined, title: word.title || undefined };
  if (word.value !== null) attributes["data-value"] = word.value;
  if (column === 0) return el("th", { scope: "row", ...attributes }, word.text);
  return el("td", attributes, word.text);
}

/** Make the heads of a table into buttons; `first` says whether a column's first click sorts downwards. */
function sortable(table, first = () => false) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = el("button", { type: "button", class: "sort" });
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const sorted = head.getAttribute("aria-sort");
      const down = sorted ? sorted === "ascending" : first(column);
      sortBy(table, column, down);
    });
  });
}

function sortBy(table, column, down) {
  const body = table.tBodies[0];
  const keyed = [...body.rows].map((row) => [sortKey(row.cells[column]), row]);
  keyed.sort(([a], [b]) => compareKeys(a, b, down));
  body.append(...keyed.map(([, row]) => row));
  [...table.tHead.rows[0].cells].forEach((head, index) => {
    if (index === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
}

function sortKey(cell) {
  if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
  const text = cell.textContent.trim();
  return text === "" || text === "–" ? null : text;
}

/** Numbers by size, words by letters; what is empty stays at the end either way. */
function compareKeys(a, b, down) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  const order = typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
  return down ? -order : order;
}
