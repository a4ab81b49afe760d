// Skeletons on canvas with saliency, no dependencies; player.py joins these files into one module. What a payload
// holds, as arrays: xyz [T][M][V][D] int16, saliency [T][M][V] uint8, evidence as bits.

const MISSING = -32768;

function decode(text, Type) {
  return new Type(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
}

// `twin` is a clip of the same coordinates that is unpacked already.
function unpack(p, twin) {
  const { frames: T, bodies: M, joints, dims: D } = p;
  const V = joints.length;
  const q = twin?.q ?? decode(p.xyz, Int16Array);
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
  const has = (t, m, v) => q[at(t, m, v) * D] !== MISSING;
  const here = (t, m) => joints.some((_, v) => has(t, m, v));
  return {
    ...p, V, q, mean, top, has, here,
    there: [...Array(M).keys()].filter((m) => [...Array(T).keys()].some((t) => here(t, m))),
    point: (t, m, v) => {
      const i = at(t, m, v) * D;
      const axis = (d) => p.offset[d] + q[i + d] * p.step;
      return [axis(0), axis(1), D === 3 ? axis(2) : 0];
    },
    jointName: (m, v) => joints[v].replaceAll("_", " ") + (M > 1 ? ` (body ${m + 1})` : ""),
    value: saliency ? (t, m, v) => saliency[at(t, m, v)] / 255 : null,
    planted: bits ? (t, m, v) => { const i = at(t, m, v); return (bits[i >> 3] >> (7 - (i & 7))) & 1; } : null,
  };
}
