// What the job uses: a bar for each figure.

function meters() {
  const element = h("div", { className: "nbb-meters" });
  const draw = ({ usage }) => {
    element.hidden = !usage.length;
    while (element.children.length > usage.length) element.lastChild.remove();
    usage.forEach((figure, i) => {
      if (!element.children[i]) element.append(meter());
      fill(element.children[i], figure);
    });
  };
  return { element, draw };
}

function meter() {
  const bar = h("div", { className: "nbb-track", role: "meter" }, h("div", { className: "nbb-bar" }));
  const name = h("span", { className: "nbb-label" });
  return h("div", { className: "nbb-meter" }, name, h("span", { className: "nbb-figure" }), bar);
}

function fill(element, { name, text, fraction }) {
  const [label, figure, track] = element.children;
  say(label, name);
  say(figure, text);
  track.hidden = fraction === null;
  if (fraction === null) return;
  track.setAttribute("aria-label", name);
  track.setAttribute("aria-valuemin", "0");
  track.setAttribute("aria-valuemax", "100");
  track.setAttribute("aria-valuenow", String(Math.round(100 * fraction)));
  track.setAttribute("aria-valuetext", text);
  track.firstChild.style.width = `${100 * fraction}%`;
}
