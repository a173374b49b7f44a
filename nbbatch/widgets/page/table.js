// The monitor's table: as many rows as a page bears, each element kept for as long as its job is
// shown, so that focus, selection and screen readers are not disturbed by news.

const PAGE_ROWS = 150;
const COLUMNS = [
  ["state", "State"],
  ["name", "Name"],
  ["since", "Submitted"],
  ["time", "Time"],
  ["use", "Use"],
  ["", "Progress", "bar"],
  ["cost", "Cost", "cost"],
  ["", "Message"],
];

// `act` has: sort(key), toggle(ids, on), range(id, on), open(id), fold(name), parts(id).
function jobTable(act) {
  const heads = new Map();
  const every = h("input", { type: "checkbox", "aria-label": "Select all jobs that are shown" });
  const head = h("tr", {}, h("th", { className: "nbbm-pick", scope: "col" }, every));
  for (const [key, title, optional] of COLUMNS) {
    const cell = h("th", { scope: "col", className: `nbbm-${optional || key}` });
    if (key) {
      const button = h("button", { type: "button", className: "nbbm-sort" }, title);
      button.append(h("span", { "aria-hidden": "true" }));
      button.addEventListener("click", () => act.sort(key));
      cell.append(button);
      heads.set(key, cell);
    } else cell.append(title);
    head.append(cell);
  }
  const table = h("table", { className: "nbbm-table", role: "grid", "aria-label": "Jobs",
    "aria-multiselectable": "true" }, h("thead", {}, head));
  const more = h("button", { type: "button", className: "nbb-button nbbm-more" });
  const element = h("div", { className: "nbbm-scroll" }, table, more);
  const lines = new Map(); // id -> line
  const groups = new Map(); // name -> group
  const plain = h("tbody");
  let shown = [];
  let limit = PAGE_ROWS;
  let current = ""; // the id of the row that Tab reaches

  every.addEventListener("change", () => act.toggle(null, every.checked));
  more.addEventListener("click", () => {
    limit += PAGE_ROWS;
    act.redraw();
    focus(shown[limit - PAGE_ROWS]?.id);
  });
  const focus = (id) => {
    if (!lines.has(id)) return;
    lines.get(current)?.element.setAttribute("tabindex", "-1");
    current = id;
    lines.get(id).element.setAttribute("tabindex", "0");
    lines.get(id).element.focus();
  };
  table.addEventListener("keydown", (event) => {
    const row = event.target.closest?.("tr[data-id]");
    if (!row || event.target !== row) return;
    const visible = [...table.querySelectorAll("tr[data-id]")];
    const at = visible.indexOf(row);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: visible.length - 1,
      PageDown: Math.min(at + 10, visible.length - 1), PageUp: Math.max(at - 10, 0) }[event.key];
    if (to !== undefined) {
      focus(visible[to]?.dataset.id);
      if (event.shiftKey && visible[to]) act.range(visible[to].dataset.id, true);
    } else if (event.key === "Enter") act.open(row.dataset.id);
    else if (event.key === " ") act.toggle([row.dataset.id], row.getAttribute("aria-selected") !== "true");
    else return;
    event.preventDefault();
    event.stopPropagation(); // the notebook has the same keys
  });

  const place = (body, rows, state, first = []) => {
    const elements = rows.flatMap((row) => {
      if (!lines.has(row.id)) lines.set(row.id, jobLine(row.id, act));
      const line = lines.get(row.id);
      line.draw(row, state);
      return line.below ? [line.element, line.below] : [line.element];
    });
    arrange(body, [...first, ...elements]);
  };
  const draw = (chosen, state) => {
    shown = chosen;
    const heading = state.grouped ? grouped(chosen) : null;
    const open = heading
      ? [...heading].flatMap(([name, rows]) => (state.folded.has(name) ? [] : rows)) : chosen;
    const kept = new Set(open.slice(0, limit).map(({ id }) => id));
    for (const [id, line] of lines) if (!kept.has(id)) drop(id, line);
    if (heading) {
      for (const name of groups.keys()) if (!heading.has(name)) groups.delete(name);
      const bodies = [...heading].map(([name, rows]) => {
        if (!groups.has(name)) groups.set(name, jobGroup(name, act));
        const group = groups.get(name);
        group.draw(rows, state);
        const inside = state.folded.has(name) ? [] : rows.filter(({ id }) => kept.has(id));
        place(group.body, inside, state, [group.row]);
        return group.body;
      });
      arrange(table, [table.tHead, ...bodies]);
    } else {
      place(plain, open.slice(0, limit), state);
      arrange(table, [table.tHead, plain]);
    }
    if (!lines.has(current)) {
      const first = table.querySelector("tr[data-id]");
      current = first?.dataset.id ?? "";
      first?.setAttribute("tabindex", "0");
    }
    const rest = open.length - kept.size;
    say(more, rest > 0 ? `Show ${Math.min(rest, PAGE_ROWS)} more of ${rest}` : "");
    for (const [key, cell] of heads) {
      const way = key === state.sort ? (state.down ? "descending" : "ascending") : "none";
      cell.setAttribute("aria-sort", way);
    }
    const picked = chosen.filter(({ id }) => state.picked.has(id)).length;
    every.checked = picked > 0 && picked === chosen.length;
    every.indeterminate = picked > 0 && picked < chosen.length;
    for (const [, , optional] of COLUMNS)
      if (optional) table.classList.toggle(`nbbm-has-${optional}`, open.some((row) => row[optional]));
  };
  const drop = (id, line) => {
    const next = line.element.nextElementSibling ?? line.element.previousElementSibling;
    const focused = line.element.contains(document.activeElement);
    lines.delete(id);
    if (focused && next?.dataset.id) focus(next.dataset.id);
    line.element.remove();
    line.below?.remove();
  };
  const tick = (now) => {
    for (const line of lines.values()) line.tick(now);
  };
  return { element, draw, tick, focus, ids: () => shown.map(({ id }) => id) };
}

