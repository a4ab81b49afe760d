// Skeletons on canvas with saliency, no dependencies. One player a root: its camera, frame and playback outlive a
// change of data. Used by the app (default export, called again on the same node) and by pages that carry their
// data in <script type="application/json" data-stgcn-player>. Names reach the page through textContent only.

const SPEEDS = [0.25, 0.5, 1, 2];
const TRAIL = { joints: 3, frames: 15 };
const MISSING = -32768;
const MARGIN = 13; // pixels that the largest joint and its ring need

export default function mount({ parentElement, data }) {
  const root = parentElement;
  root.__player ??= make(root);
  root.__player.setData(data);
  return () => root.__player?.sleep();
}

function el(tag, className, parent, props = {}) {
  const node = Object.assign(document.createElement(tag), { className }, props);
  parent?.append(node);
  return node;
}

function decode(text, Type) {
  return new Type(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
}

function clamp(x, low, high) {
  return Math.min(high, Math.max(low, x));
}

function fitPixels(canvas) {
  const ratio = globalThis.devicePixelRatio || 1;
  const w = canvas.clientWidth, h = canvas.clientHeight;
  const width = Math.round(w * ratio), height = Math.round(h * ratio);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const ctx = canvas.getContext("2d");
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, w, h);
  return { ctx, w, h };
}

// What a payload holds, as arrays: xyz [T][M][V][D] int16, saliency [T][M][V] uint8, evidence and valid as bits.
function unpack(p) {
  const { frames: T, bodies: M, joints, dims: D } = p;
  const V = joints.length;
  const q = decode(p.xyz, Int16Array);
  const saliency = p.saliency ? decode(p.saliency, Uint8Array) : null;
  const bits = p.evidence ? decode(p.evidence, Uint8Array) : null;
  const at = (t, m, v) => (t * M + m) * V + v;
  const mean = new Float32Array(T);
  const total = new Float32Array(M * V);
  for (let t = 0; saliency && t < T; t++) {
    let sum = 0, count = 0;
    for (let m = 0; m < M; m++) for (let v = 0; v < V; v++) {
      if (q[at(t, m, v) * D] === MISSING) continue;
      const s = saliency[at(t, m, v)] / 255;
      sum += s;
      count++;
      total[m * V + v] += s;
    }
    mean[t] = count ? sum / count : 0;
  }
  const top = [...total.keys()].sort((a, b) => total[b] - total[a]).slice(0, TRAIL.joints).filter((i) => total[i] > 0);
  return {
    ...p, V, mean, top,
    has: (t, m, v) => q[at(t, m, v) * D] !== MISSING,
    here: (t, m) => { for (let v = 0; v < V; v++) if (q[at(t, m, v) * D] !== MISSING) return true; return false; },
    point: (t, m, v) => {
      const i = at(t, m, v) * D;
      const axis = (d) => p.offset[d] + q[i + d] * p.step;
      return [axis(0), axis(1), D === 3 ? axis(2) : 0];
    },
    value: saliency ? (t, m, v) => saliency[at(t, m, v)] / 255 : null,
    planted: bits ? (t, m, v) => { const i = at(t, m, v); return (bits[i >> 3] >> (7 - (i & 7))) & 1; } : null,
  };
}

// Where a point of a clip falls on a canvas; the whole clip fits at every camera angle.
function camera(clip, view, w, h) {
  const { centre, half, radius } = clip.box;
  if (clip.dims === 2) {
    const s = view.zoom * Math.min((w / 2 - MARGIN) / half[0], (h / 2 - MARGIN) / half[1]);
    return { scale: s, to: ([x, y]) => [w / 2 + (x - centre[0]) * s, h / 2 - (y - centre[1]) * s, 0, 1] };
  }
  const a = clip.yaw + view.yaw, cosA = Math.cos(a), sinA = Math.sin(a), cosB = Math.cos(view.pitch), sinB = Math.sin(view.pitch);
  const tall = half[1] * cosB + radius * Math.abs(sinB);
  const reach = Math.hypot(radius, half[1]), far = 14 * reach, nearest = far / (far - reach);
  const s = (view.zoom / nearest) * Math.min((w / 2 - MARGIN) / radius, (h / 2 - MARGIN) / tall);
  return {
    scale: s,
    to: ([x, y, z]) => {
      const dx = x - centre[0], dy = y - centre[1], dz = z - centre[2];
      const right = -(dx * cosA + dz * sinA), zr = -dx * sinA + dz * cosA;
      const depth = zr * cosB - dy * sinB, up = dy * cosB + zr * sinB;
      const k = far / (far + depth);
      return [w / 2 + right * s * k, h / 2 - up * s * k, depth, k];
    },
  };
}

