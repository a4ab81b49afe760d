// Points that can be pointed at, chosen and encircled. Called again on the same node with new data: one plane a root.
// app/scatter.py joins this with what stgcn_lens/viz holds (`decode`, `el`, `clamp`, `fitPixels`, `sizeOf`).

const RADIUS = 4.1; // pixels of a point
const REACH = 11; // pixels beside a point in which it is taken
const PAD = 12; // pixels that no point lies in
const CLICK = 4; // pixels that a pointer may move and still click
const SHAPES = [
  (c, r) => c.arc(0, 0, r, 0, 2 * Math.PI),
  (c, r) => c.rect(-0.88 * r, -0.88 * r, 1.76 * r, 1.76 * r),
  (c, r) => polygon(c, [[0, -1.2 * r], [1.15 * r, 0.85 * r], [-1.15 * r, 0.85 * r]]),
  (c, r) => polygon(c, [[0, -1.3 * r], [1.1 * r, 0], [0, 1.3 * r], [-1.1 * r, 0]]),
  (c, r) => { c.rect(-1.2 * r, -0.42 * r, 2.4 * r, 0.84 * r); c.rect(-0.42 * r, -1.2 * r, 0.84 * r, 2.4 * r); },
  (c, r) => polygon(c, [[0, 1.2 * r], [1.15 * r, -0.85 * r], [-1.15 * r, -0.85 * r]]),
];

export default function mount({ parentElement, data, setTriggerValue }) {
  const root = parentElement;
  root.__scatter ??= makeScatter(root);
  root.__scatter.send = setTriggerValue;
  root.__scatter.setData(data[0]); // in a list, see app/canvas.py
}

function polygon(ctx, corners) {
  corners.forEach(([x, y], i) => (i ? ctx.lineTo(x, y) : ctx.moveTo(x, y)));
  ctx.closePath();
}

