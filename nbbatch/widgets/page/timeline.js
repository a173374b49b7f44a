// The job's way through the states.

const STEP_MARKS = { done: "✓", now: "●", next: "○" };

function way() {
  const element = h("ol", { className: "nbb-way", "aria-label": "States" });
  let drawn = "";
  const draw = ({ steps }) => {
    const key = JSON.stringify(steps);
    if (key === drawn) return;
    drawn = key;
    element.replaceChildren(...steps.map(({ word, phase }) => {
      const mark = h("span", { "aria-hidden": "true" }, STEP_MARKS[phase]);
      const current = phase === "now" ? { "aria-current": "step" } : {};
      return h("li", { className: `nbb-step nbb-${phase}`, ...current }, mark, ` ${word}`);
    }));
  };
  return { element, draw };
}
