// How far the job's own loops have come: a bar for each.

function bars() {
  const rows = h("div", { className: "nbb-loops" });
  const more = h("div", { className: "nbb-more" });
  const element = h("div", { className: "nbb-bars" }, rows, more);
  const draw = ({ bars: loops, more_bars }) => {
    element.hidden = !loops.length;
    while (rows.children.length > loops.length) rows.lastChild.remove();
    loops.forEach((loop, i) => {
      if (!rows.children[i]) rows.append(loopRow());
      fillLoop(rows.children[i], loop);
    });
    say(more, more_bars);
  };
  return { element, draw };
}

function loopRow() {
  const track = h("div", { className: "nbb-track", role: "progressbar" }, h("div", { className: "nbb-bar" }));
  const label = h("span", { className: "nbb-label" });
  return h("div", { className: "nbb-loop" }, label, track, h("span", { className: "nbb-figure" }));
}

function fillLoop(element, { label, text, fraction, closed }) {
  const [name, track, figure] = element.children;
  say(name, label);
  say(figure, text);
  name.title = label;
  element.classList.toggle("nbb-over", closed);
  element.classList.toggle("nbb-full", closed && (fraction === null || fraction === 1));
  // Without an end in sight the bar shows that it moves, and claims no value.
  element.classList.toggle("nbb-endless", fraction === null);
  track.setAttribute("aria-label", label || "Progress");
  track.setAttribute("aria-valuetext", text);
  const values = { valuemin: 0, valuemax: 100, valuenow: Math.round(100 * fraction) };
  for (const [key, value] of Object.entries(values)) {
    if (fraction === null) track.removeAttribute(`aria-${key}`);
    else track.setAttribute(`aria-${key}`, String(value));
  }
  track.firstChild.style.width = fraction === null ? "" : `${100 * fraction}%`;
}
