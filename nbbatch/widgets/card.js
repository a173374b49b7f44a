// The live job card. The texts come ready from Python (`card`, see view.py); this module lays
// them out, counts the seconds, keeps the end of the log and sends clicks.
//
// Nothing from a job is ever parsed as HTML: every text goes in through textContent.

const MAX_LINES = 2000;
const MAX_LINE = 4000;
const MAX_CHUNK = 100; // lines in one element: many small ones are slow to lay out
const ACK_MS = 700;

// ---- the log: bounded, whatever a job prints and whether or not anybody looks

class Log {
  lines = []; // finished: {name, text}
  begun = new Map(); // stream name -> its unfinished line
  count = 0; // finished lines ever, those before the kept ones included
  number = 0; // of the last line put into `lines`
  seq = 0; // of the last message

  restore(tail) {
    if (!tail?.seq) return;
    this.seq = tail.seq;
    this.count = tail.count;
    for (const [name, text] of tail.lines) this.finish(name, text);
  }

  take({ seq, skipped, parts }) {
    if (seq <= this.seq) return;
    if (seq > this.seq + 1) this.note("some lines did not arrive here");
    if (skipped) {
      this.count += skipped;
      this.note(`${skipped.toLocaleString("en")} lines not shown`);
    }
    this.seq = seq;
    for (const [name, text] of parts) this.feed(name, text);
  }

  feed(name, text) {
    const pieces = text.split("\n");
    pieces[0] = (this.begun.get(name) ?? "") + pieces[0];
    // Deleted and set again: the stream that wrote last is the lowest.
    this.begun.delete(name);
    const last = pieces.pop();
    for (const piece of pieces) this.finish(name, piece);
    this.count += pieces.length;
    if (last) this.begun.set(name, lastWriting(last).slice(-MAX_LINE));
  }

  finish(name, text) {
    this.lines.push({ name, text: shown(text), number: ++this.number });
    if (this.lines.length > 2 * MAX_LINES) this.lines.splice(0, this.lines.length - MAX_LINES);
  }

  note(text) {
    this.finish("note", `⋯ ${text} ⋯`);
  }
}

// What a carriage return rewrote is gone; one at the very end has rewritten nothing yet.
function lastWriting(line) {
  const at = line.length > 1 ? line.lastIndexOf("\r", line.length - 2) : -1;
  return at < 0 ? line : line.slice(at + 1);
}

function shown(line) {
  const text = lastWriting(line).replace(/\r$/, "");
  return text.length > MAX_LINE ? "…" + text.slice(1 - MAX_LINE) : text;
}

// ---- ANSI: colours and bold become classes, every other sequence and control disappears

const ESCAPE =
  /\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~]?)/g;
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

function paint(element, lines) {
  let clean = "";
  for (const line of lines) {
    if (!/[\x00-\x08\x0b-\x1f\x7f-\x9f]/.test(line)) {
      clean += `${line}\n`;
      continue;
    }
    element.append(clean);
    clean = "\n";
    paintLine(element, line);
  }
  element.append(clean);
  return element;
}

function paintLine(element, line) {
  const style = { bold: false, colour: "" };
  let at = 0;
  for (const match of line.matchAll(ESCAPE)) {
    append(element, line.slice(at, match.index), style);
    at = match.index + match[0].length;
    if (match[2] === "m") restyle(style, match[1]);
  }
  append(element, line.slice(at), style);
}

function append(element, text, { bold, colour }) {
  const clean = text.replace(CONTROL, "");
  if (!clean) return;
  const names = [bold && "nbb-bold", colour && `nbb-ansi${colour}`].filter(Boolean).join(" ");
  element.append(names ? h("span", { className: names }, clean) : clean);
}

function restyle(style, parameters) {
  const codes = parameters.split(";").map(Number);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i];
    if (code === 0) Object.assign(style, { bold: false, colour: "" });
    else if (code === 1) style.bold = true;
    else if (code === 22) style.bold = false;
    else if (code === 39) style.colour = "";
    else if (code >= 30 && code <= 37) style.colour = String(code - 30);
    else if (code >= 90 && code <= 97) style.colour = String(code - 90);
    else if (code === 38 || code === 48) i += codes[i + 1] === 5 ? 2 : 4;
  }
}

// ---- small tools

