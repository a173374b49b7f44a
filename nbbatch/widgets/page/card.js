// The live job card. The texts come ready from Python (`card`, see ../model); this module lays
// them out and counts the seconds. One closure per model, so that a log outlives its views.

export default () => {
  const log = new Log();
  const panes = new Set();
  let skew = 0; // kernel's clock minus the page's, seconds

  const listen = (message) => {
    log.take(message);
    for (const part of panes) part.schedule();
  };
  const setClock = (model) => (skew = model.get("card").now - Date.now() / 1000);

  return {
    initialize({ model }) {
      // Messages that come before the first view are lost to it: listen from the start.
      log.restore(model.get("tail"));
      const sync = () => setClock(model);
      model.on("msg:custom", listen);
      model.on("change:card", sync);
      return () => {
        model.off("msg:custom", listen);
        model.off("change:card", sync);
      };
    },

    render({ model, el }) {
      const note = h("div", { className: "nbb-note", role: "status" });
      const hint = (text) => say(note, text);
      const message = h("div", { className: "nbb-message" });
      const top = head(asker(model, hint));
      const log_ = pane(log);
      const parts = [top, way(), { element: message, draw: (card) => say(message, card.message) },
        bars(), resources(), meters(), log_];
      const root = h("section", { className: "nbb" }, ...parts.map((part) => part.element), note);
      let gone = false;

      const tick = () => {
        const { since, until, elapsed } = model.get("card");
        top.tick(until === null ? duration(Date.now() / 1000 + skew - since) : elapsed);
      };
      const draw = () => {
        const card = model.get("card");
        root.dataset.tone = card.tone;
        root.setAttribute("aria-label", `Job ${card.name}`);
        // What no cell waits for is detached already.
        const detachable = model.get("detachable") && model.get("blocking");
        const state = { asked: model.get("asked"), detachable, gone };
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
      el.replaceChildren(root);
      panes.add(log_);
      draw();
      log_.schedule();
      const timer = setInterval(tick, 1000);
      const events = [["change:card", draw], ["change:asked", draw],
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
