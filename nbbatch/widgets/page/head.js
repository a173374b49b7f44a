// The first lines of a card: state, name, time, buttons; then attempt, cost, id and links.

const CHEVRON = "M6 3.5L10.5 8 6 12.5";

function head(ask, toggle) {
  const mark = h("span", { className: "nbb-mark", "aria-hidden": "true" });
  const word = h("b", { className: "nbb-word", role: "status" });
  const state = h("span", { className: "nbb-state" }, mark, word);
  const name = h("span", { className: "nbb-name" });
  const time = h("span", { className: "nbb-time" });
  const brief = h("span", { className: "nbb-brief" });
  const fold = textButton("nbb-toggle", svgIcon("nbb-chevron", CHEVRON), "", toggle);
  const detach = textButton("", "Detach", "Free the notebook; the job goes on", () => ask("detach"));
  const cancel = textButton("nbb-cancel", "Cancel", "End the job", () => ask("cancel"));
  const leave = textButton("", "Fold", "Leave the plain form in the card's place", () => ask("fold"));
  const buttons = h("span", { className: "nbb-buttons" }, detach, cancel, leave);
  const element = h("div", { className: "nbb-head" }, fold, state, name, time, brief, buttons);

  const drawButtons = (card, { asked, detachable, gone, foldable }) => {
    const over = card.done || gone;
    setText(cancel, asked === "cancel" && !card.done ? "Cancelling…" : "Cancel");
    cancel.disabled = asked === "cancel" || over;
    hide(cancel, card.done);
    detach.disabled = Boolean(asked) || over;
    hide(detach, !detachable || card.done);
    hide(leave, !(foldable && card.done));
    leave.disabled = gone;
    for (const each of [detach, cancel, leave])
      setAttr(each, "aria-label", `${each.textContent} ${card.name}`);
    hide(buttons, cancel.hidden && detach.hidden && leave.hidden);
  };
  const draw = (card, shown) => {
    for (const [part, text] of [[mark, card.mark], [word, card.word], [name, card.name]])
      say(part, text);
    say(brief, shown.folded ? inBrief(card) : "");
    setAttr(brief, "title", brief.textContent);
    setAttr(fold, "aria-expanded", String(!shown.folded));
    setAttr(fold, "aria-label", `Details of ${card.name}`);
    setAttr(fold, "title", shown.folded ? "Show the details" : "Hide the details");
    drawButtons(card, shown);
  };
  return { element, draw, tick: (_now, text) => say(time, text), fold };
}

// What a folded card says beside its state.
function inBrief(card) {
  if (card.done) return [card.peak && `peak ${card.peak}`, card.cost].filter(Boolean).join(" · ");
  if (!card.usage.length) return card.message;
  const bar = (card.bars ?? []).find(({ closed }) => !closed);
  const use = card.usage.slice(0, 2).map(({ name, text }) => `${name} ${text}`);
  return [bar && `${bar.label} ${bar.text}`.trim(), ...use].filter(Boolean).join(" · ");
}

// The quiet line below: what is looked up now and then.
function aboutLine() {
  const attempt = h("span", { className: "nbb-attempt" });
  const cost = h("span", { className: "nbb-cost" });
  const id = copier("the job's id");
  const console_ = outward("", "Console ↗", "Open the job in the provider's console");
  const log = outward("", "Log ↗", "Open the job's log in the provider's console");
  const element = h("div", { className: "nbb-about" }, attempt, cost, id.element);
  const link = (anchor, address) => {
    const safe = webAddress(address);
    if (!safe) return anchor.remove();
    setAttr(anchor, "href", safe);
    if (!anchor.isConnected) element.append(anchor);
  };
  const draw = (card, { folded }) => {
    hide(element, folded);
    say(attempt, card.attempt);
    say(cost, card.cost ?? "");
    id.set(card.id, card.id);
    link(console_, card.url);
    link(log, card.log_url);
  };
  return { element, draw };
}

// What a folded live card still shows of its way: one thin line.
function thinLine() {
  const bar = h("div", { className: "nbb-thin-bar" });
  const element = h("div", { className: "nbb-thin" }, bar);
  const draw = (card, { folded }) => {
    const told = (card.bars ?? []).find((each) => !each.closed && each.fraction !== null);
    const figure = told ?? card.usage.find(({ fraction }) => fraction !== null);
    hide(element, !folded || card.done || !figure);
    if (element.hidden) return;
    setAttr(element, "role", told ? "progressbar" : "meter");
    setAttr(element, "aria-label", figure.label ?? figure.name);
    setAttr(element, "aria-valuemin", "0");
    setAttr(element, "aria-valuemax", "100");
    setAttr(element, "aria-valuenow", String(Math.round(100 * figure.fraction)));
    setAttr(element, "aria-valuetext", figure.text);
    setStyle(bar, "transform", `scaleX(${figure.fraction})`);
  };
  return { element, draw };
}

// Why it waits, or why it ended so; and what to ask for the next time.
function explained() {
  const text = h("div", { className: "nbb-message" });
  const advice = h("div", { className: "nbb-advice" });
  const element = h("div", { className: "nbb-said" }, text, advice);
  const draw = (card, { folded }) => {
    // A folded card that waits says it in its first line.
    say(text, folded && !card.done ? "" : card.message);
    say(advice, card.advice ?? "");
    hide(element, text.hidden && advice.hidden);
  };
  return { element, draw };
}
