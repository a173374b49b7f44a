// The live job card. The texts come ready from Python (`card`, see ../model); this module lays
// them out and counts the seconds. One closure per model, so that a log outlives its views.

let bodies = 0; // the ids that buttons point to

export default () => {
  const log = new Log();
  const requests = new Requests();
  const panes = new Set();
  let skew = 0; // kernel's clock minus the page's, seconds
  let choice = null;

  const shown = () => {
    for (const part of panes) part.schedule();
  };
  let refill = null;
  const listen = (message, buffers) => {
    requests.hear(message, buffers);
    if (message.kind !== "log") return;
    log.take(message);
    refill.look(message.fresh);
    shown();
  };
  // What was said just before this page was loaded was sent to none: the next tail has it.
  const renew = (tail) => {
    if (!(tail?.seq > log.seq)) return;
    log.beginAt(0);
    log.restore(tail);
    refill.look();
    shown();
  };
  const setClock = (model) => (skew = model.get("card").now - Date.now() / 1000);

  return {
    initialize({ model }) {
      // Messages that come before the first view are lost to it: listen from the start.
      log.restore(model.get("tail"));
      refill = new Refill(log, (message) => requests.ask(model, message), shown);
      refill.look();
      const events = [["msg:custom", listen], ["change:card", () => setClock(model)],
        ["change:tail", () => renew(model.get("tail"))]];
      for (const [name, react] of events) model.on(name, react);
      const stay = leaving(model);
      return () => {
        stay();
        refill.stop();
        for (const [name, react] of events) model.off(name, react);
      };
    },

    render({ model, el }) {
      choice ??= folding(model.get("card").id);
      const note = h("div", { className: "nbb-hint", role: "status" });
      const hint = (text) => say(note, text);
      const log_ = pane(log, (message) => requests.ask(model, message));
      // Whoever opens the card of an ended job again wants to read it.
      const over = () => model.get("card").done && !model.get("foldable");
      const toggle = () => {
        const done = over();
        choice.choose(done, !choice.folded(done));
        draw();
        log_.schedule();
      };
      const top = head(asker(model, hint), toggle);
      const above = [top, aboutLine(), explained()];
      const details = [way(), bars(), meters(), resources(), partsGrid(), log_];
      const thin = thinLine();
      const parts = [...above, ...details, thin];
      const body = h("div", { className: "nbb-body", id: `nbb-body-${++bodies}` },
        ...details.map((part) => part.element));
      const root = h("section", { className: "nbb nbb-card" },
        ...above.map((part) => part.element), body, note, thin.element);
      top.fold.setAttribute("aria-controls", body.id);
      let gone = false;

      const tick = () => {
        const { since, until, elapsed } = model.get("card");
        const now = Date.now() / 1000 + skew;
        for (const part of parts)
          part.tick?.(now, until === null ? duration(now - since) : elapsed);
      };
      const draw = () => {
        const card = model.get("card");
        const folded = choice.folded(over());
        setAttr(root, "data-tone", card.tone);
        setAttr(root, "aria-label", `Job ${card.name}`);
        root.classList.toggle("nbb-folded", folded);
        hide(body, folded);
        // What no cell waits for is detached already.
        const detachable = model.get("detachable") && model.get("blocking");
        const foldable = Boolean(model.get("foldable"));
        const state = { asked: model.get("asked"), detachable, foldable, gone, folded };
        for (const part of parts) part.draw(card, state);
        tick();
      };
      const lost = () => {
        if (model.comm_live !== false) return;
        gone = true;
        hint(`The kernel is gone; the job may still run: %batch attach ${model.get("card").id}`);
        draw();
      };

      hint("");
      el.classList.add("nbb-frame");
      el.replaceChildren(root);
      panes.add(log_);
      draw();
      log_.schedule();
      const timer = setInterval(tick, 1000);
      const events = [["change:card", draw], ["change:asked", draw], ["change:foldable", draw],
        ["change:blocking", draw], ["comm_live_update", lost]];
      for (const [name, react] of events) model.on(name, react);
      return () => {
        clearInterval(timer);
        log_.stop();
        panes.delete(log_);
        if (model.get("card").done && !panes.size && !gone) model.send({ ask: "close" });
        for (const [name, react] of events) model.off(name, react);
      };
    },
  };
};
