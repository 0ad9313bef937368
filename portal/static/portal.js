// What every page has: times in the viewer's zone, menus, settings, copying, keyboard help, news. Every page works
// without it.
"use strict";

(() => {
  const $ = (s, from = document) => from.querySelector(s);
  const $$ = (s, from = document) => [...from.querySelectorAll(s)];
  const root = document.documentElement;
  const E = (window.Eyrie = { $, $$ });

  // ---- times: <time data-k="r|s|x"> and chart labels <text data-t data-f>
  const span = (ms) => {
    const s = Math.floor(ms / 1000);
    if (s < 1) return "now";
    if (s < 60) return s + " s";
    if (s < 3600) return Math.floor(s / 60) + " min";
    if (s < 172800) return Math.floor(s / 3600) + " h";
    return Math.floor(s / 86400) + " d";
  };
  const zone = () => (root.dataset.zone === "utc" ? "UTC" : undefined);
  const formats = {};
  const format = (kind) => {
    const key = kind + (zone() || "");
    const common = { timeZone: zone() };
    const how = {
      x: { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
      hm: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
      md: { month: "short", day: "numeric" },
      dh: { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
    }[kind];
    const locale = kind === "x" ? "sv-SE" : "en-US"; // sv-SE writes ISO 8601's order
    return (formats[key] ||= new Intl.DateTimeFormat(locale, { ...common, ...how }));
  };
  const exact = (t) => format("x").format(t) + (zone() ? " UTC" : "");
  const times = (now = Date.now()) => {
    for (const el of $$("time[data-k]")) {
      const t = new Date(el.dateTime);
      const age = now - t;
      el.title = exact(t) + " · " + t.toISOString();
      const words = el.dataset.k === "x" ? exact(t) : span(Math.max(age, 0)) + (el.dataset.k === "r" && age >= 1000 ? " ago" : "");
      if (el.textContent !== words) el.textContent = words;
    }
    for (const el of $$("text[data-t]")) el.textContent = format(el.dataset.f).format(new Date(el.dataset.t));
  };
  E.times = times;
  times();
  setInterval(() => document.hidden || times(), 5000);

  // ---- requests
  E.post = async (url, fields) => {
    const body = new URLSearchParams(fields);
    body.set("csrf", document.body.dataset.csrf);
    const r = await fetch(url, { method: "POST", body, headers: { Accept: "application/json" } });
    const answer = await r.json();
    if (!r.ok) throw new Error(answer.error || "The request failed.");
    return answer;
  };

  // ---- toasts
  E.toast = (text, undo) => {
    const box = $(".toasts");
    if (!box) return;
    box.replaceChildren();
    const toast = document.createElement("div");
    toast.className = "toast";
    const words = document.createElement("span");
    words.textContent = text;
    toast.append(words);
    if (undo) {
      const b = document.createElement("button");
      b.className = "btn small";
      b.type = "button";
      b.textContent = "Undo";
      b.addEventListener("click", undo);
      toast.append(b);
    }
    box.append(toast);
    E.undo = undo;
    clearTimeout(E.toastTimer);
    E.toastTimer = setTimeout(() => toast.matches(":hover, :focus-within") || toast.remove(), undo ? 12000 : 5000);
  };

  // ---- settings without leaving the page
  for (const form of $$('form[action="/portal/settings"]')) {
    form.addEventListener("submit", async (e) => {
      e.preventDefault();
      const b = e.submitter;
      try {
        await E.post(form.action, { [b.name]: b.value });
      } catch (err) {
        return E.toast(err.message);
      }
      if (b.value) root.dataset[b.name] = b.value;
      else delete root.dataset[b.name];
      for (const other of $$("button", form)) other.setAttribute("aria-pressed", other === b);
      times();
    });
  }

  // ---- menus: one at a time; a click elsewhere or Escape closes
  document.addEventListener("toggle", (e) => {
    if (!e.target.matches?.(".menu") || !e.target.open) return;
    for (const m of $$(".menu[open]")) if (m !== e.target && !m.contains(e.target)) m.open = false;
    keepInside(e.target);
  }, true);
  const keepInside = (m) => {
    const pop = $(".pop", m);
    if (!pop) return;
    pop.classList.toggle("end", m.matches(".user"));
    const box = pop.getBoundingClientRect();
    if (box.right > innerWidth - 8 && box.width < innerWidth - 32) pop.classList.add("end");
  };
  document.addEventListener("pointerdown", (e) => {
    for (const m of $$(".menu[open]")) if (!m.contains(e.target)) m.open = false;
  });

  // ---- copying
  const copied = (b) => {
    const was = b.textContent;
    b.textContent = "Copied";
    setTimeout(() => (b.textContent = was), 1500);
  };
  if (navigator.clipboard) {
    for (const b of $$("[data-copy], [data-copy-url]")) {
      b.hidden = false;
      b.addEventListener("click", async () => {
        const text = b.dataset.copyUrl ? await (await fetch(b.dataset.copyUrl)).text() : $("code", b.parentElement).textContent;
        await navigator.clipboard.writeText(text);
        copied(b);
      });
    }
  }

  // ---- help
  const help = $("#keys");
  E.help = () => help?.showModal();
  for (const b of $$("[data-help]")) {
    b.hidden = false;
    b.addEventListener("click", E.help);
  }

  // ---- news: a bar says what is new; the page does not move until it is asked to
  const news = $(".news[data-events]");
  if (news) {
    let source;
    const open = () => {
      source ||= new EventSource("/events?" + news.dataset.events);
      source.addEventListener("news", (e) => {
        const { count, more } = JSON.parse(e.data);
        const a = document.createElement("a");
        a.href = news.dataset.show || location.href;
        a.textContent = count + (more ? "+" : "") + " new or seen again, show";
        news.replaceChildren(a);
      });
    };
    const close = () => { source?.close(); source = undefined; };
    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    addEventListener("pagehide", close);
    addEventListener("pageshow", (e) => e.persisted && open());
    if (!document.hidden) open();
  }

  // ---- selecting time by dragging over a chart
  for (const svg of $$("svg[data-brush]")) {
    const hits = $$(".hit", svg);
    let start;
    const at = (x) => {
      const box = svg.getBoundingClientRect();
      return Math.min(hits.length - 1, Math.max(0, Math.floor(((x - box.left) / box.width) * hits.length)));
    };
    const rect = document.createElementNS(svg.namespaceURI, "rect");
    rect.setAttribute("class", "sel");
    svg.addEventListener("pointerdown", (e) => { if (e.button === 0 && e.pointerType === "mouse") start = { i: at(e.clientX), x: e.clientX }; });
    svg.addEventListener("dragstart", (e) => e.preventDefault());
    addEventListener("pointermove", (e) => {
      if (!start || Math.abs(e.clientX - start.x) < 6) return;
      const [a, b] = [start.i, at(e.clientX)].sort((p, q) => p - q);
      const step = 100 / hits.length;
      rect.setAttribute("x", a * step + "%");
      rect.setAttribute("width", (b - a + 1) * step + "%");
      rect.setAttribute("y", hits[0].getAttribute("y"));
      rect.setAttribute("height", hits[0].getAttribute("height"));
      if (!rect.parentNode) svg.append(rect);
    });
    addEventListener("pointerup", (e) => {
      if (!start) return;
      const [a, b] = [start.i, at(e.clientX)].sort((p, q) => p - q);
      const dragged = rect.parentNode;
      start = undefined;
      if (!dragged) return;
      svg.addEventListener("click", (c) => { c.preventDefault(); c.stopPropagation(); }, { capture: true, once: true });
      const short = (s) => s.replace(/:00Z$/, "Z");
      location.href = svg.dataset.brush.replace("{from}", short(hits[a].dataset.from)).replace("{to}", short(hits[b].dataset.to));
    });
  }

  // ---- keys of every page; list.js adds its own
  E.typing = (e) => e.target.matches("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
  E.keys = {
    "/": () => $("#q")?.focus(),
    "?": E.help,
    "[": () => $("[data-prev]")?.click(),
    "]": () => $("[data-next]")?.click(),
    u: () => E.undo?.(),
    Escape: () => {
      const open = $(".menu[open]");
      if (open) {
        open.open = false;
        return $("summary", open).focus();
      }
      $("[data-back]")?.click();
    },
  };
  document.addEventListener("keydown", (e) => {
    if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]")) return;
    if (E.typing(e)) {
      if (e.key === "Escape") e.target.closest(".menu") ? E.keys.Escape() : e.target.blur();
      return;
    }
    const action = E.keys[e.key];
    if (!action || action(e) === false) return;
    e.preventDefault();
  });
})();
