// Asks the server every two seconds whether anything changed; puts the new body in place and leaves the reader where they were.
(() => {
  const main = document.getElementById("main"), status = document.getElementById("live");
  let version = "", failures = 0;
  async function look() {
    try {
      const answer = await fetch("body", { headers: version ? { "If-None-Match": version } : {}, cache: "no-store" });
      if (answer.status === 200) {
        const text = await answer.text(), first = !version;
        version = answer.headers.get("ETag");
        if (!first || main.dataset.version !== version) show(text);
        main.dataset.version = version;
      } else if (answer.status !== 304) throw new Error(answer.status);
      failures = 0;
      say(answer.headers.get("Treaty-Status") || "live");
    } catch {
      failures += 1;
      say("no answer from the server; trying again");
    }
    setTimeout(look, Math.min(2000 * (1 + failures), 15000));
  }
  function say(text) { if (status.textContent !== text) status.textContent = text; }
  function keys() { return [...main.querySelectorAll("details")].map((d) => [key(d), d]); }
  function key(d) {
    const inner = d.querySelector("summary").textContent.trim();
    const outer = d.parentElement.closest("details, section");
    return d.id || (outer ? outer.id : "") + "/" + inner;
  }
  function show(text) {
    const open = new Map(keys().map(([k, d]) => [k, d.open]));
    const sideways = [...main.querySelectorAll(".scroll")].map((s) => s.scrollLeft);
    const [x, y] = [window.scrollX, window.scrollY];
    // The reader's place: the part that is at the top of the window, and how far.
    const anchor = [...main.querySelectorAll("section, details.round")].filter((e) => e.id && e.getBoundingClientRect().top <= 60).pop();
    const before = anchor ? anchor.getBoundingClientRect().top : 0, name = anchor && anchor.id;
    const focused = main.contains(document.activeElement) ? document.activeElement.closest("[id]")?.id : null;
    main.innerHTML = text;
    for (const [k, d] of keys()) if (open.has(k)) d.open = open.get(k);
    main.querySelectorAll(".scroll").forEach((s, i) => { s.scrollLeft = sideways[i] || 0; });
    const now = name && document.getElementById(name);
    window.scrollTo({ left: x, top: now ? y + now.getBoundingClientRect().top - before + (window.scrollY - y) : y, behavior: "instant" });
    if (focused) document.getElementById(focused)?.querySelector("summary, a")?.focus({ preventScroll: true });
  }
  look();
})();