function makeScatter(root) {
  const box = el("div", "sc-box", root), stage = el("div", "sc-stage", box), legend = el("ul", "sc-legend", box);
  const points = el("canvas", "sc-points", stage), over = el("canvas", "sc-over", stage, { tabIndex: 0 });
  over.setAttribute("role", "img");
  const tip = el("div", "sc-tip", stage, { hidden: true });
  tip.setAttribute("role", "status");
  const scatter = { points: null };
  let data = null, near = -1, path = null, began = null;

  const place = (i) => {
    const [w, h] = sizeOf(over), { xy } = scatter.points;
    return [PAD + (xy[2 * i] / 65535) * (w - 2 * PAD), h - PAD - (xy[2 * i + 1] / 65535) * (h - 2 * PAD)];
  };
  const units = ([x, y]) => {
    const [w, h] = sizeOf(over), round = (v) => Math.round(1e4 * v) / 1e4;
    return [round((x - PAD) / (w - 2 * PAD)), round((h - PAD - y) / (h - 2 * PAD))];
  };
  const look = (i) => ({ colour: data.colours[scatter.points.of[i] % data.colours.length],
    shape: SHAPES[Math.floor(scatter.points.of[i] / data.colours.length) % SHAPES.length] });

  function mark(ctx, i, r = RADIUS) {
    const { colour, shape } = look(i), [x, y] = place(i);
    ctx.save();
    ctx.translate(x, y);
    ctx.beginPath();
    shape(ctx, r);
    ctx.fillStyle = colour;
    ctx.fill();
    ctx.restore();
    return [x, y];
  }
  // Seldom: new data, a new size, another theme.
  function draw() {
    if (!data) return;
    const { ctx, w } = fitPixels(points), style = getComputedStyle(points), { flags, n } = scatter.points;
    if (!w) return;
    for (const strong of [0, 1]) for (let i = 0; i < n; i++) {
      if ((flags[i] & 1) !== strong) continue;
      ctx.globalAlpha = strong ? 1 : 0.16;
      mark(ctx, i);
      if (!(flags[i] & 2)) continue;
      ring(ctx, place(i), RADIUS + 2, style.color, 1.6);
    }
    ctx.globalAlpha = 1;
    drawOver();
  }
  function ring(ctx, [x, y], r, colour, width) {
    ctx.beginPath();
    ctx.arc(x, y, r, 0, 2 * Math.PI);
    ctx.strokeStyle = colour;
    ctx.lineWidth = width;
    ctx.stroke();
  }
  // What follows the pointer, on a canvas of its own.
  function drawOver() {
    const { ctx, w } = fitPixels(over), style = getComputedStyle(points);
    if (!data || !w) return;
    if (data.chosen >= 0) ring(ctx, place(data.chosen), 9.5, style.color, 2.6);
    if (path) {
      ctx.beginPath();
      polygon(ctx, path);
      ctx.fillStyle = ctx.strokeStyle = style.getPropertyValue("--accent");
      ctx.globalAlpha = 0.13;
      ctx.fill();
      ctx.globalAlpha = 1;
      ctx.lineWidth = 1.6;
      ctx.stroke();
    }
    tip.hidden = near < 0 || !!path;
    if (near < 0) return;
    ring(ctx, mark(ctx, near, RADIUS + 1.5), RADIUS + 4, style.color, 1.4);
    const [x, y] = place(near), { flags, of, names } = scatter.points;
    tip.textContent = [names[near], data.classes[of[near]], flags[near] & 2 ? "wrongly predicted" : ""].filter(Boolean).join(" · ");
    tip.style.left = `${clamp(x + 12, 0, Math.max(0, w - tip.offsetWidth - 4))}px`;
    tip.style.top = `${y > 34 ? y - 32 : y + 12}px`;
  }
  function nearest([x, y], reach, counts = () => true) {
    let best = -1, least = reach;
    for (let i = 0; i < scatter.points.n; i++) {
      const [a, b] = place(i), far = Math.hypot(a - x, b - y);
      if (far < least && counts(a - x, b - y)) [best, least] = [i, far];
    }
    return best;
  }
  function pick(i) {
    if (i >= 0) scatter.send?.("pick", scatter.points.names[i]);
  }

  scatter.setData = (next) => {
    data = next;
    over.style.height = points.style.height = `${data.height}px`;
    for (const canvas of [over, points]) sizes.delete(canvas);
    over.setAttribute("aria-label", data.alt);
    const of = decode(data.of, Uint16Array);
    scatter.points = { n: of.length, xy: decode(data.xy, Uint16Array), of, flags: decode(data.flags, Uint8Array), names: data.names };
    near = -1;
    path = null;
    legend.replaceChildren();
    legend.hidden = !data.legend;
    if (data.legend) data.classes.forEach((name, c) => {
      const line = el("li", "", legend), swatch = el("canvas", "", line, { width: 26, height: 26 }), ctx = swatch.getContext("2d");
      ctx.translate(13, 13);
      ctx.beginPath();
      SHAPES[Math.floor(c / data.colours.length) % SHAPES.length](ctx, 9);
      ctx.fillStyle = data.colours[c % data.colours.length];
      ctx.fill();
      line.append(name);
    });
    draw();
  };

  over.addEventListener("pointerdown", (e) => {
    over.setPointerCapture(e.pointerId);
    began = [e.offsetX, e.offsetY];
  });
  over.addEventListener("pointermove", (e) => {
    const at = [e.offsetX, e.offsetY];
    if (!began) near = nearest(at, REACH);
    else if (path || Math.hypot(at[0] - began[0], at[1] - began[1]) > CLICK) {
      if (e.shiftKey) path = [began, [at[0], began[1]], at, [began[0], at[1]]];
      else path = [...(path ?? [began]), at];
    }
    drawOver();
  });
  over.addEventListener("pointerup", (e) => {
    if (path) scatter.send?.("lasso", path.map(units));
    else if (began) pick(nearest([e.offsetX, e.offsetY], REACH));
    began = null; // the path stays until what lies in it is shown
  });
  over.addEventListener("pointercancel", () => { began = path = null; drawOver(); });
  over.addEventListener("pointerleave", () => { if (!began) { near = -1; drawOver(); } });
  over.addEventListener("blur", () => { near = -1; drawOver(); });
  over.addEventListener("keydown", (e) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (e.key === "Enter" || e.key === " ") pick(near);
    else if (e.key === "Escape") path = began = null;
    else if (way && scatter.points.n) {
      const from = near >= 0 ? near : Math.max(0, data.chosen);
      const next = nearest(place(from), Infinity, (dx, dy) => {
        const along = dx * way[0] + dy * way[1], across = Math.abs(dx * way[1] + dy * way[0]);
        return along > 0 && across <= along;
      });
      near = next < 0 ? from : next;
    } else return;
    e.preventDefault();
    e.stopPropagation();
    drawOver();
  });
  points.addEventListener("transitionend", draw);
  new ResizeObserver(() => { for (const canvas of [over, points]) sizes.delete(canvas); draw(); }).observe(stage);
  scatter.place = place;
  return scatter;
}
