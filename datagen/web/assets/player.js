"use strict";
// Several views of a clip in step. They are tiles of one video, so they cannot drift: each pane is a canvas onto which
// its tile is drawn. Overlays and differences are done by compositing, because pages from disk may not read pixels.

const SPEEDS = [["0.1", "0.1×"], ["0.25", "0.25×"], ["0.5", "0.5×"], ["1", "1×"], ["2", "2×"]];
const DOUBLINGS = 2; // of a difference: four times
const OVERLAY_OPACITY = 0.62;

class Player {
  /** tiles: a record `Tiles`; folder: where its file is; overlays: records `Overlay`; moved(frame) on every new frame. */
  constructor(tiles, folder, overlays, moved) {
    Object.assign(this, { tiles, overlays, moved, frame: 0, wanted: null, panes: [], closed: false });
    this.on = new Set();
    this.off = new Set();
    this.scratch = new OffscreenCanvas(tiles.width, tiles.height).getContext("2d");
    this.video = el("video", { src: folder + tiles.file, preload: "auto", muted: true, playsinline: true, loop: true, class: "source", tabindex: "-1", "aria-hidden": "true" });
    this.video.muted = true;
    this.message = el("p", { class: "empty", role: "alert", hidden: true });
    this.stage = el("div", { class: "stage", style: `--aspect: ${tiles.width / tiles.height}` });
    this.switches = el("div", { class: "switches" });
    this.node = el("section", { class: "player", "aria-label": "Player", "data-frame": "0", "data-state": "loading" }, this.video, this.message, this.stage, this.controls(), this.switches);
    this.listen();
  }

  listen() {
    const { video } = this;
    video.addEventListener("loadeddata", () => this.ready());
    video.addEventListener("seeked", () => this.arrived());
    video.addEventListener("play", () => this.say());
    video.addEventListener("pause", () => this.say());
    video.addEventListener("error", () => {
      this.message.textContent = `The video cannot be played: ${decodeURI(video.src)} is missing, or this browser lacks H.264.`;
      this.message.hidden = false;
      this.node.dataset.state = "error";
    });
    if (video.requestVideoFrameCallback) this.follow();
    else this.poll();
  }

  follow() {
    this.video.requestVideoFrameCallback((_, shown) => {
      if (this.closed) return;
      if (!this.video.paused) this.show(Math.round(shown.mediaTime * this.tiles.fps));
      this.follow();
    });
  }

  poll() {
    if (this.closed) return;
    if (!this.video.paused) this.show(Math.floor(this.video.currentTime * this.tiles.fps));
    requestAnimationFrame(() => this.poll());
  }

  ready() {
    if (this.closed) return;
    this.node.dataset.state = "ready";
    this.draw();
    if (this.wanted !== null) this.seek(this.wanted);
    if (this.playWhenReady) this.play();
  }

  controls() {
    const last = this.tiles.num_frames - 1;
    this.button = el("button", { type: "button", class: "play", onclick: () => this.toggle() });
    this.slider = el("input", { type: "range", min: 0, max: last, step: 1, value: 0, class: "scrub", "aria-label": "Frame" });
    this.slider.addEventListener("input", () => this.jump(Number(this.slider.value)));
    this.clock = el("output", { class: "clock" });
    const step = (by, text, label) => el("button", { type: "button", class: "step", "aria-label": label, title: label, onclick: () => this.step(by) }, text);
    const speed = choice("Speed", SPEEDS, "1", (value) => (this.video.playbackRate = Number(value)), { class: "speed" });
    this.say();
    return el("div", { class: "controls" }, this.button, step(-1, "◂", "One frame back (left arrow)"), step(1, "▸", "One frame on (right arrow)"), this.slider, this.clock, speed);
  }

  /** Show these panes (records `Pane`). */
  setPanes(panes) {
    this.panes = panes.map((pane) => this.makePane(pane));
    this.stage.replaceChildren(...this.panes.map((pane) => pane.node));
    this.stage.dataset.panes = this.panes.length;
    const views = this.panes.map((pane) => toggle(pane.pane.title, !this.off.has(pane.pane.title), `Show or hide: ${pane.pane.title}`, (shown) => {
      if (shown) this.off.delete(pane.pane.title);
      else this.off.add(pane.pane.title);
      this.arrange();
    }));
    const overlays = this.overlays.map((overlay) => toggle(overlay.name, this.on.has(overlay.name), overlay.title, (shown) => {
      if (shown) this.on.add(overlay.name);
      else this.on.delete(overlay.name);
      this.draw();
      this.legend();
    }));
    this.key = el("ul", { class: "legend" });
    const group = (label, buttons) => el("div", { class: "group", role: "group", "aria-label": label }, el("span", {}, label), buttons);
    this.switches.replaceChildren(group("Views", views), group("Overlays", overlays), this.key);
    this.legend();
    this.arrange();
  }

  makePane(pane) {
    const canvas = el("canvas", { width: this.tiles.width, height: this.tiles.height, role: "img", "aria-label": pane.title });
    return { pane, context: canvas.getContext("2d", { alpha: false }), node: el("figure", { class: "pane", "data-pane": pane.title }, canvas, el("figcaption", {}, pane.title)) };
  }

