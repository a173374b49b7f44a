// Search in a log: in the page's lines at once, in those before them by asking the kernel.

const MAX_HITS = 10_000;
const CAN_HIGHLIGHT = typeof Highlight === "function" && Boolean(globalThis.CSS?.highlights);

// The lines that hold a text, by number.
class Search {
  text = "";
  matchCase = false;
  current = -1; // the line that was gone to
  before = []; // found by the kernel
  here = []; // found in the page
  scanning = false;
  limited = ""; // why lines before the page's could not be searched

  constructor(log, ask, changed) {
    Object.assign(this, { log, ask, changed });
  }

  get hits() {
    return [...this.before, ...this.here];
  }

  start(text, matchCase) {
    Object.assign(this, { text, matchCase, current: -1, before: [], here: [], limited: "" });
    this.boundary = this.next = this.log.first;
    this.scanning = false;
    this.extend();
    if (text && this.boundary > 0) this.scan();
    this.changed();
  }

  folded(text) {
    return this.matchCase ? text : text.toLowerCase();
  }

  // Look at the lines that came since the last time.
  extend() {
    if (!this.text) return;
    const { lines, first } = this.log;
    const wanted = this.folded(this.text);
    for (const line of lines.slice(Math.max(0, this.next - first)))
      if (!line.hidden && this.folded(seenText(line)).includes(wanted)) this.here.push(line.number);
    this.next = this.log.count;
  }

  async scan() {
    const { text, matchCase, boundary } = this;
    const stale = () =>
      this.text !== text || this.matchCase !== matchCase || this.boundary !== boundary;
    this.scanning = true;
    let from = 0;
    try {
      while (from !== null && from < boundary && this.before.length < MAX_HITS) {
        const answer = await this.ask({ ask: "find", text, case: matchCase, from });
        if (stale()) return;
        this.before.push(...answer.lines.filter((line) => line < boundary));
        from = answer.next;
        this.changed();
      }
    } catch (error) {
      if (stale()) return;
      this.limited = error.message;
    }
    this.scanning = false;
    this.changed();
  }

  // Go to the next hit in a direction, from a line where none was gone to yet.
  step(direction, line) {
    const { hits } = this;
    if (!hits.length) return -1;
    const from = this.current < 0 ? line - direction : this.current;
    const next = direction > 0
      ? hits.find((hit) => hit > from) ?? hits[0]
      : hits.findLast((hit) => hit < from) ?? hits[hits.length - 1];
    this.current = next;
    this.changed();
    return next;
  }

  told() {
    const { text, hits, current, scanning, limited } = this;
    if (!text) return "";
    const many = hits.length >= MAX_HITS ? "+" : "";
    const of = `${hits.length.toLocaleString("en")}${many}${scanning ? "…" : ""}`;
    const found = current < 0 ? `${of} found`
      : `${(hits.indexOf(current) + 1).toLocaleString("en")} of ${of}`;
    return limited ? `${found}, in the lines of the page only (${limited})` : found;
  }
}

// Where a text stands in an element: its text nodes, and what they hold together.
function textOf(element) {
  const walk = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const nodes = [];
  let text = "";
  while (walk.nextNode()) {
    nodes.push([walk.currentNode, text.length]);
    text += walk.currentNode.data;
  }
  return { nodes, text };
}

function rangeOf({ nodes }, start, end) {
  const range = document.createRange();
  const place = (at) => {
    let [node, from] = nodes[0];
    for (const [next, begin] of nodes) if (begin <= at) [node, from] = [next, begin];
    return [node, Math.min(at - from, node.length)];
  };
  range.setStart(...place(start));
  range.setEnd(...place(end));
  return range;
}

// Marks what was found in the chunks on show: by the browser's highlights, which leave the elements
// alone, or by elements around it where there are none.
class Marks {
  ranges = new Map(); // chunk -> its ranges

  mark(chunk, search) {
    this.clear(chunk);
    if (!search.text) return;
    const held = textOf(chunk);
    const wanted = search.folded(search.text);
    const all = search.folded(held.text);
    const found = [];
    for (let at = all.indexOf(wanted); at >= 0; at = all.indexOf(wanted, at + wanted.length))
      found.push([at, at + wanted.length]);
    if (!found.length || all.length !== held.text.length) return;
    const line = visibleRows(chunk.nbbLines).findIndex(({ number }) => number === search.current);
    const [from, to] = line < 0 ? [-1, -1] : lineExtent(held.text, line);
    const named = (start, end) => start >= from && end <= to ? "nbb-current" : "nbb-found";
    const made = found.map(([start, end]) => [rangeOf(held, start, end), named(start, end)]);
    this.ranges.set(chunk, CAN_HIGHLIGHT ? made : []);
    if (CAN_HIGHLIGHT) for (const [range, name] of made) highlightNamed(name).add(range);
    else this.wrap(chunk, found, named);
  }

  wrap(chunk, found, named) {
    // From the end, so that the places before stay what they are.
    for (const [start, end] of found.reverse()) {
      for (const [node, begin] of textOf(chunk).nodes.reverse()) {
        const [low, high] = [Math.max(start - begin, 0), Math.min(end - begin, node.length)];
        if (low >= high) continue;
        const rest = node.splitText(low);
        rest.splitText(high - low);
        const mark = h("mark", { className: named(start, end) });
        rest.replaceWith(mark);
        mark.append(rest);
      }
    }
  }

  clear(chunk) {
    for (const [range, name] of this.ranges.get(chunk) ?? []) highlightNamed(name).delete(range);
    if (!CAN_HIGHLIGHT && this.ranges.has(chunk))
      for (const mark of chunk.querySelectorAll("mark")) mark.replaceWith(...mark.childNodes);
    this.ranges.delete(chunk);
  }
}

function highlightNamed(name) {
  if (!CSS.highlights.has(name)) CSS.highlights.set(name, new Highlight());
  return CSS.highlights.get(name);
}

function lineExtent(text, line) {
  let start = 0;
  for (let i = 0; i < line; i++) start = text.indexOf("\n", start) + 1;
  const end = text.indexOf("\n", start);
  return [start, end < 0 ? text.length : end];
}
