// What a page notes while it is measured; `pressed` is the last key or button. Times are milliseconds since the epoch.
window.bench = (() => {
  const now = () => performance.timeOrigin + performance.now();
  const bench = { pressed: 0, took: {}, seen: [], typed: [] };
  let stop = () => undefined;
  let keyed = () => undefined;

  document.addEventListener("keydown", (event) => {
    bench.pressed = performance.timeOrigin + event.timeStamp;
    if (event.key.length === 1) keyed(bench.pressed);
  }, true);

  document.addEventListener("mousedown", (event) => { bench.pressed = performance.timeOrigin + event.timeStamp; }, true);

  const observe = (target, look) => {
    stop();
    const observer = new MutationObserver(look);
    observer.observe(target, { subtree: true, childList: true, characterData: true, attributes: true });
    stop = () => { observer.disconnect(); };
    look();
  };

  /** Notes when each of these first came true. */
  bench.arm = (conditions) => {
    bench.took = {};
    observe(document, () => {
      for (const [name, met] of Object.entries(conditions)) if (!(name in bench.took) && met()) bench.took[name] = now();
    });
  };

  /** Notes each new value and when it was there. */
  bench.watch = (value) => {
    bench.seen = [];
    observe(document, () => {
      const found = value();
      if (found !== bench.seen.at(-1)?.[1]) bench.seen.push([now(), found]);
    });
  };

  /** From now on, notes how long each letter takes from its key to the line that has `marker`. */
  bench.type = (marker) => {
    const line = () => [...document.querySelectorAll(".editor-instance .view-line")].find(({ textContent }) => textContent.includes(marker));
    const length = () => line()?.textContent.length ?? 0;
    const waiting = [];
    let expected = length();
    keyed = (at) => { waiting.push({ at, length: ++expected }); };
    observe(line().closest(".view-lines"), () => {
      while (waiting.length > 0 && waiting[0].length <= length()) bench.typed.push(now() - waiting.shift().at);
    });
  };

  bench.rest = () => { stop(); keyed = () => undefined; };
  return bench;
})();
