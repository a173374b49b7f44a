// The log on the card. It follows the end, or stands still, or shows any other lines of it.

const HANDS_MS = 1500;

function pane(log, ask) {
  const marks = new Marks();
  const search = new Search(log, ask, () => found());
  const sheet = new Sheet(marks, search);
  const begun = h("div");
  const box = h("div", { className: "nbb-log", role: "log", "aria-live": "off", tabindex: "0",
    "data-jp-suppress-context-menu": "" }, sheet.element, begun);
  const tools = logTools();
  const { element } = tools;
  element.insertBefore(box, tools.foot);
  let name = "job";
  let following = true;
  let browsing = false; // other lines than the last ones are on show
  let era = 0;
  let frame = 0;
  let top = 0; // where the box was scrolled to, and how high its content was then
  let height = 0;
  let painted = 0;
  let touched = 0; // until when a person may be scrolling
  let saving = false;

  const schedule = () => (frame ||= requestAnimationFrame(flush));
  const note = () => {
    top = box.scrollTop;
    height = box.scrollHeight;
  };
  const toEnd = () => {
    box.scrollTop = box.scrollHeight;
    note();
  };
  const follow = (value) => {
    following = value;
    if (value) browsing = false;
    schedule();
  };

  // Bring the last lines onto the sheet.
  const advance = () => {
    const first = Math.max(log.first, log.count - MAX_LINES);
    if (era !== log.era || sheet.to < first || sheet.to > log.count || sheet.from > sheet.to)
      sheet.reset(first);
    era = log.era;
    if (sheet.from > first && sheet.to > sheet.from)
      sheet.addBefore(log.lines.slice(first - log.first, sheet.from - log.first));
    sheet.add(log.lines.slice(Math.max(0, sheet.to - log.first)));
    begun.replaceChildren(...chunked(log.reader.open()).map(paintedChunk));
  };

  function flush() {
    frame = 0;
    search.extend();
    if (following) advance();
    if (following && painted !== logEdits) sheet.repaint();
    painted = logEdits;
    const busy = sheet.paint();
    label();
    if (following) toEnd();
    if (busy) schedule();
  }

  const label = () => {
    const shown = sheet.to > sheet.from || begun.childElementCount > 0;
    element.hidden = !shown && !log.count;
    tools.label({ count: log.count, from: sheet.from, to: sheet.to, following, browsing,
      lost: log.lost, found: search.told() });
  };

  // The elements change size as they come into view: so twice.
  const scrollTo = (number, part) => {
    for (let turn = 0; turn < 2; turn++) {
      const range = sheet.rangeOfLine(number);
      if (!range) return;
      const place = range.getBoundingClientRect().top - box.getBoundingClientRect().top;
      box.scrollTop += place - part * box.clientHeight;
    }
    note();
  };

  const paintAll = () => {
    while (sheet.paint());
  };

  // Show a window of lines around one of them.
  const browse = async (first, number, part) => {
    const from = Math.max(0, Math.min(first, log.count - MAX_LINES));
    const to = Math.min(log.count, from + MAX_LINES);
    follow(false);
    try {
      const lines = await linesBetween(from, to);
      if (!lines.length) return;
      browsing = true;
      begun.replaceChildren();
      sheet.reset(lines[0].number);
      sheet.add(lines);
      paintAll();
      scrollTo(number, part);
      label();
    } catch (error) {
      tools.say(`These lines can't be shown: ${error.message}.`);
    }
  };
  const linesBetween = (from, to) => from >= log.first
    ? log.lines.slice(from - log.first, to - log.first) : fetchLines(ask, from, to);

  const goTo = async (number) => {
    if (number < 0) return;
    follow(false);
    if (!sheet.has(number)) await browse(number - (MAX_LINES >> 1), number, 0.4);
    else paintAll();
    sheet.mark();
    scrollTo(number, 0.4);
    label();
  };

  function found() {
    sheet.mark();
    label();
  }

  const copy = async () => {
    const chosen = document.getSelection();
    const inside = !chosen.isCollapsed && box.contains(chosen.anchorNode);
    const open = following ? log.reader.open() : [];
    const lines = [...visibleRows(sheet.lines()), ...open];
    const text = inside ? String(chosen) : lines.map((line) => `${seenText(line)}\n`).join("");
    const what = inside ? "The selection" : `${lines.length.toLocaleString("en")} lines`;
    tools.say(await copyText(text) ? `${what} copied.` : "The browser does not allow to copy.");
  };

  const download = async () => {
    if (saving) return;
    saving = true;
    try {
      const blob = await wholeLog(ask, (size, of) => tools.say(`Download: ${logPercent(size, of)}`));
      saveBlob(blob, name);
      tools.say(`Downloaded: ${logBytes(blob.size)}.`);
    } catch (error) {
      const lines = [...visibleRows(log.lines), ...log.reader.open()];
      saveBlob(linesBlob(lines), name);
      tools.say(`Only the page's last ${lines.length.toLocaleString("en")} lines were downloaded: `
        + `${error.message}.`);
    }
    saving = false;
  };

  // A box scrolls by itself, too, when its content shrinks.
  for (const kind of ["wheel", "keydown", "touchmove", "pointerdown"])
    box.addEventListener(kind, () => (touched = performance.now() + HANDS_MS), { passive: true });
  box.addEventListener("scroll", () => {
    const end = box.scrollTop + box.clientHeight >= box.scrollHeight - 12;
    const person = performance.now() < touched || box.scrollHeight >= height;
    if (following && person && box.scrollTop < top - 2 && !end) follow(false);
    else if (!following && end && (!browsing || sheet.to >= log.count)) follow(true);
    if (!following) note();
  });
  tools.on({
    follow: () => follow(!following),
    end: () => follow(true),
    earlier: () => browse(sheet.from - MAX_LINES + 500, sheet.from, 0.1),
    later: () => browse(sheet.to - 500, sheet.to - 1, 0.7),
    search: (text, matchCase) => search.start(text, matchCase),
    sought: () => search.text,
    next: (direction) => goTo(search.step(direction, sheet.topLine(box))),
    leave: () => box.focus(),
    wrap: (value) => box.classList.toggle("nbb-nowrap", !value),
    copy,
    download,
  });
  // Before the front end sees it: its own search would not find what is out of view here.
  const find = (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.key.toLowerCase() !== "f") return;
    if (!element.contains(event.target)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    tools.focusSearch();
  };
  window.addEventListener("keydown", find, true);
  // Lines take their real height once they come into view, and the page may change its width.
  const sizes = new ResizeObserver(() => following && toEnd());
  for (const part of [box, sheet.element]) sizes.observe(part);
  flush();
  return {
    element,
    draw: (card) => {
      name = card.name;
      box.setAttribute("aria-label", `Log of ${card.name}`);
    },
    schedule,
    stop: () => {
      cancelAnimationFrame(frame);
      sizes.disconnect();
      sheet.reset(0);
      window.removeEventListener("keydown", find, true);
    },
  };
}