function makePanel(player, parent) {
  const figure = el("figure", "sl-panel", parent);
  const head = el("figcaption", "sl-head", figure);
  const title = el("span", "sl-title", head), clock = el("span", "sl-clock", head), subtitle = el("span", "sl-subtitle", head);
  const stage = el("div", "sl-stage", figure);
  const canvas = el("canvas", "sl-view", stage, { tabIndex: 0 });
  canvas.setAttribute("role", "img");
  const tip = el("div", "sl-tip", stage, { hidden: true });
  const note = el("div", "sl-note", stage);
  note.setAttribute("role", "status");
  const strip = el("canvas", "sl-strip", figure);
  strip.setAttribute("role", "img");
  const panel = { figure, canvas, strip, clip: null, key: null };
  let spots = [], pointer = null, drag = null;

  panel.setData = (p, height, single) => {
    if (panel.key !== p.key) panel.clip = unpack(p);
    panel.key = p.key;
    title.textContent = p.title;
    subtitle.textContent = p.subtitle;
    note.textContent = p.note;
    clock.hidden = single;
    subtitle.classList.toggle("sl-below", !single);
    canvas.style.height = `${height}px`;
    canvas.setAttribute("aria-label",
      `Moving skeleton of ${p.title || "a clip"}, ${p.frames} frames. Space plays, arrow keys step, drag turns, plus and minus zoom.`);
    strip.setAttribute("aria-label", "Mean saliency of every frame; click to go there");
    strip.hidden = !p.saliency;
    head.hidden = !(p.title || p.subtitle) && single;
  };

  panel.draw = () => {
    const clip = panel.clip, view = player.view, t = player.frameOf(panel);
    const { ctx, w, h } = fitPixels(canvas);
    if (!w || !h) return;
    const style = getComputedStyle(canvas);
    const [text, grid, ring] = [style.color, style.borderTopColor, style.getPropertyValue("--ring")];
    const cam = camera(clip, view, w, h);
    if (clip.dims === 3) drawFloor(ctx, clip, cam, grid);
    if (view.trail && clip.value) drawTrail(ctx, clip, cam, t, player);
    spots = [];
    const items = [];
    const base = clamp(Math.min(w, h) / 85, 3, 6.5);
    for (let m = 0; m < clip.bodies; m++) {
      if (view.hidden.has(m) || !clip.here(t, m)) continue;
      const at = clip.joints.map((_, v) => (clip.has(t, m, v) ? cam.to(clip.point(t, m, v)) : null));
      for (const [a, b] of clip.bones)
        if (at[a] && at[b]) items.push({ depth: (at[a][2] + at[b][2]) / 2 + 1e-3, m, from: at[a], to: at[b] });
      at.forEach((p, v) => {
        if (!p) return;
        const s = clip.value ? clip.value(t, m, v) : 0;
        const r = base * p[3] * (clip.value ? 0.62 + 1.15 * s : 0.8);
        items.push({ depth: p[2], m, p, r, s, planted: view.evidence && clip.planted?.(t, m, v) });
        spots.push({ x: p[0], y: p[1], r, depth: p[2], t, m, v });
      });
    }
    if (!items.length) {
      ctx.fillStyle = text;
      ctx.font = "14px system-ui, sans-serif";
      ctx.textAlign = "center";
      ctx.fillText(view.hidden.size ? "The bodies of this frame are switched off" : "No body in this frame", w / 2, h / 2);
    }
    items.sort((a, b) => b.depth - a.depth);
    ctx.lineCap = "round";
    for (const item of items) item.p ? drawJoint(ctx, item, clip, player.palette, text, ring) : drawBone(ctx, item, base, text);
    showTip();
    clock.textContent = `frame ${t + 1} / ${clip.frames}`;
    drawStrip(strip, clip, t, player.palette, style);
  };

  function showTip() {
    const near = pointer && spots
      .map((s) => ({ s, d: Math.hypot(s.x - pointer[0], s.y - pointer[1]) }))
      .filter(({ s, d }) => d < s.r + 7)
      .sort((a, b) => a.d - b.d || a.s.depth - b.s.depth)[0]?.s;
    tip.hidden = !near || !!drag;
    if (!near) return;
    const { clip } = panel;
    const parts = [clip.joints[near.v].replaceAll("_", " ")];
    if (clip.bodies > 1) parts[0] += ` (body ${near.m + 1})`;
    if (clip.value) parts.push(`saliency ${clip.value(near.t, near.m, near.v).toFixed(2)}`);
    if (clip.planted?.(near.t, near.m, near.v)) parts.push("planted evidence");
    tip.textContent = parts.join(" · ");
    tip.style.left = `${clamp(near.x + 12, 0, Math.max(0, canvas.clientWidth - tip.offsetWidth - 4))}px`;
    tip.style.top = `${clamp(near.y - 30, 2, canvas.clientHeight - 26)}px`;
  }

  canvas.addEventListener("pointerdown", (e) => {
    drag = [e.clientX, e.clientY];
    canvas.setPointerCapture(e.pointerId);
  });
  canvas.addEventListener("pointermove", (e) => {
    pointer = [e.offsetX, e.offsetY];
    if (drag) {
      player.view.yaw += (e.clientX - drag[0]) * 0.01;
      player.view.pitch = clamp(player.view.pitch + (e.clientY - drag[1]) * 0.008, -0.5, 1.5);
      drag = [e.clientX, e.clientY];
    }
    drag ? player.draw() : panel.draw();
  });
  for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => { drag = null; });
  canvas.addEventListener("pointerleave", () => { pointer = null; tip.hidden = true; });
  canvas.addEventListener("dblclick", () => player.resetCamera());
  canvas.addEventListener("keydown", (e) => player.key(e));
  canvas.addEventListener("transitionend", () => player.draw());
  const seek = (e) => e.buttons && player.seek(clamp(e.offsetX / strip.clientWidth, 0, 1), panel);
  strip.addEventListener("pointerdown", seek);
  strip.addEventListener("pointermove", seek);
  return panel;
}

