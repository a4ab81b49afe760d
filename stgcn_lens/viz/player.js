// The player: one a root, whose camera, frame and playback outlive a change of data. Used by the app (default export,
// called again on the same node) and by pages that carry their data in <script type="application/json"
// data-stgcn-player>. Names reach the page through textContent only.

const SPEEDS = [0.25, 0.5, 1, 2];
const FRONT = { yaw: 0.35, pitch: 0.14, zoom: 1 };

export default function mount({ parentElement, data, setTriggerValue }) {
  const root = parentElement;
  root.__player ??= make(root);
  root.__player.pick = (what) => setTriggerValue?.("pick", what);
  root.__player.setData(Array.isArray(data) ? data[0] : data); // the app sends a list of one
  return () => root.__player?.sleep();
}

function make(root) {
  const box = el("div", "sl-player", root);
  const grid = el("div", "sl-panels", box);
  const slider = el("input", "sl-slider", box, { type: "range", min: 0, step: 1, value: 0 });
  slider.setAttribute("aria-label", "frame");
  const under = el("div", "", box);
  const bar = el("div", "sl-bar", box);
  const button = el("button", "sl-play", bar, { type: "button" });
  const count = el("span", "sl-count", bar);
  const speed = el("select", "", bar, { title: "speed" });
  speed.setAttribute("aria-label", "speed");
  for (const s of SPEEDS) el("option", "", speed, { value: s, textContent: `${s}×` });
  speed.value = "1";
  const loopBox = el("span", "sl-loop", bar);
  el("span", "", loopBox, { textContent: "loop" });
  const [from, to, clear] = [["[", "Loop from this frame"], ["]", "Loop to this frame"], ["", "Clear the loop"]].map(([sign, what]) => {
    const mark = el("button", "", loopBox, { type: "button", textContent: sign, title: sign ? `${what} (key ${sign})` : `${what} (key \\)` });
    mark.setAttribute("aria-label", what);
    return mark;
  });
  const reset = el("button", "", bar, { type: "button", textContent: "Reset view" });
  const switches = el("span", "sl-bar", bar);
  const legend = el("div", "sl-bar", box);
  const below = el("div", "", box);
  const quiet = globalThis.matchMedia?.("(prefers-reduced-motion: reduce)").matches;

  const view = { ...FRONT, hidden: new Set(), trail: false, evidence: true };
  const player = { view, palette: [], colours: null, mark: null, loop: null, drawn: 0 };
  let panels = [], time = 0, playing = null, raf = 0, before = 0, visible = true, sync = "fraction", looks = "", seen = "";
  player.sized = new ResizeObserver((entries) => { for (const { target } of entries) sizes.delete(target); player.draw(); });

  const first = () => panels[0].clip;
  const span = () => (sync === "seconds"
    ? Math.max(...panels.map(({ clip }) => clip.frames / clip.fps))
    : first().frames / first().fps);
  const shown = () => clamp(Math.floor(time * first().fps + 1e-6), 0, Number(slider.max));
  const pose = () => panels.map((panel) => frameOf(panel)).join();
  const frameOf = (panel, at = time) => {
    const { clip } = panel;
    if (sync === "seconds") return clamp(Math.floor(at * clip.fps + 1e-6), 0, clip.frames - 1);
    const lead = clamp(Math.floor(at * first().fps + 1e-6), 0, first().frames - 1);
    if (panel === panels[0]) return lead;
    if (clip.map) return clamp(Math.round(clip.map[lead]), 0, clip.frames - 1);
    return Math.round((lead / Math.max(1, first().frames - 1)) * (clip.frames - 1));
  };
  player.frameOf = frameOf;
  // The loop in frames of a panel: `a` and `b` are both played.
  player.loopOf = (panel) => {
    if (!player.loop) return null;
    const [a, b] = [player.loop.a, player.loop.b].map((frame) => frameOf(panel, (frame + 0.01) / first().fps));
    return { a: Math.min(a, b), b: Math.max(a, b) };
  };

  player.draw = () => {
    if (!panels.length) return;
    for (const panel of panels) panel.draw();
    player.drawn++;
    seen = pose();
    const { fps } = first(), frames = Number(slider.max) + 1, frame = shown();
    slider.value = frame;
    count.textContent = `frame ${frame + 1} / ${frames} · ${(frame / fps).toFixed(2)} / ${(frames / fps).toFixed(2)} s`;
  };

  function tick(now) {
    const dt = Math.min(0.1, (now - before) / 1000);
    before = now;
    time += dt * Number(speed.value);
    const { loop } = player, { fps } = first();
    if (loop && (time >= (loop.b + 1) / fps || time < loop.a / fps)) time = (loop.a + 0.01) / fps;
    else if (time >= span()) time %= span();
    if (pose() !== seen) player.draw(); // the screen refreshes more often than a clip has frames
    raf = playing && visible ? requestAnimationFrame(tick) : 0;
  }
  function run() {
    button.textContent = playing ? "❚❚ Pause" : "▶ Play";
    if (playing && visible && !raf) {
      before = performance.now();
      raf = requestAnimationFrame(tick);
    }
    if (!playing && raf) {
      cancelAnimationFrame(raf);
      raf = 0;
    }
  }
  function toggle() { playing = !playing; run(); }
  function step(frames) {
    playing = false;
    run();
    time = (clamp(shown() + frames, 0, Number(slider.max)) + 0.01) / first().fps;
    player.draw();
  }
  // The leading frame that belongs to a place on a panel's axis of time.
  player.frameAt = (fraction, panel) => {
    const { clip } = panel, frame = Math.min(clip.frames - 1, Math.floor(fraction * clip.frames));
    if (panel === panels[0]) return frame;
    if (sync === "seconds") return Math.floor((frame / clip.fps) * first().fps + 1e-6);
    return clip.map
      ? clip.map.reduce((best, f, i, map) => (Math.abs(f - frame) < Math.abs(map[best] - frame) ? i : best), 0)
      : Math.round((frame / Math.max(1, clip.frames - 1)) * (first().frames - 1));
  };
  player.seek = (fraction, panel) => {
    playing = false;
    run();
    time = (player.frameAt(fraction, panel) + 0.01) / first().fps;
    player.draw();
  };
  // One end of the loop; the other is pushed away where it would come before it.
  player.setLoop = (end, frame) => {
    const last = Number(slider.max), other = player.loop ?? { a: 0, b: last };
    if (end === "a") player.loop = { a: frame, b: other.b > frame ? other.b : last };
    if (end === "b") player.loop = { a: other.a < frame ? other.a : 0, b: frame };
    if (!end || (player.loop.a === 0 && player.loop.b === last)) player.loop = null;
    showLoop();
    player.draw();
  };
  function showLoop() {
    const { loop } = player;
    clear.hidden = !loop;
    const second = (frame) => (frame / first().fps).toFixed(2);
    if (loop) clear.textContent = `✕ ${second(loop.a)}–${second(loop.b + 1)} s`;
  }
  player.point = (at) => {
    if (player.mark?.m === at?.m && player.mark?.v === at?.v) return;
    player.mark = at && { m: at.m, v: at.v };
    player.draw();
  };
  player.resetCamera = () => { Object.assign(view, FRONT); player.draw(); };
  player.key = (e) => {
    const acts = {
      " ": toggle,
      ArrowRight: () => step(e.shiftKey ? 10 : 1),
      ArrowLeft: () => step(e.shiftKey ? -10 : -1),
      Home: () => step(-Infinity),
      End: () => step(Infinity),
      "[": () => player.setLoop("a", shown()),
      "]": () => player.setLoop("b", shown()),
      "\\": () => player.setLoop(null),
      "+": () => { view.zoom = Math.min(8, view.zoom * 1.2); player.draw(); },
      "-": () => { view.zoom = Math.max(0.4, view.zoom / 1.2); player.draw(); },
    };
    const bracket = "[]\\".includes(e.key); // on some keyboards typed with AltGr, which is Ctrl and Alt
    if (!acts[e.key] || (!bracket && (e.ctrlKey || e.metaKey || e.altKey || e.target.matches("button, select, input")))) return;
    e.preventDefault();
    e.stopPropagation();
    acts[e.key]();
  };
  button.addEventListener("click", toggle);
  reset.addEventListener("click", () => player.resetCamera());
  from.addEventListener("click", () => player.setLoop("a", shown()));
  to.addEventListener("click", () => player.setLoop("b", shown()));
  clear.addEventListener("click", () => player.setLoop(null));
  slider.addEventListener("input", () => step(Number(slider.value) - shown()));
  box.addEventListener("keydown", (e) => player.key(e));

  function check(label, on, change) {
    const box = el("label", "", switches);
    const input = el("input", "", box, { type: "checkbox", checked: on });
    box.append(label);
    input.addEventListener("change", () => { change(input.checked); player.draw(); });
  }
  function controls(data) {
    const bodies = Math.max(...data.panels.map((p) => p.bodies));
    const wants = [bodies, data.panels.some((p) => p.evidence), data.panels.some((p) => p.saliency), data.scope, data.peak];
    if (JSON.stringify(wants) === looks) return;
    looks = JSON.stringify(wants);
    switches.replaceChildren();
    for (let m = 0; bodies > 1 && m < bodies; m++)
      check(`body ${m + 1}`, !view.hidden.has(m), (on) => (on ? view.hidden.delete(m) : view.hidden.add(m)));
    if (wants[2]) check("trail", view.trail, (on) => { view.trail = on; });
    if (wants[1]) check("planted evidence", view.evidence, (on) => { view.evidence = on; });
    legend.replaceChildren();
    if (!wants[2]) return;
    const scale = el("span", "sl-legend", legend);
    el("span", "", scale, { textContent: "saliency 0" });
    const ramp = el("canvas", "sl-ramp", scale, { width: 256, height: 1 });
    const ctx = ramp.getContext("2d");
    player.palette.forEach((colour, i) => { ctx.fillStyle = colour; ctx.fillRect(i, 0, 1, 1); });
    el("span", "", scale, { textContent: data.peak });
    el("span", "sl-scope", legend, { textContent: data.scope });
  }

  player.setData = (data) => {
    const rgb = (player.colours = decode(data.palette, Uint8Array));
    player.palette = Array.from({ length: 256 }, (_, i) => `rgb(${rgb[3 * i]},${rgb[3 * i + 1]},${rgb[3 * i + 2]})`);
    const filled = data.panels.map((p) => (p.like === undefined ? p : { ...data.panels[p.like], ...p })); // sent once
    const single = filled.length === 1;
    const [lead, rate] = panels.length ? [first().name, first().fps] : [null, 1];
    const at = time * rate;
    while (panels.length > filled.length) { const gone = panels.pop(); for (const node of [gone.figure, gone.strip.stage, gone.heat.stage]) node.remove(); }
    while (panels.length < filled.length) panels.push(makePanel(player, grid));
    grid.style.setProperty("--sl-min", filled.length > 5 ? "150px" : ["300px", "300px", "300px", "230px", "200px", "150px"][filled.length]);
    grid.classList.toggle("sl-alone", single);
    const how = { height: data.height, single, heat: data.heat };
    panels.forEach((panel, i) => {
      panel.setData(filled[i], panels[filled[i].like]?.clip, how);
      (single ? under : panel.figure).append(panel.strip.stage);
      (single ? below : panel.figure).append(panel.heat.stage);
    });
    player.mark = null;
    sync = data.sync;
    const same = lead === first().name;
    time = same ? at / first().fps : 0;
    slider.max = Math.max(0, Math.round(span() * first().fps) - 1);
    time = clamp(time, 0, (Number(slider.max) + 0.5) / first().fps);
    if (!same || (player.loop && player.loop.b > Number(slider.max))) player.loop = null;
    showLoop();
    controls({ ...data, panels: filled });
    playing ??= data.autoplay && !quiet;
    visible = true;
    run();
    player.draw();
  };
  player.sleep = () => { cancelAnimationFrame(raf); raf = 0; };
  player.panels = () => panels;
  player.state = () => ({ frame: panels.length ? frameOf(panels[0]) : 0, playing, yaw: view.yaw, pitch: view.pitch });

  new IntersectionObserver(([entry]) => { visible = entry.isIntersecting; run(); }).observe(box);
  return player;
}

for (const node of document.querySelectorAll("script[data-stgcn-player]"))
  mount({ parentElement: node.parentElement, data: JSON.parse(node.textContent) });