function h(tag, { className = "", ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = !text;
}

function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} m`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

// ---- the parts of a card: each is {element, draw}

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

function resources() {
  const element = h("dl", { className: "nbb-facts" });
  const rows = ["Asked", "Given", "Nodes", "Where", "Peak"].map((name) => {
    const value = h("dd");
    element.append(h("div", {}, h("dt", {}, name), value));
    return value;
  });
  const draw = (card) => {
    const texts = [card.asked, card.given, card.nodes, card.place, card.peak];
    rows.forEach((row, i) => {
      say(row, texts[i]);
      row.parentElement.hidden = !texts[i];
    });
  };
  return { element, draw };
}

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

// Neighbouring lines of one stream share an element, up to a limit.
function chunked(lines) {
  const chunks = [];
  for (const { name, text } of lines) {
    const last = chunks[chunks.length - 1];
    if (last?.name === name && last.texts.length < MAX_CHUNK) last.texts.push(text);
    else chunks.push({ name, texts: [text] });
  }
  return chunks.map(({ name, texts }) =>
    paint(h("div", { className: `nbb-lines nbb-${name}`, "data-lines": texts.length }), texts));
}

function pane(log) {
  const finished = h("div");
  const begun = h("div");
  const box = h("div", { className: "nbb-log", role: "log", "aria-live": "off", tabindex: "0" });
  box.append(finished, begun);
  const count = h("span");
  const follow = h("button", { type: "button", className: "nbb-button" }, "↓ Follow");
  const foot = h("div", { className: "nbb-foot" }, count, follow);
  const element = h("div", {}, box, foot);
  let following = true;
  let seen = 0; // number of the last line that stands here
  let rows = 0;
  let frame = 0;

  const toEnd = () => (box.scrollTop = box.scrollHeight);
  const setFollowing = (value) => {
    following = value;
    follow.hidden = value;
  };
  box.addEventListener("scroll", () =>
    setFollowing(box.scrollTop + box.clientHeight >= box.scrollHeight - 12));
  follow.addEventListener("click", () => {
    setFollowing(true);
    toEnd();
    box.focus();
  });

  const flush = () => {
    frame = 0;
    const fresh = log.lines.slice(-MAX_LINES).filter((line) => line.number > seen);
    if (fresh.length) seen = fresh[fresh.length - 1].number;
    rows += fresh.length;
    const chunks = chunked(fresh);
    while (finished.firstChild && rows > MAX_LINES) {
      rows -= Number(finished.firstChild.dataset.lines);
      finished.firstChild.remove();
    }
    finished.append(...chunks);
    const open = [...log.begun].map(([name, text]) => ({ name, text: shown(text) }));
    begun.replaceChildren(...chunked(open));
    box.hidden = !rows && !open.length;
    const kept = rows < log.count ? `, the last ${rows.toLocaleString("en")} shown` : "";
    const lines = log.count === 1 ? "1 line" : `${log.count.toLocaleString("en")} lines`;
    say(count, log.count ? lines + kept : "");
    foot.hidden = box.hidden;
    if (following) toEnd();
  };
  setFollowing(true);
  flush();
  return {
    element,
    draw: (card) => box.setAttribute("aria-label", `Log of ${card.name}`),
    schedule: () => (frame ||= requestAnimationFrame(flush)),
    stop: () => cancelAnimationFrame(frame),
  };
}

// ---- clicks

// A kernel that runs a cell may not look at comm messages until it ends. The cell that waits for
// this job looks at answers to input(), so the click goes there, too (see door.py). Where there
// is no such channel and no answer, an interrupt is left, which that cell takes as "cancel".
function asker(model, hint) {
  return (ask) => {
    try {
      model.send({ ask });
    } catch {
      return hint("The kernel is gone.");
    }
    if (!model.get("blocking")) return;
    const kernel = model.widget_manager?.kernel;
    const value = JSON.stringify({ nbbatch: { key: model.get("key"), ask } });
    kernel?.sendInputReply?.({ status: "ok", value }, { msg_id: "" });
    setTimeout(() => {
      if (model.get("asked") === ask || !model.get("blocking")) return;
      if (ask === "cancel" && kernel?.interrupt) kernel.interrupt();
      else hint("The kernel is busy: press Stop (■) to cancel.");
    }, ACK_MS);
  };
}

// ---- the module: one closure per model, so that a log outlives its views

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
        resources(), meters(), log_];
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
