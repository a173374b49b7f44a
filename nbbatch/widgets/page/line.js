// Makes these the children, moving as few as possible: what has the focus keeps it.
function arrange(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  children.forEach((child, i) => {
    if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] ?? null);
  });
}

// The line of one job. Its texts are set only when its row is another object than the last time.
function jobLine(id, act) {
  const pick = h("input", { type: "checkbox", tabindex: "-1" });
  const mark = h("span", { className: "nbb-mark", "aria-hidden": "true" });
  const word = h("span");
  const name = h("button", { type: "button", className: "nbbm-name", tabindex: "-1" });
  const short = h("span", { className: "nbbm-quiet nbbm-id" });
  const since = h("td", { "data-title": "Submitted", className: "nbbm-since" });
  const time = h("td", { "data-title": "Time", className: "nbbm-number" });
  const use = h("span");
  const meter = h("div", { className: "nbbm-track", "aria-hidden": "true" }, h("div"));
  const bar = h("div", { className: "nbbm-track", role: "progressbar", "aria-valuemin": "0",
    "aria-valuemax": "100" }, h("div"));
  const done = h("span");
  const cost = h("td", { "data-title": "Cost", className: "nbbm-cost nbbm-number" });
  const said = h("span", { className: "nbbm-said" });
  const nodes = h("button", { type: "button", className: "nbbm-fold nbbm-quiet" });
  const element = h("tr", { "data-id": id, tabindex: "-1", "aria-selected": "false" },
    h("td", { className: "nbbm-pick" }, pick),
    h("td", { className: "nbbm-state" }, mark, " ", word),
    h("td", { className: "nbbm-who" }, name, short),
    since, time, h("td", { "data-title": "Use", className: "nbbm-use" }, use, meter),
    h("td", { "data-title": "Progress", className: "nbbm-bar" }, done, bar), cost,
    h("td", { className: "nbbm-message" }, said, nodes));
  const line = { element, below: null, draw, tick };
  let row = null;
  let below = null;

  short.textContent = id.split("-").pop();
  short.title = id;
  name.addEventListener("click", () => act.open(id));
  nodes.addEventListener("click", () => act.parts(id));
  pick.addEventListener("click", (event) =>
    (event.shiftKey ? act.range(id, pick.checked) : act.toggle([id], pick.checked)));
  element.addEventListener("mousedown", (event) => event.shiftKey && event.preventDefault());

  function draw(next, { picked, unfolded, now }) {
    const on = picked.has(id);
    pick.checked = on;
    element.setAttribute("aria-selected", String(on));
    if (next !== row || unfolded.has(id) !== Boolean(line.below)) fillLine(next, unfolded.has(id));
    tick(now);
  }

  function fillLine(next, open) {
    // Writing a date takes longer than all the rest.
    if (next.since !== row?.since) since.textContent = clockTime(next.since);
    row = next;
    element.dataset.tone = row.tone;
    pick.setAttribute("aria-label", `Select ${row.name}`);
    name.setAttribute("aria-label", `Open the card of ${row.name}`);
    for (const [part, text] of [[mark, row.mark], [word, row.word], [name, row.name], [use, row.use],
      [cost, row.cost]]) if (part.textContent !== text) part.textContent = text;
    say(said, row.note || row.message);
    said.title = row.note || row.message;
    lineFraction(meter, row.fraction);
    lineFraction(bar, row.bar?.fraction ?? null);
    bar.setAttribute("aria-label", row.bar?.label || `Progress of ${row.name}`);
    say(done, row.bar ? [row.bar.label, row.bar.text].filter(Boolean).join(" ") : "");
    say(nodes, row.nodes && `${open ? "▾" : "▸"} ${row.of ?? "nodes"} ${row.nodes}`);
    nodes.setAttribute("aria-expanded", String(open));
    if (!open) {
      line.below?.remove();
      below = line.below = null;
      return;
    }
    below ??= partsLine();
    line.below = below.element;
    below.draw(row);
  }

  function tick(now) {
    const until = row.until ?? (row.done ? null : now);
    const text = until === null ? "" : duration(until - row.since);
    if (time.textContent !== text) time.textContent = text;
  }
  return line;
}

// The nodes or children of a job, below its line: the failed ones first.
function partsLine() {
  const grid = partsGrid();
  const element = h("tr", { className: "nbbm-below" },
    h("td", { colspan: "9", className: "nbbm-parts" }, grid.element));
  return { element, draw: grid.draw };
}

function lineFraction(track, value) {
  track.hidden = value === null;
  if (value === null) return;
  track.firstChild.style.width = `${100 * value}%`;
  if (track.hasAttribute("role")) track.setAttribute("aria-valuenow", String(Math.round(100 * value)));
}

// Today's by the time alone.
function clockTime(epoch) {
  const date = new Date(1000 * epoch);
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const today = date.toDateString() === new Date().toDateString();
  return today ? time : `${date.toLocaleDateString([], { month: "short", day: "numeric" })}, ${time}`;
}
