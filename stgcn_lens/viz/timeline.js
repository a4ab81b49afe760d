// Time from left to right: the strip of mean saliency and the heat map of joint x time, with the frame shown and the
// loop marked on both. A click goes there.

const ROW = { alone: [11, 8], beside: [8, 5] }; // pixels a joint takes in the heat map; fewer where there are many
const MANY = 33; // joints
const GUTTER = 112; // pixels for the names of the joints
const AXIS = 18; // pixels for the seconds below
const GRIP = 7; // pixels beside a mark of the loop in which it can be taken

// Shade what the loop leaves out, and mark the frame shown; frames take `wide` pixels each from `left` on.
function drawNow(ctx, { left, wide, frames, h, t, loop, style }) {
  if (loop) {
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
  const head = left + (t + 0.5) * wide;
  ctx.fillStyle = style.backgroundColor; // a rim, so that the mark is seen on every colour of the map
  ctx.fillRect(head - 3, 0, 6, h);
  ctx.fillStyle = style.color;
  ctx.fillRect(head - 1.25, 0, 2.5, h);
}

function drawStrip(canvas, clip, t, loop, palette, style) {
  if (canvas.hidden) return;
  const { ctx, w, h } = fitPixels(canvas);
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
  drawNow(ctx, { left: 0, wide, frames: clip.frames, h, t, loop, style });
}

// What does not change from frame to frame is drawn once, on a canvas of its own.
function drawCells(canvas, w, h, clip, tall, colours, style) {
  const { ctx } = fitPixels(canvas, w, h);
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
  const still = document.createElement("canvas");
  const heat = { stage };
  let drawn = "", pointer = null, tall = 0;

  const place = () => {
    const { clip } = panel, wide = (canvas.clientWidth - GUTTER) / clip.frames;
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
    canvas.setAttribute("aria-label",
      `Saliency of ${clip.V} joints (down) over ${clip.frames} frames (across); click to go there, arrow keys step.`);
    drawn = "";
  };

  heat.draw = (t, style) => {
    if (stage.hidden) return;
    const { clip } = panel, { ctx, w, h } = fitPixels(canvas);
    if (w <= GUTTER) return;
    const looks = [canvas.width, canvas.height, style.color, clip.key].join();
    if (looks !== drawn) {
      drawCells(still, w, h, clip, tall, player.colours, style);
      drawn = looks;
    }
    ctx.drawImage(still, 0, 0, w, h);
    const wide = (w - GUTTER) / clip.frames, { mark } = player;
    const band = mark ? clip.there.indexOf(mark.m) : -1;
    if (band >= 0) {
      ctx.strokeStyle = style.getPropertyValue("--accent");
      ctx.lineWidth = 2;
      ctx.strokeRect(1, (band * clip.V + mark.v) * tall, w - 2, tall);
    }
    drawNow(ctx, { left: GUTTER, wide, frames: clip.frames, h: h - AXIS, t, loop: player.loopOf(panel), style });
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
