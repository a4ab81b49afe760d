// Time from left to right: the strip of mean saliency and the heat map of joint x time, with the frame shown and the
// loop marked on both. A click goes there.

const ROW = { alone: [11, 8], beside: [8, 5] }; // pixels a joint takes in the heat map; fewer where there are many
const MANY = 33; // joints
const GUTTER = 112; // pixels for the names of the joints
const AXIS = 18; // pixels for the seconds below
const GRIP = 7; // pixels beside a mark of the loop in which it can be taken

// Shade what the loop leaves out; frames take `wide` pixels each from `left` on.
function drawLoop(ctx, { left, wide, frames, h, loop, style }) {
  if (!loop) return;
  const a = left + loop.a * wide, b = left + (loop.b + 1) * wide;
  ctx.fillStyle = style.backgroundColor;
  ctx.globalAlpha = 0.68;
  ctx.fillRect(left, 0, a - left, h);
  ctx.fillRect(b, 0, left + frames * wide - b, h);
  ctx.globalAlpha = 1;
  for (const [x, way] of [[a, 1], [b, -1]]) {
    ctx.fillStyle = style.backgroundColor;
    ctx.fillRect(x - 3, 0, 6, h);
    ctx.fillStyle = style.getPropertyValue("--accent");
    ctx.fillRect(x - 1.5, 0, 3, h);
    for (const y of [0, h - 3]) ctx.fillRect(way > 0 ? x : x - 7, y, 7, 3);
  }
}

// A canvas whose picture stays while a clip plays: only the mark of the frame shown moves over it, as an element of its
// own, so that the browser need not paint the picture sixty times a second.
function makeStill(canvas, stage) {
  const now = el("div", "sl-now", stage);
  let drawn = "";
  return ({ left, wide, h, t }, looks, draw) => {
    now.style.transform = `translateX(${(left + (t + 0.5) * wide).toFixed(2)}px)`;
    const all = [...sizeOf(canvas), globalThis.devicePixelRatio, h, looks].join();
    if (all === drawn) return;
    now.style.height = `${h}px`;
    drawn = all;
    draw(fitPixels(canvas).ctx);
  };
}

function makeStrip(player, panel) {
  const stage = el("div", "sl-stage"), canvas = el("canvas", "sl-strip", stage), still = makeStill(canvas, stage);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "Mean saliency of every frame; click to go there");
  steerStrip(canvas, player, panel);
  return {
    stage, canvas,
    setData: () => { stage.hidden = !panel.clip.value; sizes.delete(canvas); },
    draw: (t, style) => {
      const { clip } = panel, [w, h] = stage.hidden ? [0, 0] : sizeOf(canvas), loop = player.loopOf(panel);
      if (!w || !h) return;
      const place = { left: 0, wide: w / clip.frames, frames: clip.frames, h, t, loop, style };
      still(place, [style.color, style.borderTopColor, style.backgroundColor, clip.key, loop?.a, loop?.b], (ctx) => {
        drawMeans(ctx, w, h, clip, player.palette, style);
        drawLoop(ctx, place);
      });
    },
  };
}

function drawMeans(ctx, w, h, clip, palette, style) {
  const peak = Math.max(1e-6, ...clip.mean), wide = w / clip.frames;
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
}

function drawCells(ctx, w, h, clip, tall, colours, style) {
  const rows = clip.there.length * clip.V, wide = (w - GUTTER) / clip.frames;
  const image = new ImageData(clip.frames, rows);
  clip.there.forEach((m, band) => {
    for (let v = 0; v < clip.V; v++) for (let t = 0; t < clip.frames; t++) {
      if (!clip.has(t, m, v)) continue; // the page shows through: nobody is there
      const rgb = colours.subarray(3 * Math.round(255 * clip.value(t, m, v)));
      image.data.set([rgb[0], rgb[1], rgb[2], 255], 4 * ((band * clip.V + v) * clip.frames + t));
    }
  });
  const cells = Object.assign(document.createElement("canvas"), { width: clip.frames, height: rows });
  cells.getContext("2d").putImageData(image, 0, 0);
  ctx.imageSmoothingEnabled = false;
  ctx.drawImage(cells, GUTTER, 0, w - GUTTER, rows * tall);
  ctx.fillStyle = style.color;
  const each = Math.ceil(10 / tall); // names that fit
  ctx.font = `${each > 1 ? 9 : 11}px system-ui, sans-serif`;
  ctx.textAlign = "right";
  ctx.textBaseline = "middle";
  clip.there.forEach((m, band) => {
    for (let v = 0; v < clip.V; v += each)
      ctx.fillText(clip.jointName(m, v).replace(" (body ", " (").replace("spine ", "sp. "), GUTTER - 5, (band * clip.V + v + 0.5) * tall, GUTTER - 7);
    if (band) ctx.fillRect(0, band * clip.V * tall - 0.5, w, 1);
    if (!clip.planted) return;
    ctx.save();
    ctx.fillStyle = style.getPropertyValue("--ring");
    for (let v = 0; v < clip.V; v++) for (let t = 0; t < clip.frames; t++)
      if (clip.planted(t, m, v) && clip.has(t, m, v)) ctx.fillRect(GUTTER + t * wide, (band * clip.V + v + 1) * tall - 2.5, wide + 0.5, 2.5);
    ctx.restore();
  });
  const seconds = clip.frames / clip.fps, apart = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60].find((s) => seconds / s <= 8) ?? 120;
  ctx.textBaseline = "alphabetic";
  for (let k = 0; k * apart <= seconds + 1e-9; k++) {
    const x = GUTTER + (k * apart * clip.fps + 0.5) * wide;
    if (x > w) break;
    ctx.fillRect(x - 0.5, h - AXIS, 1, 4);
    ctx.textAlign = k ? "center" : "left";
    const text = `${Number((k * apart).toFixed(1))} s`;
    if (x + ctx.measureText(text).width / 2 <= w) ctx.fillText(text, k ? x : x - 1, h - 3);
  }
}

