// What the job uses: a figure, its peak, and a small chart of it over time.

// Past this a figure that can't be exceeded is told apart: the job may be ended for it.
const NEARLY_FULL = 0.9;

function meters() {
  const single = h("div", { className: "nbb-meters" });
  const gpus = h("div", { className: "nbb-gpus" });
  const element = h("div", { className: "nbb-use", role: "group", "aria-label": "Use" }, single, gpus);
  const drawers = new WeakMap();
  const made = () => {
    const { element: box, draw } = meter();
    drawers.set(box, draw);
    return box;
  };
  const fill = (box, figures, state) =>
    fitChildren(box, figures.length, made).forEach((each, i) => drawers.get(each)(figures[i], state));
  const draw = ({ usage, done }) => {
    const { alone, pairs } = usePairs(usage);
    hide(element, !usage.length);
    hide(gpus, !pairs.length);
    fill(single, alone, done);
    fitChildren(gpus, pairs.length, () => h("div", { className: "nbb-pair" }))
      .forEach((box, i) => fill(box, pairs[i], done));
  };
  return { element, draw };
}

// One GPU's two figures stand with the others; those of several are told apart, and smaller.
function usePairs(usage) {
  const alone = [];
  const pairs = [];
  for (let i = 0; i < usage.length; i++) {
    const pair = usage[i].text.endsWith("%") && /memory/i.test(usage[i + 1]?.name ?? "");
    if (pair) pairs.push([usage[i], usage[++i]].map((each, at, [{ name }]) =>
      at && each.name.startsWith(`${name} `) ? { ...each, shown: each.name.slice(name.length + 1) } : each));
    else alone.push(usage[i]);
  }
  if (pairs.length > 1) return { alone, pairs };
  return { alone: usage, pairs: [] };
}

function meter() {
  const label = h("span", { className: "nbb-label" });
  const now = h("b");
  const rest = h("span", { className: "nbb-rest" });
  const figure = h("span", { className: "nbb-figure" }, now, rest);
  const then = h("span", { className: "nbb-then" });
  const peak = h("div", { className: "nbb-peak-text" });
  const bar = h("div", { className: "nbb-bar" });
  const track = h("div", { className: "nbb-track", role: "meter" }, bar);
  let scale = "";
  // What is looked at stands in the place of the latest figure.
  const plot = chart((point) => {
    say(then, point ? `${scaledFigure(point[1], scale)} at ${duration(point[0])}` : "");
    hide(figure, Boolean(point));
  });
  const top = h("div", { className: "nbb-meter-top" }, label, figure, then);
  const element = h("div", { className: "nbb-meter" }, top, plot.element, track, peak);
  // Read out only where a key asks for it, not at each move of a mouse.
  plot.element.addEventListener("focus", () => setAttr(then, "aria-live", "polite"));
  plot.element.addEventListener("blur", () => then.removeAttribute("aria-live"));

  const draw = (use, done) => {
    scale = use.scale;
    const charted = use.points.length > 1;
    const full = use.fraction >= NEARLY_FULL && /memory|disk/i.test(use.name) && !done;
    element.classList.toggle("nbb-full", full);
    say(label, use.shown ?? use.name);
    setAttr(label, "title", use.name);
    const [amount, ...limit] = use.text.split(" of ");
    say(now, done ? `peak ${withUnit(use.text)}` : full ? `▲ ${amount}` : amount);
    say(rest, limit.length && !done ? ` of ${limit.join(" of ")}` : "");
    setAttr(figure, "title", full ? "Nearly full" : "");
    say(peak, use.peak && !done ? `peak ${withUnit(use.peak)}` : "");
    hide(plot.element, !charted);
    hide(track, charted || use.fraction === null);
    if (charted) plot.draw(use);
    if (charted) setAttr(plot.element, "aria-label", spokenUse(use, full, done));
    if (!track.hidden) drawGauge(track, bar, use);
  };
  return { element, draw };
}

function drawGauge(track, bar, { name, text, fraction }) {
  setAttr(track, "aria-label", name);
  setAttr(track, "aria-valuemin", "0");
  setAttr(track, "aria-valuemax", "100");
  setAttr(track, "aria-valuenow", String(Math.round(100 * fraction)));
  setAttr(track, "aria-valuetext", text);
  setStyle(bar, "transform", `scaleX(${fraction})`);
}

// "12.1 of 16 GB" is 12.1 GB.
function withUnit(text) {
  const [amount, limit = ""] = text.split(" of ");
  const unit = limit.split(" ").slice(1).join(" ").replace(/^core$/, "cores");
  return amount.includes(" ") || !unit ? amount : `${amount} ${unit}`;
}

function spokenUse({ name, text, peak, fraction, scale }, full, done) {
  const now = done ? "" : `now ${text}`;
  const limit = fraction === null ? "" : `limit ${scale}`;
  const parts = [now, peak && `peak ${withUnit(peak)}`, limit, full && "nearly full"].filter(Boolean);
  return `${name} over time: ${parts.join(", ")}`;
}

// A point's figure in the unit of the scale: half of "16 GB" is "8 GB".
function scaledFigure(fraction, scale) {
  const [, amount, unit] = /^([\d.]+)\s*(.*)$/.exec(scale) ?? [null, "100", "%"];
  const value = fraction * Number(amount);
  const digits = value >= 99.5 || unit === "%" ? 0 : value >= 0.995 ? 1 : 2;
  return `${Number(value.toFixed(digits))} ${unit}`.trim();
}
