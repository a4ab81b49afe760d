// One clip of a scene: its heading, its canvas, its strip and its heat map; the clock and the camera are the player's.

function makePanel(player, parent) {
  const figure = el("figure", "sl-panel", parent);
  const head = el("figcaption", "sl-head", figure);
  const title = el("span", "sl-title", head), open = el("button", "sl-open", head, { type: "button", textContent: "Open" });
  const clock = el("span", "sl-clock", head);
  const subtitle = el("span", "sl-subtitle", head);
  const stage = el("div", "sl-stage", figure);
  const canvas = el("canvas", "sl-view", stage, { tabIndex: 0 });
  canvas.setAttribute("role", "img");
  const tip = el("div", "sl-tip", stage, { hidden: true });
  const note = el("div", "sl-note", stage);
  note.setAttribute("role", "status");
  const panel = { figure, canvas, clip: null, data: null };
  panel.strip = makeStrip(player, panel);
  panel.heat = makeHeat(player, panel, figure);
  for (const each of [canvas, panel.strip.canvas, panel.heat.canvas]) player.sized.observe(each);
  let spots = [], pointer = null, drag = null;

  panel.setData = (p, twin, { height, single, heat }) => {
    if (panel.data?.key !== p.key) panel.clip = unpack(p, twin);
    panel.data = p;
    title.textContent = p.title;
    subtitle.textContent = p.subtitle;
    note.textContent = p.note;
    open.hidden = !p.pick;
    open.setAttribute("aria-label", `Open ${p.title}`);
    clock.hidden = single;
    subtitle.classList.toggle("sl-below", !single);
    canvas.style.height = `${height}px`;
    sizes.delete(canvas);
    canvas.setAttribute("aria-label",
      `Moving skeleton of ${p.title || "a clip"}, ${p.frames} frames. Space plays, arrow keys step, drag turns, plus and minus zoom.`);
    head.hidden = !(p.title || p.subtitle) && single;
    panel.strip.setData();
    panel.heat.setData(heat, single);
  };

  panel.draw = () => {
    const { clip } = panel, { view, mark } = player, t = player.frameOf(panel);
    const { ctx, w, h } = fitPixels(canvas);
    if (!w || !h) return;
    const style = getComputedStyle(canvas);
    const [text, grid, ring, accent] = [style.color, style.borderTopColor, ...["--ring", "--accent"].map((name) => style.getPropertyValue(name))];
    const cam = camera(clip, view, w, h);
    if (clip.dims === 3) drawFloor(ctx, clip, cam, grid);
    if (view.trail && clip.value) drawTrail(ctx, clip, cam, t, player);
    spots = [];
    const items = [];
    const base = clamp(Math.min(w, h) / 85, 2.4, 6.5), small = base < 3;
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
    for (const item of items) item.p ? drawJoint(ctx, item, clip, player.palette, { text, ring, small }) : drawBone(ctx, item, base, text);
    const marked = mark && spots.find((spot) => spot.m === mark.m && spot.v === mark.v);
    if (marked) drawRing(ctx, marked, marked.r + 6, accent);
    showTip();
    clock.textContent = `frame ${t + 1} / ${clip.frames}`;
    panel.strip.draw(t, style);
    panel.heat.draw(t, style);
  };

  function showTip() {
    const near = pointer && spots
      .map((s) => ({ s, d: Math.hypot(s.x - pointer[0], s.y - pointer[1]) }))
      .filter(({ s, d }) => d < s.r + 7)
      .sort((a, b) => a.d - b.d || a.s.depth - b.s.depth)[0]?.s;
    tip.hidden = !near || !!drag;
    panel.near = near || null;
    if (!near) return;
    const { clip } = panel;
    const parts = [clip.jointName(near.m, near.v)];
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
    player.point(panel.near);
  });
  for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => { drag = null; });
  canvas.addEventListener("pointerleave", () => { pointer = null; tip.hidden = true; player.point(null); });
  canvas.addEventListener("dblclick", () => player.resetCamera());
  canvas.addEventListener("transitionend", () => player.draw());
  open.addEventListener("click", () => player.pick(panel.data.pick));
  return panel;
}
