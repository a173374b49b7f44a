// How far the job's own loops have come: a bar for each.

function bars() {
  const rows = h("div", { className: "nbb-loops" });
  const more = h("div", { className: "nbb-loops-more" });
  const element = h("div", { className: "nbb-bars" }, rows, more);
  const draw = ({ bars: loops, more_bars }) => {
    hide(element, !loops.length);
    fitChildren(rows, loops.length, loopRow).forEach((row, i) => drawLoop(row, loops[i]));
    say(more, more_bars);
  };
  return { element, draw };
}

function loopRow() {
  const track = h("div", { className: "nbb-loop-track", role: "progressbar" },
    h("div", { className: "nbb-loop-bar" }));
  return h("div", { className: "nbb-loop" }, h("span", { className: "nbb-loop-name" }), track,
    h("span", { className: "nbb-loop-text" }));
}

function drawLoop(row, { label, text, fraction, closed }) {
  const [name, track, figure] = row.children;
  say(name, label);
  say(figure, text);
  setAttr(name, "title", label);
  row.classList.toggle("nbb-loop-over", closed);
  row.classList.toggle("nbb-loop-whole", closed && (fraction === null || fraction === 1));
  // Without an end in sight the bar shows that it moves, and claims no value.
  row.classList.toggle("nbb-loop-endless", fraction === null);
  setAttr(track, "aria-label", label || "Progress");
  setAttr(track, "aria-valuetext", text);
  setAttr(track, "aria-valuemin", "0");
  setAttr(track, "aria-valuemax", "100");
  if (fraction === null) track.removeAttribute("aria-valuenow");
  else setAttr(track, "aria-valuenow", String(Math.round(100 * fraction)));
  setStyle(track.firstChild, "width", fraction === null ? "" : `${100 * fraction}%`);
}
