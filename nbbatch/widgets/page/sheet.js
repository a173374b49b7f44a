// The lines on show: chunks in an element, from line `from` to before line `to`.

const FRAME_MS = 8; // of a frame that painting may take
const REPAINTED = 2 * MAX_ROWS; // chunks that rows which may be written on again can stand in

class Sheet {
  from = 0;
  to = 0;
  below = []; // chunks to come at the end
  above = []; // and at the beginning

  constructor(marks, search) {
    Object.assign(this, { marks, search });
    this.element = h("div");
  }

  reset(number) {
    for (const chunk of this.element.children) this.marks.clear(chunk);
    this.element.replaceChildren();
    this.below = [];
    this.above = [];
    this.from = this.to = number;
  }

  add(lines) {
    if (!lines.length) return;
    this.below.push(...chunked(lines));
    this.to = lines[lines.length - 1].number + 1;
  }

  addBefore(lines) {
    if (!lines.length) return;
    this.above.unshift(...chunked(lines));
    this.from = lines[0].number;
  }

  // Paint what waits, for a moment; return whether something still waits.
  paint() {
    const end = performance.now() + FRAME_MS;
    const put = (lines, way) => {
      const chunk = paintedChunk(lines);
      this.element[way](chunk);
      this.marks.mark(chunk, this.search);
    };
    while (this.below.length && performance.now() < end) put(this.below.shift(), "append");
    while (this.above.length && performance.now() < end) put(this.above.pop(), "prepend");
    this.trim();
    return this.below.length + this.above.length > 0;
  }

  // Never more than MAX_LINES, and never more elements than a page can take.
  trim() {
    const { element } = this;
    while (element.childElementCount > 1 && !this.above.length) {
      const chunk = element.firstChild;
      const last = element.lastChild.nbbLines;
      const lines = last[last.length - 1].number + 1 - chunk.nbbLines[0].number;
      if (lines <= MAX_LINES) break;
      this.marks.clear(chunk);
      chunk.remove();
      this.from = element.firstChild.nbbLines[0].number;
    }
  }

  // Paint again what a job has written on since.
  repaint() {
    for (let chunk = this.element.lastChild, i = 0; chunk && i < REPAINTED; i++) {
      const before = chunk.previousSibling;
      if (chunk.nbbLines.some(({ edit }) => edit > chunk.nbbEdit)) {
        const fresh = paintedChunk(chunk.nbbLines);
        this.marks.clear(chunk);
        chunk.replaceWith(fresh);
        this.marks.mark(fresh, this.search);
      }
      chunk = before;
    }
  }

  mark() {
    for (const chunk of this.element.children) this.marks.mark(chunk, this.search);
  }

  lines() {
    return [...this.element.children].flatMap((chunk) => chunk.nbbLines);
  }

  has(number) {
    return number >= this.from && number < this.to;
  }

  // A range around a line, to measure where it stands.
  rangeOfLine(number) {
    const chunk = [...this.element.children].findLast((one) => one.nbbLines[0].number <= number);
    if (!chunk) return null;
    const held = textOf(chunk);
    const line = visibleRows(chunk.nbbLines).findIndex((one) => one.number >= number);
    return rangeOf(held, ...lineExtent(held.text, Math.max(0, line)));
  }

  // The number of the first line that can be seen in a box.
  topLine(box) {
    const top = box.getBoundingClientRect().top;
    for (const chunk of this.element.children) {
      const rect = chunk.getBoundingClientRect();
      if (rect.bottom <= top) continue;
      const part = Math.max(0, (top - rect.top) / (rect.height || 1));
      return chunk.nbbLines[Math.floor(part * (chunk.nbbLines.length - 1))].number;
    }
    return this.to;
  }
}
