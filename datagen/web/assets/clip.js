"use strict";
// One clip, opened over the page: the player, plots that go with it, tables, facts. It has an address: #clip=KEY.

let received = null;

/** Called by a clip's own script. */
function receiveClip(clip) {
  received = clip;
}

function loadClip(file) {
  return new Promise((resolve, reject) => {
    const script = el("script", { src: file });
    script.addEventListener("load", () => {
      script.remove();
      resolve(received);
      received = null;
    });
    script.addEventListener("error", () => {
      script.remove();
      reject(new Error(`${decodeURI(file)} is missing; keep the page together with its folder, or make both again`));
    });
    document.head.append(script);
  });
}

const KEYS = "Space plays, ← → step a frame, Home and End go to the ends, J and K to the next and last clip, M shows the mask, Esc closes.";

class ClipView {
  /** order(): entries as they are listed now, so that "next" follows the filters. */
  constructor(entries, order) {
    this.entries = new Map(entries.filter((entry) => entry.script).map((entry) => [entry.key, entry]));
    this.order = order;
    this.variantName = null;
    this.plots = [];
    this.title = el("h2", { id: "clip-title" });
    this.body = el("div", { class: "body" });
    const button = (text, label, action) => el("button", { type: "button", "aria-label": label, title: label, onclick: action }, text);
    this.last = button("‹", "Last clip (K)", () => this.go(-1));
    this.next = button("›", "Next clip (J)", () => this.go(1));
    const close = button("×", "Close (Esc)", () => this.leave());
    this.node = el("dialog", { class: "clip", "aria-labelledby": "clip-title" },
      el("header", {}, this.title, el("nav", { "aria-label": "Clips" }, this.last, this.next, close)), this.body);
    this.node.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.leave();
    });
    this.node.addEventListener("keydown", (event) => this.press(event));
    document.body.append(this.node);
    window.addEventListener("hashchange", () => this.followAddress());
  }

  static address(key, variant) {
    return `#clip=${encodeURIComponent(key)}${variant ? `&view=${encodeURIComponent(variant)}` : ""}`;
  }

  followAddress() {
    const wanted = new URLSearchParams(location.hash.slice(1));
    const entry = this.entries.get(wanted.get("clip"));
    if (!entry) return this.hide();
    if (wanted.get("view")) this.variantName = wanted.get("view");
    if (this.entry === entry && this.clip) return this.choose(this.variantName);
    return this.open(entry);
  }

  async open(entry) {
    const playing = this.player?.playing;
    this.release();
    this.entry = entry;
    this.title.textContent = entry.key;
    this.neighbours();
    this.body.replaceChildren(el("p", { class: "empty" }, "Loading…"));
    if (!this.node.open) {
      this.opener = document.activeElement;
      this.node.showModal();
      document.documentElement.classList.add("covered");
    }
    try {
      const clip = await loadClip(entry.script);
      if (this.entry !== entry) return;
      this.build(clip, entry.script.replace(/[^/]*$/, ""));
      if (playing) this.player.play();
    } catch (error) {
      this.body.replaceChildren(el("p", { class: "empty", role: "alert" }, error.message));
    }
  }

  build(clip, folder) {
    this.clip = clip;
    this.player = new Player(clip.video, folder, clip.overlays, (frame) => this.plots.forEach((plot) => plot.setFrame(frame)));
    this.variants = el("div", { class: "variants" });
    this.figures = el("div", { class: "figures" });
    this.tables = el("div", { class: "tables" });
    const facts = el("dl", { class: "facts" }, clip.facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
    this.body.replaceChildren(
      el("p", { class: "lead" }, clip.caption), this.variants, this.player.node, el("p", { class: "hint keys" }, KEYS),
      this.figures, facts, this.tables);
    this.choose(this.variantName);
    this.body.scrollTop = 0;
    this.player.button.focus();
  }

  choose(name) {
    const { variants } = this.clip;
    const variant = variants.find((one) => one.name === name) || variants[0];
    if (variants.length > 1) this.variants.replaceChildren(...this.variantButtons(variant));
    this.player.setPanes(variant.panes);
    this.showPlots(variant.plots);
    this.tables.replaceChildren(...[...variant.tables, ...this.clip.tables].map(makeTable));
  }

  variantButtons(chosen) {
    const options = this.clip.variants.map((one) => [one.name, one.tone === "bad" ? `${one.name} — no video` : one.name]);
    const pick = choice("Row", options, chosen.name, (name) => {
      this.variantName = name;
      history.replaceState(null, "", ClipView.address(this.entry.key, name));
      this.choose(name);
      this.variants.querySelector("select").focus();
    }, { class: "variant" });
    return [pick, chosen.note ? el("p", { class: `hint ${chosen.tone}` }, chosen.note) : null].filter(Boolean);
  }

  showPlots(groups) {
    const pick = (name) => {
      this.objectName = name;
      this.plots.forEach((plot) => plot.close());
      const group = groups.find((one) => one.name === name) || groups[0];
      this.plots = group.plots.map((plot) => new Plot(plot, this.clip.video.fps, this.clip.video.num_frames, (frame) => this.player.jump(frame)));
      grid.replaceChildren(...this.plots.map((plot) => plot.node));
      this.plots.forEach((plot) => plot.setFrame(this.player.frame));
    };
    const grid = el("div", { class: "plots" });
    if (!groups.length) return this.figures.replaceChildren();
    const names = groups.map((group) => [group.name, group.name]);
    const current = groups.some((group) => group.name === this.objectName) ? this.objectName : groups[0].name;
    this.figures.replaceChildren(el("h3", {}, "Motion"), choice("Object", names, current, pick, { class: "object" }), grid);
    pick(current);
  }

  neighbours() {
    const keys = this.order().map((entry) => entry.key).filter((key) => this.entries.has(key));
    const at = keys.indexOf(this.entry.key);
    this.around = { "-1": keys[at - 1], 1: at < 0 ? keys[0] : keys[at + 1] };
    this.last.disabled = !this.around["-1"];
    this.next.disabled = !this.around["1"];
  }

  go(by) {
    const key = this.around[by];
    if (!key) return;
    history.replaceState(null, "", ClipView.address(key, this.variantName));
    this.followAddress();
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.player) return;
    const target = event.target;
    const takesArrows = target.matches("select, input, textarea, .scroll");
    const actions = {
      " ": target.matches("button, select, summary, input:not([type=range])") ? null : () => this.player.toggle(),
      ArrowLeft: takesArrows ? null : () => this.player.step(-1),
      ArrowRight: takesArrows ? null : () => this.player.step(1),
      Home: takesArrows ? null : () => this.player.jump(0),
      End: takesArrows ? null : () => this.player.jump(this.clip.video.num_frames - 1),
      j: () => this.go(1),
      k: () => this.go(-1),
      m: () => this.player.switches.querySelector("[aria-label=Overlays] button")?.click(),
    };
    const action = target.matches("select") ? null : actions[event.key.length > 1 ? event.key : event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  }

  leave() {
    history.replaceState(null, "", location.pathname + location.search);
    this.hide();
  }

  hide() {
    if (!this.node.open) return;
    this.release();
    this.entry = null;
    this.body.replaceChildren();
    this.node.close();
    document.documentElement.classList.remove("covered");
    this.opener?.focus?.();
  }

  release() {
    this.plots.forEach((plot) => plot.close());
    this.plots = [];
    this.player?.close();
    this.player = null;
    this.clip = null;
  }
}
