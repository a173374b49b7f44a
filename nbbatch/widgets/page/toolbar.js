// What stands above the monitor's table: filter, states, grouping, and what to do with the jobs
// that are selected.

const CHIPS_MS = 150;

// `act` has: scope(all), filter(text), word(word), group(), cancel(), open(), outputs(), copy(),
// close().
function monitorBar(act) {
  const title = h("b", { className: "nbbm-title" });
  const scope = barButton("", () => act.scope());
  const close = barButton("Close", () => act.close(), "Leave a plain table in the notebook");
  const filter = h("input", { type: "search", className: "nbb-field nbbm-filter",
    placeholder: "Filter by name, id or message", "aria-label": "Filter by name, id or message" });
  const chips = h("span", { className: "nbbm-chips", role: "group", "aria-label": "States" });
  const group = barButton("Group by name", () => act.group());
  const picked = h("span", { className: "nbbm-picked" });
  const buttons = {
    cancel: barButton("Cancel", () => act.cancel(), "End the selected jobs"),
    open: barButton("Open card", () => act.open(), "Show the selected jobs' live cards below"),
    outputs: barButton("Outputs", () => act.outputs(), "Put the selected jobs' outputs into the notebook"),
    copy: barButton("Copy attach", () => act.copy(), "Copy the line that follows the job in a cell"),
  };
  buttons.cancel.classList.add("nbb-cancel");
  const element = h("div", { className: "nbbm-bars" },
    h("div", { className: "nbbm-barline" }, title, scope, h("span", { className: "nbbm-space" }), close),
    h("div", { className: "nbbm-barline" }, filter, group, chips),
    h("div", { className: "nbbm-barline nbbm-actions" }, ...Object.values(buttons), picked));
  const known = new Map(); // word -> its chip
  let timer = 0;

  filter.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => act.filter(filter.value), CHIPS_MS);
  });
  // The notebook's own keys stay away from what is typed here.
  filter.addEventListener("keydown", (event) => event.stopPropagation());

  const drawChips = (counts, words) => {
    for (const [word, chip] of known) if (!counts.has(word)) known.delete(word) && chip.remove();
    const chips_ = [...counts].map(([word, { count, mark, tone }]) => {
      if (!known.has(word)) known.set(word, stateChip(word, mark, tone, act));
      const chip = known.get(word);
      chip.lastChild.textContent = ` ${count}`;
      chip.setAttribute("aria-pressed", String(words.has(word)));
      return chip;
    });
    arrange(chips, chips_);
  };
  const draw = ({ rows, chosen, counts, state, gone }) => {
    const { all } = rows.head;
    say(title, all ? "All your jobs" : "This notebook's jobs");
    scope.textContent = all ? "This notebook's" : "All your jobs";
    able(scope, !gone);
    able(close, !gone);
    group.setAttribute("aria-pressed", String(state.grouped));
    drawChips(counts, state.words);
    const ids = [...state.picked];
    const live = ids.filter((id) => !rows.all.get(id).done).length;
    buttons.cancel.textContent = live ? `Cancel ${live}` : "Cancel";
    buttons.cancel.setAttribute("aria-label", `Cancel ${live} selected jobs`);
    able(buttons.cancel, live && !gone);
    for (const button of [buttons.open, buttons.outputs]) able(button, ids.length && !gone);
    able(buttons.copy, ids.length === 1);
    const hidden = ids.filter((id) => !chosen.some((row) => row.id === id)).length;
    say(picked, ids.length ? `${ids.length} selected${hidden ? `, ${hidden} of them filtered out` : ""}` : "");
    element.children[1].hidden = element.children[2].hidden = !rows.all.size;
  };
  return { element, draw };
}

function barButton(text, click, title = "") {
  const button = h("button", { type: "button", className: "nbb-button", ...(title && { title }) }, text);
  button.addEventListener("click", () => button.getAttribute("aria-disabled") === "true" || click());
  return button;
}

// Not by `disabled`: a button that has the focus would lose it.
function able(button, can) {
  button.setAttribute("aria-disabled", String(!can));
}

function stateChip(word, mark, tone, act) {
  const chip = h("button", { type: "button", className: "nbbm-chip", "data-tone": tone },
    h("span", { className: "nbb-mark", "aria-hidden": "true" }, mark), ` ${word}`, h("span"));
  chip.addEventListener("click", () => act.word(word));
  return chip;
}