function drawFloor(ctx, clip, cam, colour) {
  const { centre, half, radius, tile } = clip.box;
  const n = Math.max(1, Math.ceil(radius / tile)), y = centre[1] - half[1];
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1;
  ctx.beginPath();
  for (let i = -n; i <= n; i++)
    for (const [a, b] of [[[i, -n], [i, n]], [[-n, i], [n, i]]]) {
      const p = cam.to([centre[0] + a[0] * tile, y, centre[2] + a[1] * tile]);
      const q = cam.to([centre[0] + b[0] * tile, y, centre[2] + b[1] * tile]);
      ctx.moveTo(p[0], p[1]);
      ctx.lineTo(q[0], q[1]);
    }
  ctx.stroke();
}

function drawTrail(ctx, clip, cam, t, player) {
  ctx.lineWidth = 3;
  ctx.lineCap = "round";
  for (const index of clip.top) {
    const m = Math.floor(index / clip.V), v = index % clip.V;
    if (player.view.hidden.has(m)) continue;
    for (let i = Math.max(1, t - TRAIL.frames + 1); i <= t; i++) {
      if (!clip.has(i, m, v) || !clip.has(i - 1, m, v)) continue;
      const a = cam.to(clip.point(i - 1, m, v)), b = cam.to(clip.point(i, m, v));
      ctx.globalAlpha = 0.75 * (1 - (t - i) / TRAIL.frames);
      ctx.strokeStyle = player.palette[Math.round(255 * clip.value(i, m, v))];
      ctx.beginPath();
      ctx.moveTo(a[0], a[1]);
      ctx.lineTo(b[0], b[1]);
      ctx.stroke();
    }
  }
  ctx.globalAlpha = 1;
}

