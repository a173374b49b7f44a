// A job's log in the page: bounded, whatever a job prints and whether or not anybody looks.

const MAX_LINES = 2000;
const MAX_LINE = 4000;
const MAX_CHUNK = 100; // lines in one element: many small ones are slow to lay out

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
