// What app_latency.py looks through: the player, and the time from the last key or click until the page shows something.
const deep = (root) => root.querySelector(".sl-player") ?? [...root.querySelectorAll("*")]
  .filter((n) => n.shadowRoot).map((n) => deep(n.shadowRoot)).find(Boolean);
let node = null;
window.player = () => { if (!node?.isConnected) node = deep(document); return node?.parentNode.__player; };
window.shows = (words) => { const p = player(); if (!(p?.drawn > 0 && p.panels()[0].clip.value)) return false;
  const { title, subtitle } = p.panels()[0].data; return words.every((w) => `${title} ${subtitle} `.includes(w)); };
window.edited = (key) => { const p = player(); return p?.panels().length === 2 && p.panels()[1].data.key !== key; };
window.reads = (words) => Boolean(document.querySelector(".stMain")?.innerText.includes(words));
window.settled = (path) => location.pathname === path && !document.querySelector("[data-stale=true]")
  && document.querySelector(".stApp")?.dataset.testScriptState === "notRunning"
  && document.querySelector(".stMainBlockContainer")?.innerText.length > 40;
for (const kind of ["keydown", "click"]) addEventListener(kind, () => { window.began = performance.now(); }, true);
window.when = (test, ...args) => new Promise((done, fail) => {
  const end = performance.now() + 200000;
  const look = () => { try {
    if (test(...args)) done((performance.now() - (window.began ?? 0)) / 1000);
    else if (performance.now() > end) fail(new Error("never shown: " + JSON.stringify(args)));
    // Frame by frame; of many sessions on few cores each frame costs more than what is timed: they look less often.
    else if (window.pace) setTimeout(look, window.pace);
    else requestAnimationFrame(look);
  } catch (error) { fail(error); } };
  look();
});
