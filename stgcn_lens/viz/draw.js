// How one frame of a clip is drawn: camera, floor, trail, bones and joints. Part of the module that player.py joins.

const TRAIL = { joints: 3, frames: 15 };
const MARGIN = 13; // pixels that the largest joint and its ring need

function clamp(x, low, high) {
  return Math.min(high, Math.max(low, x));
}

function el(tag, className, parent, props = {}) {
  const node = Object.assign(document.createElement(tag), { className }, props);
  parent?.append(node);
  return node;
}

// Sizes of canvases on the page: to ask for one anew, in every picture, makes the browser lay out the page each time.
const sizes = new WeakMap();

function sizeOf(canvas) {
  if (!sizes.has(canvas)) sizes.set(canvas, [canvas.clientWidth, canvas.clientHeight]);
  return sizes.get(canvas);
}

function fitPixels(canvas, [w, h] = sizeOf(canvas)) {
  const ratio = globalThis.devicePixelRatio || 1;
  const width = Math.round(w * ratio), height = Math.round(h * ratio);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const ctx = canvas.getContext("2d");
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, w, h);
  return { ctx, w, h };
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

function drawJoint(ctx, { p, r, s, planted }, clip, palette, { text, ring, small }) {
  ctx.beginPath();
  ctx.arc(p[0], p[1], r, 0, 2 * Math.PI);
  ctx.fillStyle = clip.value ? palette[Math.round(255 * s)] : text;
  ctx.fill();
  ctx.strokeStyle = text; // low saliency is black and high is pale: the outline shows both on any page
  ctx.lineWidth = small ? 1 : 1.3;
  ctx.stroke();
  if (planted) drawRing(ctx, { x: p[0], y: p[1] }, r + (small ? 2 : 4), ring, small);
}

function drawRing(ctx, { x, y }, r, colour, small) {
  ctx.beginPath();
  ctx.arc(x, y, r, 0, 2 * Math.PI);
  ctx.strokeStyle = colour;
  ctx.lineWidth = small ? 1.4 : 2.2;
  ctx.stroke();
}