function jobGroup(name, act) {
  const pick = h("input", { type: "checkbox", "aria-label": `Select all jobs named ${name}` });
  const sign = h("span", { className: "nbbm-sign", "aria-hidden": "true" });
  const button = h("button", { type: "button", className: "nbbm-fold" }, sign, ` ${name}`);
  const count = h("span", { className: "nbbm-quiet" });
  const bar = h("span", { className: "nbbm-sum", "aria-hidden": "true" });
  const cell = h("th", { className: "nbbm-group", colspan: String(COLUMNS.length), scope: "rowgroup" },
    h("span", { className: "nbbm-line" }, button, bar, count));
  const row = h("tr", { className: "nbbm-grouprow" }, h("td", { className: "nbbm-pick" }, pick), cell);
  const body = h("tbody", {}, row);
  let ids = [];
  button.addEventListener("click", () => act.fold(name));
  pick.addEventListener("change", () => act.toggle(ids, pick.checked));
  const draw = (rows, { folded, picked }) => {
    ids = rows.map(({ id }) => id);
    const many = ids.filter((id) => picked.has(id)).length;
    pick.checked = many === ids.length;
    pick.indeterminate = many > 0 && many < ids.length;
    button.setAttribute("aria-expanded", String(!folded.has(name)));
    sign.textContent = folded.has(name) ? "▸" : "▾";
    const tones = [...summed(rows)];
    const words = tones.flatMap(([, { words }]) => [...words])
      .map(([word, n]) => `${n} ${word.toLowerCase()}`);
    say(count, words.join(", "));
    arrange(bar, tones.map(([tone, { count: n }], i) => {
      const part = bar.children[i] ?? h("span");
      part.dataset.tone = tone;
      part.style.flexGrow = String(n);
      return part;
    }));
  };
  return { body, row, draw };
}