function drawBone(ctx, { from, to, m }, base, text) {
  ctx.strokeStyle = text;
  ctx.globalAlpha = 0.55;
  ctx.lineWidth = base * 0.5;
  ctx.setLineDash(m ? [base * 1.4, base] : []); // the second body is told apart without colour
  ctx.beginPath();
  ctx.moveTo(from[0], from[1]);
  ctx.lineTo(to[0], to[1]);
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.globalAlpha = 1;
}

function drawJoint(ctx, { p, r, s, planted }, clip, palette, text, ring) {
  ctx.beginPath();
  ctx.arc(p[0], p[1], r, 0, 2 * Math.PI);
  ctx.fillStyle = clip.value ? palette[Math.round(255 * s)] : text;
  ctx.fill();
  ctx.strokeStyle = text; // low saliency is black and high is pale: the outline shows both on any page
  ctx.lineWidth = 1.3;
  ctx.stroke();
  if (!planted) return;
  ctx.beginPath();
  ctx.arc(p[0], p[1], r + 4, 0, 2 * Math.PI);
  ctx.strokeStyle = ring;
  ctx.lineWidth = 2.2;
  ctx.stroke();
}

function drawStrip(canvas, clip, t, palette, style) {
  if (canvas.hidden) return;
  const { ctx, w, h } = fitPixels(canvas);
  const peak = Math.max(1e-6, ...clip.mean), last = Math.max(1, clip.frames - 1), wide = w / clip.frames;
  ctx.fillStyle = style.borderTopColor;
  ctx.globalAlpha = 0.45;
  ctx.fillRect(0, 0, w, h);
  ctx.globalAlpha = 1;
  clip.mean.forEach((value, i) => {
    const tall = (h - 3) * (value / peak);
    ctx.fillStyle = palette[Math.round(255 * clamp(value / peak, 0, 1))];
    ctx.fillRect(i * wide, h - tall, Math.max(1, wide - (wide > 4 ? 1 : 0)), tall);
  });
  ctx.strokeStyle = style.color;
  ctx.lineWidth = 1;
  ctx.beginPath();
  clip.mean.forEach((value, i) => ctx.lineTo((i + 0.5) * wide, h - (h - 3) * (value / peak)));
  ctx.stroke();
  const head = (t / last) * (w - wide) + wide / 2;
  ctx.fillStyle = style.backgroundColor; // a rim, so that the mark is seen on every colour of the map
  ctx.fillRect(head - 3, 0, 6, h);
  ctx.fillStyle = style.color;
  ctx.fillRect(head - 1.25, 0, 2.5, h);
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
  const reset = el("button", "", bar, { type: "button", textContent: "Reset view" });
  const switches = el("span", "sl-bar", bar);
  const legend = el("div", "sl-bar", box);
  const quiet = globalThis.matchMedia?.("(prefers-reduced-motion: reduce)").matches;

  const view = { yaw: 0.35, pitch: 0.14, zoom: 1, hidden: new Set(), trail: false, evidence: true };
  const player = { view, palette: [] };
  let panels = [], time = 0, playing = null, raf = 0, before = 0, visible = true, sync = "fraction", looks = "";

  const first = () => panels[0].clip;
  const span = () => (sync === "seconds"
    ? Math.max(...panels.map(({ clip }) => clip.frames / clip.fps))
    : first().frames / first().fps);
  const frameOf = (panel) => {
    const { clip } = panel;
    if (sync === "seconds") return clamp(Math.floor(time * clip.fps + 1e-6), 0, clip.frames - 1);
    const lead = clamp(Math.floor(time * first().fps + 1e-6), 0, first().frames - 1);
    if (panel === panels[0]) return lead;
    if (clip.map) return clamp(Math.round(clip.map[lead]), 0, clip.frames - 1);
    return Math.round((lead / Math.max(1, first().frames - 1)) * (clip.frames - 1));
  };
  player.frameOf = frameOf;

  player.draw = () => {
    if (!panels.length) return;
    for (const panel of panels) panel.draw();
    const { fps } = first(), frames = Number(slider.max) + 1;
    const frame = clamp(Math.floor(time * fps + 1e-6), 0, frames - 1);
    slider.value = frame;
    count.textContent = `frame ${frame + 1} / ${frames} · ${(frame / fps).toFixed(2)} / ${(frames / fps).toFixed(2)} s`;
  };

  function tick(now) {
    const dt = Math.min(0.1, (now - before) / 1000);
    before = now;
    time += dt * Number(speed.value);
    if (time >= span()) time %= span();
    player.draw();
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
    const { fps } = first(), all = Number(slider.max) + 1;
    time = (clamp(Math.floor(time * fps + 1e-6) + frames, 0, all - 1) + 0.01) / fps;
    player.draw();
  }
  player.seek = (fraction, panel) => {
    playing = false;
    run();
    const frame = Math.min(panel.clip.frames - 1, Math.floor(fraction * panel.clip.frames));
    if (panel === panels[0] || sync === "seconds") time = (frame + 0.01) / panel.clip.fps;
    else {
      const lead = panel.clip.map
        ? panel.clip.map.reduce((best, f, i, map) => (Math.abs(f - frame) < Math.abs(map[best] - frame) ? i : best), 0)
        : Math.round((frame / Math.max(1, panel.clip.frames - 1)) * (first().frames - 1));
      time = (lead + 0.01) / first().fps;
    }
    player.draw();
  };
  player.resetCamera = () => { Object.assign(view, { yaw: 0.35, pitch: 0.14, zoom: 1 }); player.draw(); };
  player.key = (e) => {
    const acts = {
      " ": toggle,
      ArrowRight: () => step(e.shiftKey ? 10 : 1),
      ArrowLeft: () => step(e.shiftKey ? -10 : -1),
      Home: () => step(-Infinity),
      End: () => step(Infinity),
      "+": () => { view.zoom = Math.min(8, view.zoom * 1.2); player.draw(); },
      "-": () => { view.zoom = Math.max(0.4, view.zoom / 1.2); player.draw(); },
    };
    if (!acts[e.key] || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    e.stopPropagation();
    acts[e.key]();
  };
  button.addEventListener("click", toggle);
  reset.addEventListener("click", () => player.resetCamera());
  slider.addEventListener("input", () => step(Number(slider.value) - Math.floor(time * first().fps + 1e-6)));

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
    const rgb = decode(data.palette, Uint8Array);
    player.palette = Array.from({ length: 256 }, (_, i) => `rgb(${rgb[3 * i]},${rgb[3 * i + 1]},${rgb[3 * i + 2]})`);
    const single = data.panels.length === 1;
    const [lead, rate] = panels.length ? [first().name, first().fps] : [null, 1];
    const at = time * rate;
    while (panels.length > data.panels.length) { const gone = panels.pop(); gone.figure.remove(); gone.strip.remove(); }
    while (panels.length < data.panels.length) panels.push(makePanel(player, grid));
    grid.style.setProperty("--sl-min", data.panels.length > 3 ? "200px" : data.panels.length > 2 ? "230px" : "300px");
    panels.forEach((panel, i) => {
      panel.setData(data.panels[i], data.height, single);
      (single ? under : panel.figure).append(panel.strip);
    });
    sync = data.sync;
    time = lead === first().name ? at / first().fps : 0;
    slider.max = Math.max(0, Math.round(span() * first().fps) - 1);
    time = clamp(time, 0, (Number(slider.max) + 0.5) / first().fps);
    controls(data);
    playing ??= data.autoplay && !quiet;
    visible = true;
    run();
    player.draw();
  };
  player.sleep = () => { cancelAnimationFrame(raf); raf = 0; };
  player.state = () => ({ frame: panels.length ? frameOf(panels[0]) : 0, playing, yaw: view.yaw, pitch: view.pitch });

  new ResizeObserver(() => player.draw()).observe(grid);
  new IntersectionObserver(([entry]) => { visible = entry.isIntersecting; run(); }).observe(box);
  return player;
}

for (const node of document.querySelectorAll("script[data-stgcn-player]"))
  mount({ parentElement: node.parentElement, data: JSON.parse(node.textContent) });
