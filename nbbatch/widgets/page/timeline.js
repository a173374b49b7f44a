// The job's way through the states, and the attempts before this one.

// A segment's length hints at its time: seconds and hours must fit on one line.
function stepWeight(seconds) {
  return 1 + Math.log2(1 + Math.max(0, seconds ?? 0));
}

function way() {
  const list = h("ol", { className: "nbb-way", "aria-label": "States" });
  const before = earlierAttempts();
  const element = h("div", { className: "nbb-timeline" }, before.element, list);
  let steps = [];
  const tick = (now) => steps.forEach((step, i) => paceStep(list.children[i], step, now));
  const draw = (card) => {
    steps = card.steps;
    before.draw(card.earlier ?? []);
    const last = steps.length - 1;
    fitChildren(list, steps.length, stepSegment).forEach((item, i) => drawStep(item, steps[i], i === last));
  };
  return { element, draw, tick };
}

function stepSegment() {
  const word = h("span", { className: "nbb-step-word" });
  const time = h("span", { className: "nbb-step-time" });
  const label = h("span", { className: "nbb-step-label" }, word, " ", time);
  return h("li", {}, h("span", { className: "nbb-segment", "aria-hidden": "true" }), label);
}

function drawStep(item, step, last) {
  const kind = step.word === "Running" ? "nbb-run" : last ? "nbb-end" : "nbb-wait";
  setAttr(item, "class", `nbb-step nbb-${step.phase} ${kind}`);
  if (step.phase === "now") setAttr(item, "aria-current", "step");
  else item.removeAttribute("aria-current");
  const shown = step.note && step.phase !== "next" ? `${step.word} ${step.note}` : step.word;
  say(item.querySelector(".nbb-step-word"), shown);
}

function paceStep(item, step, now) {
  const { since, until, time } = step;
  const known = since !== null && since !== undefined;
  const seconds = known ? (until ?? now) - since : 0;
  const live = step.phase === "now" && known && !until;
  say(item.querySelector(".nbb-step-time"), live ? duration(seconds) : time || "");
  // In steps, so that a second more doesn't lay the whole line out again.
  setStyle(item, "flex-grow", (Math.round(4 * stepWeight(step.phase === "next" ? 0 : seconds)) / 4).toString());
}

function earlierAttempts() {
  const list = h("ol", { className: "nbb-attempts", "aria-label": "Earlier attempts" });
  let open = false;
  const more = textButton("nbb-show-attempts", "", "", () => {
    open = !open;
    show();
  });
  const element = h("div", { className: "nbb-earlier" }, more, list);
  let drawn_ = [];
  const show = () => {
    const many = drawn_.length > 2;
    const shown = many && !open ? drawn_.slice(-1) : drawn_;
    fitChildren(list, shown.length, () => h("li", {}, h("b"), h("span"))).forEach((item, i) => {
      const { attempt, word, time, message } = shown[i];
      const how = [time ? `${word} after ${time}` : word, message].filter(Boolean).join(": ");
      say(item.children[0], `Attempt ${attempt}`);
      say(item.children[1], how);
    });
    const hidden = drawn_.length - 1;
    say(more, !many ? "" : open ? "Only the last one" : `${hidden} earlier attempts`);
    setAttr(more, "aria-expanded", String(open));
  };
  const draw = (earlier) => {
    drawn_ = earlier;
    hide(element, !earlier.length);
    show();
  };
  return { element, draw };
}
