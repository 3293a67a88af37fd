"use strict";
// Elements from data. Text is only ever set as text, never as markup.

/** An element with attributes, listeners (onclick, ...) and children; false and undefined attributes are left out. */
function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** A button that is on or off. */
function toggle(text, on, title, change) {
  const button = el("button", { type: "button", class: "toggle", "aria-pressed": String(on), title });
  button.append(text);
  button.addEventListener("click", () => {
    const now = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(now));
    change(now);
  });
  return button;
}

/** A drop-down list with a label. */
function choice(label, options, value, change, attributes = {}) {
  const select = el("select", attributes);
  for (const [key, text] of options) select.append(el("option", { value: key, selected: key === value }, text));
  select.addEventListener("change", () => change(select.value));
  return el("label", { class: "choice" }, el("span", {}, label), select);
}

function chip(word) {
  return el("span", { class: `chip ${word.tone}`, title: word.title || undefined }, word.text);
}

/** A number in few letters; "–" for none. */
function figure(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value !== 0 && (Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3)) return minus(value.toExponential(1));
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.max(Math.abs(value), 1e-3))));
  return minus(value.toFixed(Math.min(decimals, digits)));
}

function minus(text) {
  return text.replace("-", "−");
}

/** Tells a screen reader what changed. */
const announcer = el("p", { class: "unseen", role: "status", "aria-live": "polite" });
document.body.append(announcer);

function announce(text) {
  announcer.textContent = text;
}