function makeHeat(player, panel, parent) {
  const stage = el("div", "sl-stage", parent, { hidden: true });
  const canvas = el("canvas", "sl-heat", stage, { tabIndex: 0 });
  canvas.setAttribute("role", "img");
  const tip = el("div", "sl-cell", stage, { hidden: true });
  const heat = { stage, canvas }, still = makeStill(canvas, stage);
  let pointer = null, tall = 0;

  const place = () => {
    const { clip } = panel, wide = (sizeOf(canvas)[0] - GUTTER) / clip.frames;
    const row = Math.floor(pointer[1] / tall), t = Math.floor((pointer[0] - GUTTER) / wide);
    if (row < 0 || row >= clip.there.length * clip.V || t < 0 || t >= clip.frames) return null;
    return { t, m: clip.there[Math.floor(row / clip.V)], v: row % clip.V, row };
  };

  heat.setData = (wanted, single) => {
    const { clip } = panel;
    stage.hidden = !(wanted && clip.value && clip.there.length);
    if (stage.hidden) return;
    const rows = clip.there.length * clip.V;
    tall = ROW[single ? "alone" : "beside"][rows > MANY ? 1 : 0];
    canvas.style.height = `${rows * tall + AXIS}px`;
    sizes.delete(canvas);
    canvas.setAttribute("aria-label",
      `Saliency of ${clip.V} joints (down) over ${clip.frames} frames (across); click to go there, arrow keys step.`);
  };

  heat.draw = (t, style) => {
    if (stage.hidden) return;
    const { clip } = panel, { mark } = player, loop = player.loopOf(panel), [w, h] = sizeOf(canvas);
    if (w <= GUTTER) return;
    const place = { left: GUTTER, wide: (w - GUTTER) / clip.frames, frames: clip.frames, h: h - AXIS, t, loop, style };
    const band = mark ? clip.there.indexOf(mark.m) : -1, row = band < 0 ? -1 : band * clip.V + mark.v;
    still(place, [style.color, style.backgroundColor, clip.key, loop?.a, loop?.b, row], (ctx) => {
      drawCells(ctx, w, h, clip, tall, player.colours, style);
      drawLoop(ctx, place);
      if (row < 0) return;
      ctx.strokeStyle = style.getPropertyValue("--accent");
      ctx.lineWidth = 2;
      ctx.strokeRect(1, row * tall, w - 2, tall);
    });
  };

  canvas.addEventListener("pointermove", (e) => {
    pointer = [e.offsetX, e.offsetY];
    const at = place();
    if (e.buttons && at) player.seek((at.t + 0.5) / panel.clip.frames, panel);
    player.point(at);
    tip.hidden = !at;
    if (!at) return;
    const { clip } = panel, there = clip.has(at.t, at.m, at.v);
    const value = there ? `saliency ${clip.value(at.t, at.m, at.v).toFixed(2)}` : "not there";
    const planted = there && clip.planted?.(at.t, at.m, at.v) ? " · planted evidence" : "";
    tip.textContent = `${clip.jointName(at.m, at.v)} · frame ${at.t + 1} (${(at.t / clip.fps).toFixed(2)} s) · ${value}${planted}`;
    tip.style.left = `${clamp(pointer[0] + 12, 0, Math.max(0, canvas.clientWidth - tip.offsetWidth - 4))}px`;
    tip.style.top = `${at.row * tall > 34 ? at.row * tall - 30 : (at.row + 1) * tall + 6}px`;
  });
  canvas.addEventListener("pointerdown", (e) => {
    pointer = [e.offsetX, e.offsetY];
    const at = place();
    if (at) player.seek((at.t + 0.5) / panel.clip.frames, panel);
  });
  canvas.addEventListener("pointerleave", () => { tip.hidden = true; player.point(null); });
  return heat;
}

// Seek on the strip, or move a mark of the loop that lies under the pointer.
function steerStrip(strip, player, panel) {
  let taken = null;
  const fraction = (e) => clamp(e.offsetX / strip.clientWidth, 0, 1);
  const under = (e) => {
    const loop = player.loopOf(panel), wide = strip.clientWidth / panel.clip.frames;
    if (!loop) return null;
    const gaps = { a: Math.abs(e.offsetX - loop.a * wide), b: Math.abs(e.offsetX - (loop.b + 1) * wide) };
    const near = gaps.a < gaps.b ? "a" : "b";
    return gaps[near] <= GRIP ? near : null;
  };
  const move = (e) => (taken ? player.setLoop(taken, player.frameAt(fraction(e), panel)) : player.seek(fraction(e), panel));
  strip.addEventListener("pointerdown", (e) => {
    taken = under(e);
    strip.setPointerCapture(e.pointerId);
    move(e);
  });
  strip.addEventListener("pointermove", (e) => {
    strip.style.cursor = taken || under(e) ? "ew-resize" : "pointer";
    if (e.buttons) move(e);
  });
  strip.addEventListener("pointerup", () => { taken = null; });
}
