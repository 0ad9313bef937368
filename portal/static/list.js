// Findings: moving and selecting by key, deciding without leaving the page, loading what menus offer.
"use strict";

(() => {
  const E = window.Eyrie;
  const { $, $$ } = E;

  // ---- deciding: the same form, sent by script; rows change where they stand
  const form = $("#triage");
  const rows = $$(".rows tbody tr");
  const paint = (changed) => {
    for (const [seq, status] of Object.entries(changed)) {
      const row = rows.find((r) => r.dataset.seq === seq);
      const place = row ? $(".wf", row) : $("#wf-now .wf");
      const like = document.getElementById("wf-" + status);
      if (place && like) place.replaceWith(like.content.cloneNode(true));
      if (row) {
        row.classList.toggle("gone", status === "RESOLVED" || status === "SUPPRESSED");
        const box = $(".c-check input", row);
        if (box) box.checked = false;
      } else {
        for (const b of $$(".steps button")) b.value === status ? b.setAttribute("aria-current", "true") : b.removeAttribute("aria-current");
      }
    }
    count();
  };
  const decide = async (fields) => {
    try {
      const done = await E.post("/portal/triage", fields);
      paint(done.rows);
      const note = form && $('[name="note"]', form);
      if (note) note.value = "";
      E.toast(done.text, done.undo && (async () => {
        E.undo = undefined;
        try {
          const back = await E.post("/portal/undo", { undo: done.undo });
          paint(back.rows);
          E.toast(back.text);
        } catch (err) {
          E.toast(err.message);
        }
      }));
    } catch (err) {
      E.toast(err.message);
    }
  };
  form?.addEventListener("submit", (e) => {
    const all = $('[name="all"]', form);
    if (!e.submitter || all?.checked) return; // all that match: the page is loaded anew
    e.preventDefault();
    const fields = new FormData(form);
    fields.set("workflow", e.submitter.value);
    decide(fields);
  });

  // ---- the row the keys are on
  let at = -1;
  const move = (to) => {
    if (!rows.length) return false;
    rows[at]?.classList.remove("at");
    at = Math.min(rows.length - 1, Math.max(0, to));
    rows[at].classList.add("at");
    $(".title", rows[at]).focus({ preventScroll: true });
    rows[at].scrollIntoView({ block: "nearest" });
  };
  for (const [i, row] of rows.entries()) {
    row.addEventListener("focusin", () => {
      rows[at]?.classList.remove("at");
      at = i;
      row.classList.add("at");
    });
  }
  const count = () => {
    const n = $$(".rows .c-check input[name=seq]:checked").length;
    const words = $("[data-selected]");
    if (words) {
      words.hidden = n === 0;
      words.textContent = n + " selected";
    }
    const all = $("[data-all] input");
    if (all) {
      all.checked = n > 0 && n === rows.length;
      all.indeterminate = n > 0 && n < rows.length;
    }
  };
  const label = $("[data-all]");
  if (label) {
    label.hidden = false;
    $("input", label).addEventListener("change", (e) => {
      for (const box of $$(".rows input[name=seq]")) box.checked = e.target.checked;
      count();
    });
  }
  form?.addEventListener("change", count);
  if (rows.length) count();

  const set = (status) => () => {
    if (!form) return false;
    const fields = new FormData(form);
    fields.set("workflow", status);
    if (!fields.has("seq")) {
      if (at < 0) return false;
      fields.set("seq", rows[at].dataset.seq);
    }
    fields.delete("all");
    decide(fields);
  };
  Object.assign(E.keys, {
    j: () => move(at + 1),
    k: () => move(at - 1),
    x: () => {
      if (at < 0) return false;
      const box = $(".c-check input", rows[at]);
      box.checked = !box.checked;
      count();
    },
    Enter: (e) => {
      if (at < 0 || e.target.matches("a, button, summary, input")) return false;
      $(".title", rows[at]).click();
    },
    n: set("NOTIFIED"),
    r: set("RESOLVED"),
    s: set("SUPPRESSED"),
  });

  // ---- menus: values are fetched when one is opened, and narrowed while typing
  const filters = $("#filters");
  if (!filters) return;
  const query = () => new URLSearchParams(location.search);
  const later = (f, ms = 120) => {
    let timer;
    return (...args) => { clearTimeout(timer); timer = setTimeout(() => f(...args), ms); };
  };
  for (const m of $$(".pick[data-load]", filters)) {
    const box = $(".opts", m);
    const input = $("[data-narrow]", m);
    const name = m.id.slice(2);
    input.removeAttribute("name");
    input.hidden = false;
    let turn = 0;
    const load = async () => {
      const mine = ++turn;
      const q = query();
      q.delete("t");
      q.set("pick", name);
      q.set("contains", input.value);
      const r = await fetch("/findings/values?" + q);
      if (!r.ok || mine !== turn) return;
      const checked = new Set($$("input:checked", box).map((c) => c.value));
      const html = new DOMParser().parseFromString(await r.text(), "text/html");
      for (const c of $$("input", html)) if (checked.has(c.value)) c.checked = true;
      const legend = $("legend", box);
      box.replaceChildren(...(legend ? [legend] : []), ...html.body.childNodes);
    };
    m.addEventListener("toggle", () => {
      if (!m.open) return;
      load();
      input.focus();
    });
    input.addEventListener("input", later(load));
    input.addEventListener("keydown", (e) => {
      if (e.key !== "Enter") return;
      e.preventDefault();
      const only = $$("input", box);
      if (only.length === 1) only[0].checked = true;
      filters.requestSubmit();
    });
  }
  // What was ticked counts when the menu closes.
  for (const m of $$(".pick", filters)) {
    let changed = false;
    m.addEventListener("change", (e) => { if (e.target.matches("[type=checkbox], [type=radio], select[name=record]")) changed = true; });
    m.addEventListener("toggle", () => { if (!m.open && changed) filters.requestSubmit(); });
  }

  // ---- suggestions for a filter that is being made
  const maker = $("[data-suggest]");
  const field = (n) => $(`[name="${n}"]`, maker);
  const suggest = later(async () => {
    const q = query();
    for (const n of ["fa", "fk", "fv"]) q.set(n, field(n).value);
    const r = await fetch("/findings/values?" + q, { headers: { Accept: "application/json" } });
    if (!r.ok) return;
    const { values, comparisons, map } = await r.json();
    $("#suggestions").replaceChildren(...values.map((v) => Object.assign(document.createElement("option"), { value: v })));
    if (comparisons.length) {
      const names = comparisons.map((c) => c.Name);
      for (const o of $$("option", field("fc"))) o.hidden = o.value !== "" && !names.includes(o.value);
      if (!names.includes(field("fc").value)) field("fc").value = names[0];
    }
    field("fk").parentElement.hidden = map === false;
  });
  maker.addEventListener("input", suggest);
  $("#m-add").addEventListener("toggle", (e) => e.target.open && field("fa").focus());
})();
