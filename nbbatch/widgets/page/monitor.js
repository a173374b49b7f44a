// The live table of many jobs. Rows come as messages (see ../changes.py): all at first, then what
// has changed. Filtering, sorting and grouping happen here.

const LOOK_MS = 20000; // see ../presence.py
const SAY_MS = 3000;
const MOST_CARDS = 5;

export default () => {
  const rows = new Rows();
  const requests = new Requests();
  const views = new Set();

  const look = (model) => {
    const visible = document.visibilityState === "visible";
    try {
      tellKernel(model, { ask: "look", seq: rows.seq, visible });
    } catch {
      // The kernel is gone; "comm_live_update" tells the views.
    }
  };

  return {
    initialize({ model }) {
      // Messages that come before the first view are lost to it: listen from the start.
      const hear = (message, buffers) => {
        if (message.kind === "done") requests.hear(message, buffers);
        if (message.kind !== "rows") return;
        const said = rows.take(message);
        if (said === null) return look(model);
        for (const view of views) view.changed(said);
      };
      const seen = () => views.size && look(model);
      model.on("msg:custom", hear);
      document.addEventListener("visibilitychange", seen);
      const timer = setInterval(seen, LOOK_MS);
      return () => {
        clearInterval(timer);
        document.removeEventListener("visibilitychange", seen);
        model.off("msg:custom", hear);
      };
    },

    render({ model, el }) {
      const view = monitorPage(model, rows, requests);
      el.replaceChildren(view.element);
      views.add(view);
      look(model);
      return () => {
        view.stop();
        views.delete(view);
        if (views.size) return;
        try {
          tellKernel(model, { ask: "gone" });
        } catch {
          // So is the kernel.
        }
      };
    },
  };
};

function monitorPage(model, rows, requests) {
  const state = { text: "", words: new Set(), sort: "since", down: true, grouped: false,
    folded: new Set(), picked: new Set(), unfolded: new Set(), now: 0 };
  const note = h("div", { className: "nbbm-note", role: "status" });
  const trouble = h("div", { className: "nbbm-trouble", role: "status" });
  const news_ = h("div", { className: "nbb-aside", role: "status" });
  const older = barButton("", () => ask({ ask: "older" }));
  let gone = false;
  let frame = 0;
  let last = null; // the row from which a range goes on
  let saying = 0;
  let unsaid = "";

  const hint = (text) => say(note, text);
  const ask = (message) => {
    hint("");
    return requests.ask(model, message, 60000).catch((error) => hint(error.message));
  };
  const redraw = () => (frame ||= requestAnimationFrame(draw));
  const toggled = (set, value) => (set.has(value) ? set.delete(value) : set.add(value), redraw());
  const picked = () => [...state.picked];
  const openCards = (ids) => {
    if (ids.length > MOST_CARDS) return hint(`At most ${MOST_CARDS} cards at a time.`);
    ask({ ask: "card", jobs: ids });
  };
  const act = {
    redraw,
    sort: (key) => {
      // Times and amounts are looked at from the largest on.
      state.down = state.sort === key ? !state.down : !["name", "state"].includes(key);
      state.sort = key;
      redraw();
    },
    toggle: (ids, on) => {
      for (const id of ids ?? table.ids()) on ? state.picked.add(id) : state.picked.delete(id);
      last = ids?.length === 1 ? ids[0] : null;
      redraw();
    },
    range: (id, on) => {
      const all = table.ids();
      const [a, b] = [all.indexOf(last ?? id), all.indexOf(id)].sort((x, y) => x - y);
      for (const each of all.slice(Math.max(a, 0), b + 1))
        on ? state.picked.add(each) : state.picked.delete(each);
      last = id;
      redraw();
    },
    fold: (name) => toggled(state.folded, name),
    word: (word) => toggled(state.words, word),
    parts: (id) => {
      toggled(state.unfolded, id);
      ask({ ask: "parts", job: id, open: state.unfolded.has(id) });
    },
    filter: (text) => {
      state.text = text;
      redraw();
    },
    group: () => {
      state.grouped = !state.grouped;
      redraw();
    },
    scope: () => ask({ ask: "all", all: !rows.head.all }),
    open: (id) => openCards(typeof id === "string" ? [id] : picked()),
    outputs: () => {
      // Only the page that ran the cell still takes outputs for it, and only JupyterLab's.
      const saved = rows.fresh && Boolean(element.closest(".jp-OutputArea"));
      ask({ ask: "outputs", jobs: picked(), saved });
    },
    cancel: () => {
      const live = picked().filter((id) => !rows.all.get(id).done);
      ask({ ask: "cancel", jobs: live });
    },
    copy: async () => {
      const line = `%batch attach ${picked()[0]}`;
      hint((await copyText(line)) ? `Copied: ${line}` : line);
    },
    close: () => ask({ ask: "close" }),
  };
  const bar = monitorBar(act);
  const table = jobTable(act);
  const empty = emptyState(act);
  const element = h("section", { className: "nbb nbbm", "aria-label": "Jobs" }, bar.element,
    trouble, empty.element, table.element, h("div", { className: "nbbm-foot" }, older), note, news_);

  function draw() {
    frame = 0;
    for (const id of state.picked) if (!rows.all.has(id)) state.picked.delete(id);
    const { chosen, counts } = rows.choose(state);
    for (const word of state.words) if (!counts.has(word)) state.words.delete(word);
    state.now = rows.now;
    bar.draw({ rows, chosen, counts, state, gone });
    table.element.hidden = !chosen.length;
    table.draw(chosen, state);
    empty.draw(rows, chosen);
    say(trouble, rows.head.trouble && `⚠ ${rows.head.trouble}; trying again`);
    say(older, rows.head.older ? `Look for older jobs (${rows.head.older.toLocaleString("en")} more)` : "");
  }
  // At most one sentence every few seconds: a screen reader reads each to its end.
  const sayNews = () => {
    saying = 0;
    if (!unsaid) return;
    news_.textContent = unsaid;
    unsaid = "";
    saying = setTimeout(sayNews, SAY_MS);
  };
  const changed = (said) => {
    if (said) unsaid = said;
    if (!saying) sayNews();
    redraw();
  };
  const lost = () => {
    if (model.comm_live !== false) return;
    gone = true;
    hint("The kernel is gone: what stands here is as it was. Jobs go on without it.");
    redraw();
  };
  const timer = setInterval(() => {
    if (document.visibilityState === "visible" && !gone) table.tick(rows.now);
  }, 1000);
  const left = leaving(model);
  model.on("comm_live_update", lost);
  hint("");
  draw();
  return {
    element,
    changed,
    stop: () => {
      left();
      clearInterval(timer);
      clearTimeout(saying);
      cancelAnimationFrame(frame);
      model.off("comm_live_update", lost);
    },
  };
}

// What helps where there is nothing to show.
function emptyState(act) {
  const text = h("span");
  const all = barButton("Show all your jobs", () => act.scope());
  const element = h("div", { className: "nbbm-empty" }, text, " ", all);
  const draw = (rows, chosen) => {
    element.hidden = chosen.length > 0;
    const none = !rows.all.size;
    all.hidden = !none || rows.head.all || !rows.loaded;
    say(text, !rows.loaded ? "Looking for jobs…"
      : !none ? "No job matches the filter."
      : rows.head.all ? "No jobs yet. Put %%batch above a cell, or @batch above a function, and run it."
      : "No jobs of this notebook yet. Put %%batch above a cell, or @batch above a function, and run it.");
  };
  return { element, draw };
}
