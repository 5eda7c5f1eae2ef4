(() => {
  "use strict";
  const EVERY = 5000;
  const [lost, seen, asOf] = ["lost", "seen", "as-of"].map((id) => document.getElementById(id));

  // Makes an element like a fresh one, and changes only what differs, for the sake of focus, selection and screen readers.
  const renew = (old, fresh) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    // What the reader has opened stays open, until it gets better or worse.
    if (old.matches("details") && old.className !== fresh.className) old.open = fresh.open;
    for (const { name, value } of fresh.attributes) {
      if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    const [mine, other] = [[...old.childNodes], [...fresh.childNodes]];
    const alike = (one, index) => one.nodeName === other[index].nodeName && one.id === other[index].id;
    if (mine.length === other.length && mine.every(alike)) {
      mine.forEach((one, index) => renew(one, other[index]));
      return;
    }
    const known = new Map(mine.filter((one) => one.id).map((one) => [one.id, one]));
    old.replaceChildren(...other.map((one) => {
      const kept = known.get(one.id);
      if (kept) renew(kept, one);
      return kept || one;
    }));
  };

  // The steps of a chart, the oldest first: how many seconds before the end each ended, and its value in words.
  const steps = (plot) => plot.dataset.steps.split(";").map((step) => {
    const at = step.indexOf(" ");
    return [Number(step.slice(0, at)), step.slice(at + 1)];
  });

  // Shows the value of one step, or none.
  const read = (plot, wanted) => {
    const reading = plot.parentElement.querySelector(".reading");
    if (wanted === undefined) {
      delete plot.dataset.at;
      reading.textContent = "";
      return;
    }
    const all = steps(plot), span = Number(plot.dataset.span), last = all.length - 1;
    const at = Math.min(Math.max(wanted, 0), last);
    const [back, words] = all[at];
    const middle = (back + (at > 0 ? all[at - 1][0] : span)) / 2;
    plot.dataset.at = at;
    plot.querySelector(".cursor").setAttribute("d", `M${(352 - 296 * middle / span).toFixed(1)} 8V128`);
    const time = new Date(1000 * (Number(plot.dataset.end) - back)).toISOString().slice(11, 19);
    reading.textContent = `${time}  ${words}`;
    const state = { valuemin: 0, valuemax: last, valuenow: at, valuetext: `${words} at ${time}` };
    for (const [name, value] of Object.entries(state)) plot.setAttribute(`aria-${name}`, value);
  };

  // Without this script a chart is an image; with it, the arrow keys read its values.
  const prepare = () => {
    for (const plot of document.querySelectorAll(".plot")) {
      const { at } = plot.dataset;
      read(plot, Infinity);
      read(plot, at === undefined ? undefined : Number(at));
      const label = plot.querySelector("svg").getAttribute("aria-label");
      for (const [name, value] of [["role", "slider"], ["tabindex", 0], ["aria-label", label]]) plot.setAttribute(name, value);
    }
  };
  const on = (event, act) => document.addEventListener(event, (happened) => {
    const plot = happened.target.closest && happened.target.closest(".plot");
    if (plot) act(plot, happened);
  });
  const point = (plot, { clientX }) => {
    const { left, width } = plot.getBoundingClientRect();
    const back = (352 - 360 * (clientX - left) / width) * plot.dataset.span / 296;
    read(plot, Math.max(steps(plot).findIndex(([end]) => end <= back), back < 0 ? Infinity : 0));
  };
  on("pointermove", point);
  on("pointerdown", point);
  // A finger is lifted to look at what it has touched.
  on("pointerout", (plot, { pointerType }) => {
    if (pointerType !== "touch" && plot !== document.activeElement) read(plot, undefined);
  });
  on("focusin", (plot) => read(plot, plot.dataset.at === undefined ? Infinity : Number(plot.dataset.at)));
  on("focusout", (plot) => read(plot, undefined));
  on("keydown", (plot, event) => {
    const at = Number(plot.dataset.at);
    const to = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, PageDown: at - 10, PageUp: at + 10,
      Home: 0, End: Infinity }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    read(plot, to);
  });

  const look = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(EVERY - 500) });
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const focus = document.activeElement;
      for (const part of ["header", "main"]) renew(document.querySelector(part), fresh.querySelector(part));
      if (focus !== document.activeElement && focus.isConnected) focus.focus();
      document.title = fresh.title;
      document.body.classList.remove("lost");
      lost.hidden = true;
      prepare();
    } catch {
      const time = asOf.dateTime.slice(11, 19);
      document.title = `lost, last seen ${time} – ${document.querySelector("h1").textContent}`;
      document.body.classList.add("lost");
      seen.textContent = `${time} UTC`;
      lost.hidden = false;
    }
  };
  prepare();
  setInterval(look, EVERY);
  document.addEventListener("visibilitychange", look);
})();
