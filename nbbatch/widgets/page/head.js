// The first line of a card: state, name, time, attempt, buttons.

function head(ask) {
  const mark = h("span", { className: "nbb-mark", "aria-hidden": "true" });
  const word = h("b", { className: "nbb-word", role: "status" });
  const name = h("span", { className: "nbb-name" });
  const time = h("span", { className: "nbb-time" });
  const attempt = h("span", { className: "nbb-attempt" });
  const detach = h("button", { type: "button", className: "nbb-button" }, "Detach");
  const cancel = h("button", { type: "button", className: "nbb-button nbb-cancel" }, "Cancel");
  detach.title = "Free the notebook; the job goes on";
  cancel.title = "End the job";
  detach.addEventListener("click", () => ask("detach"));
  cancel.addEventListener("click", () => ask("cancel"));
  const buttons = h("span", { className: "nbb-buttons" }, detach, cancel);
  const element = h("div", { className: "nbb-head" }, mark, word, name, time, attempt, buttons);
  const draw = (card, { asked, detachable, gone }) => {
    const over = card.done || gone;
    for (const [part, text] of [[mark, card.mark], [word, card.word], [name, card.name]])
      say(part, text);
    say(attempt, card.attempt);
    cancel.setAttribute("aria-label", `Cancel ${card.name}`);
    detach.setAttribute("aria-label", `Detach ${card.name}`);
    cancel.textContent = asked === "cancel" && !card.done ? "Cancelling…" : "Cancel";
    cancel.disabled = asked === "cancel" || over;
    detach.disabled = Boolean(asked) || over;
    detach.hidden = !detachable;
    buttons.hidden = card.done;
  };
  return { element, draw, tick: (text) => say(time, text) };
}