  arrange() {
    for (const pane of this.panes) pane.node.hidden = this.off.has(pane.pane.title);
    this.stage.dataset.shown = this.panes.filter((pane) => !pane.node.hidden).length;
    this.draw();
  }

  legend() {
    const pinned = this.panes.map((pane) => pane.pane.overlay);
    const shown = this.overlays.filter((overlay) => this.on.has(overlay.name) || pinned.includes(overlay.name));
    const items = shown.flatMap((overlay) => (overlay.color ? [[overlay.name, overlay.color]] : overlay.legend));
    this.key.replaceChildren(...items.map(([name, color]) => el("li", {}, el("i", { style: `background:${color}` }), name)));
  }

  draw() {
    if (this.video.readyState < 2) return;
    for (const pane of this.panes) if (!pane.node.hidden) this.drawPane(pane.context, pane.pane);
  }

  drawPane(context, pane) {
    this.drawView(context, pane.view, "copy");
    if (pane.against) {
      this.drawView(context, pane.against, "difference");
      context.globalCompositeOperation = "lighter";
      for (let time = 0; time < DOUBLINGS; time++) context.drawImage(context.canvas, 0, 0);
    }
    for (const overlay of this.overlays)
      if (overlay.name === pane.overlay || (!pane.overlay && !pane.against && this.on.has(overlay.name))) this.lay(context, overlay);
  }

  drawView(context, view, operation, alpha = 1) {
    const { columns, pitch, width, height, views } = this.tiles;
    const number = views.indexOf(view);
    context.globalCompositeOperation = operation;
    context.globalAlpha = alpha;
    context.drawImage(this.video, (number % columns) * pitch[0], Math.floor(number / columns) * pitch[1], width, height, 0, 0, width, height);
    context.globalAlpha = 1;
  }

  /** picture * (1 - opacity * matte) + opacity * matte * colours, where the matte is white on black. */
  lay(context, overlay) {
    const { scratch } = this;
    const paint = (target, operation, color) => {
      target.globalCompositeOperation = operation;
      target.fillStyle = color;
      target.fillRect(0, 0, this.tiles.width, this.tiles.height);
    };
    if (!overlay.color) paint(context, "saturation", "#000");
    paint(scratch, "copy", "#000");
    this.drawView(scratch, overlay.matte || overlay.view, "source-over", OVERLAY_OPACITY);
    paint(scratch, "difference", "#fff");
    context.globalCompositeOperation = "multiply";
    context.drawImage(scratch.canvas, 0, 0);
    this.drawView(scratch, overlay.view, "copy");
    if (overlay.color) paint(scratch, "multiply", overlay.color);
    context.globalCompositeOperation = "lighter";
    context.globalAlpha = OVERLAY_OPACITY;
    context.drawImage(scratch.canvas, 0, 0);
    context.globalAlpha = 1;
  }

  /** The picture of a frame has come. */
  show(frame) {
    this.frame = Math.min(this.tiles.num_frames - 1, Math.max(0, frame));
    this.draw();
    this.say();
    this.moved(this.frame);
  }

  say() {
    const { num_frames, fps } = this.tiles;
    const paused = this.video.paused;
    this.slider.value = this.frame;
    this.slider.setAttribute("aria-valuetext", `frame ${this.frame}, ${(this.frame / fps).toFixed(2)} seconds`);
    this.clock.textContent = `${String(this.frame).padStart(String(num_frames - 1).length, "0")} / ${num_frames - 1} · ${(this.frame / fps).toFixed(2)} s`;
    this.button.textContent = paused ? "Play" : "Pause";
    this.button.dataset.playing = String(!paused);
    if (this.node) this.node.dataset.frame = this.frame;
  }

  /** Go to a frame; while one is sought, only the last wish counts. */
  seek(frame) {
    this.wanted = Math.min(this.tiles.num_frames - 1, Math.max(0, frame));
    if (this.video.readyState < 1 || this.video.seeking) return;
    this.video.currentTime = (this.wanted + 0.5) / this.tiles.fps;
  }

  arrived() {
    if (this.closed) return;
    if (!this.video.paused) {
      this.wanted = null;
      return;
    }
    const shown = Math.floor(this.video.currentTime * this.tiles.fps + 1e-6);
    if (this.wanted !== null && this.wanted !== shown) {
      this.seek(this.wanted);
      return;
    }
    this.wanted = null;
    this.show(shown);
  }

  jump(frame) {
    this.video.pause();
    this.seek(frame);
  }

  step(by) {
    this.jump((this.wanted ?? this.frame) + by);
  }

  get playing() {
    return !this.video.paused;
  }

  play() {
    this.wanted = null;
    this.playWhenReady = this.video.readyState < 2;
    if (!this.playWhenReady) this.video.play().catch(() => {});
  }

  toggle() {
    if (this.playing) this.video.pause();
    else this.play();
  }

  /** Let go of the video and its memory. */
  close() {
    this.closed = true;
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
    for (const pane of this.panes) pane.context.canvas.width = 0;
  }
}
