// What stands above and below a log: buttons, the search box, how many lines there are.

function logTools() {
  const button = (text, title, more = {}) => h("button",
    { type: "button", className: "nbb-button nbb-tool", title, ...more }, text);
  const toggle = (text, title, on) => button(text, title, { "aria-pressed": String(on) });
  const following = toggle("Follow", "Keep the newest line in view", true);
  const box = h("input", { type: "search", className: "nbb-field nbb-search",
    placeholder: "Search the log", "aria-label": "Search the log", "data-lm-suppress-shortcuts": "true", spellcheck: "false" });
  const hits = h("span", { className: "nbb-hits", role: "status" });
  const back = button("↑", "Previous hit (Shift+Enter)", { "aria-label": "Previous hit" });
  const on = button("↓", "Next hit (Enter)", { "aria-label": "Next hit" });
  const matchCase = toggle("Aa", "Upper and lower case differ", false);
  matchCase.setAttribute("aria-label", "Match case");
  const wrap = toggle("Wrap", "Break long lines", true);
  const copy = button("Copy", "Copy the selection, or else the lines on show");
  const download = button("Download", "Download the whole log");
  const earlier = button("Earlier lines", "Show the lines before these");
  const later = button("Later lines", "Show the lines after these");
  const end = button("Back to the end", "Follow the newest line again");
  const count = h("span", { className: "nbb-count" });
  const told = h("span", { className: "nbb-told", role: "status" });
  const searching = h("span", { className: "nbb-searching" }, box, matchCase, back, on, hits);
  const bar = h("div", { className: "nbb-tools", role: "group", "aria-label": "Log" },
    following, wrap, searching, h("span", { className: "nbb-right" }, copy, download));
  const foot = h("div", { className: "nbb-foot" }, count, earlier, later, end, told);
  const element = h("div", { className: "nbb-logpart" }, bar, foot);
  let timer = 0;

  const press = (one) => {
    const value = one.getAttribute("aria-pressed") !== "true";
    one.setAttribute("aria-pressed", String(value));
    return value;
  };
  const listen = (actions) => {
    const sought = () => actions.search(box.value, matchCase.getAttribute("aria-pressed") === "true");
    for (const [one, action] of [[following, actions.follow], [end, actions.end],
      [earlier, actions.earlier], [later, actions.later], [copy, actions.copy],
      [download, actions.download], [back, () => actions.next(-1)], [on, () => actions.next(1)],
      [wrap, () => actions.wrap(press(wrap))]])
      one.addEventListener("click", () => action());
    matchCase.addEventListener("click", () => {
      press(matchCase);
      sought();
    });
    box.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(sought, 150);
    });
    box.addEventListener("keydown", (event) => {
      // The notebook's own keys must not hear what is typed here.
      event.stopPropagation();
      if (event.key === "Enter") {
        event.preventDefault();
        clearTimeout(timer);
        if (actions.sought() !== box.value) sought();
        actions.next(event.shiftKey ? -1 : 1);
      } else if (event.key === "Escape") {
        box.value = "";
        sought();
        actions.leave();
      }
    });
  };

  const label = (state) => {
    following.setAttribute("aria-pressed", String(state.following));
    say(hits, state.found);
    for (const one of [back, on]) one.hidden = !state.found;
    say(count, countedLines(state));
    earlier.hidden = state.from <= 0 || Boolean(state.lost);
    later.hidden = !state.browsing || state.to >= state.count;
    end.hidden = state.following;
  };
  return {
    element, foot, label, on: listen,
    say: (text) => say(told, text),
    focusSearch: () => {
      box.focus();
      box.select();
    },
  };
}

function countedLines({ count, from, to, following, browsing, lost }) {
  const n = (value) => value.toLocaleString("en");
  const all = count === 1 ? "1 line" : `${n(count)} lines`;
  const kept = lost ? `; only the last are kept: ${lost}` : "";
  if (browsing) return `Lines ${n(from + 1)} to ${n(to)} of ${n(count)}${kept}`;
  const shown = from > 0 ? `, the last ${n(to - from)} shown` : "";
  const fresh = following || count <= to ? "" : `, ${n(count - to)} new`;
  return count ? `${all}${following ? shown : ""}${fresh}${following ? "" : "; paused"}${kept}` : "";
}

function logPercent(part, of) {
  return of ? `${Math.min(100, Math.floor((100 * part) / of))} %` : "0 %";
}

function logBytes(count) {
  if (count < 1000) return `${count} B`;
  if (count < 1e6) return `${(count / 1e3).toFixed(1)} kB`;
  return `${(count / 1e6).toFixed(1)} MB`;
}
