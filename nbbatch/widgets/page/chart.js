// A small chart of one figure over time: an area, its peak, its limit. One attribute per update.

const CHART_HEIGHT = 40;
const HEADROOM = 3; // above the limit's line

// The area's sides and bottom lie outside of the drawing, so one path has both fill and line.
function areaPath(points) {
  const end = points[points.length - 1][0] || 1;
  const at = ([seconds, fraction]) => [(100 * seconds) / end, chartLevel(fraction)];
  const line = points.map(at).map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`);
  const edges = [points[0], points[points.length - 1]].map(([, fraction]) => chartLevel(fraction).toFixed(1));
  const below = CHART_HEIGHT + 5;
  return `M-5 ${below}L-5 ${edges[0]}L${line.join("L")}L105 ${edges[1]}L105 ${below}Z`;
}

function chartLevel(fraction) {
  const kept = Math.min(1, Math.max(0, fraction));
  return CHART_HEIGHT - kept * (CHART_HEIGHT - HEADROOM);
}

// From the bottom, as the style sheet wants it.
function chartHeight(fraction) {
  return `${(100 * (1 - chartLevel(fraction) / CHART_HEIGHT)).toFixed(1)}%`;
}

// `read(point)` is called with the point that is looked at, null when none is any more.
function chart(read) {
  const path = svgElement("path", { class: "nbb-area" });
  const box = { viewBox: `0 0 100 ${CHART_HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" };
  const limit = h("i", { className: "nbb-limit" });
  const peak = h("i", { className: "nbb-peak" });
  const cursor = h("i", { className: "nbb-cursor" });
  const dot = h("i", { className: "nbb-dot" });
  const element = h("div", { className: "nbb-chart", role: "img", tabindex: "0" },
    svgElement("svg", box, path), limit, peak, cursor, dot);
  let points = [];
  let at = -1; // the index of the point that is looked at; -1 none

  const look = (index) => {
    at = index;
    for (const mark of [cursor, dot]) hide(mark, at < 0);
    const point = points[at];
    if (point) {
      const left = `${(100 * point[0]) / (points[points.length - 1][0] || 1)}%`;
      setStyle(cursor, "left", left);
      setStyle(dot, "left", left);
      setStyle(dot, "bottom", chartHeight(point[1]));
    }
    read(point ?? null);
  };
  const nearest = (share) => {
    const seconds = share * points[points.length - 1][0];
    const far = (point) => Math.abs(point[0] - seconds);
    return points.reduce((best, point, i) => (far(point) < far(points[best]) ? i : best), 0);
  };
  element.addEventListener("pointermove", (event) => {
    const { left, width } = element.getBoundingClientRect();
    if (points.length && width) look(nearest((event.clientX - left) / width));
  });
  element.addEventListener("pointerleave", () => look(-1));
  element.addEventListener("focus", () => element.matches(":focus-visible") && look(points.length - 1));
  element.addEventListener("blur", () => look(-1));
  element.addEventListener("keydown", (event) => {
    const to = movedTo(event.key, at, points.length, 1);
    if (to === null) return;
    event.preventDefault();
    event.stopPropagation(); // the notebook's own shortcuts
    look(to);
  });

  const draw = (figure) => {
    points = figure.points;
    setAttr(path, "d", areaPath(points));
    hide(limit, figure.fraction === null);
    const top = figure.peak_fraction ?? Math.max(...points.map(([, fraction]) => fraction));
    hide(peak, !figure.peak);
    setStyle(peak, "bottom", chartHeight(top));
    if (at >= points.length) look(points.length - 1);
    else if (at >= 0) look(at);
  };
  look(-1);
  return { element, draw };
}

// Where a key leads among `count` things in rows of `columns`; null where it leads nowhere.
function movedTo(key, at, count, columns) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  const to = key === "Home" ? 0 : key === "End" ? count - 1 : at + (steps[key] ?? NaN);
  return Number.isNaN(to) || !count ? null : Math.min(count - 1, Math.max(0, to));
}
