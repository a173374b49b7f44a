// A job's last lines in the page: bounded, whatever a job prints and whether or not anybody looks.
//
// A line is finished by its newline and has a number from then on, the same as in the kernel
// (see log/lines.py). `lines` has no holes: where some were left out it begins anew behind them.

const MAX_LINES = 5000;
const MAX_LINE = 4000;
const MAX_RAW = 16_000;
const MAX_CHARS = 8_000_000;

// From pieces of text to lines; a style holds for its stream until it is changed.
class LineReader {
  begun = new Map(); // stream name -> its unfinished line
  styles = new Map(); // stream name -> the style in which that began

  constructor(number) {
    this.number = number; // of the next line
  }

  read(parts, finish) {
    for (const [name, text] of parts) {
      const pieces = text.split("\n");
      pieces[0] = (this.begun.get(name) ?? "") + pieces[0];
      // Deleted and set again: the stream that wrote last is the lowest.
      this.begun.delete(name);
      const last = pieces.pop();
      for (const piece of pieces) finish(this.line(name, piece, this.number++));
      if (last) this.begun.set(name, last.slice(-MAX_RAW));
    }
  }

  line(name, text, number) {
    const style = this.styles.get(name) ?? PLAIN_STYLE;
    if (text.includes("\x1b")) this.styles.set(name, styleAfter(text, style));
    return { name, text: text.slice(-MAX_RAW), number, style };
  }

  open() {
    return [...this.begun].map(([name, text]) =>
      ({ name, text, number: -1, style: this.styles.get(name) ?? PLAIN_STYLE }));
  }
}

class Log {
  lines = [];
  chars = 0;
  reader = new LineReader(0);
  seq = 0; // of the last message
  era = 0; // grows when the kept lines are replaced by others
  plainBefore = 0; // lines before this number are plain text from an earlier page
  lost = ""; // why the kernel has not kept the whole log

  get count() {
    return this.reader.number;
  }

  get first() {
    return this.lines.length ? this.lines[0].number : this.count;
  }

  // What is left of an earlier page: plain text, to be replaced by the lines as they came.
  restore(tail) {
    if (!tail?.seq) return;
    Object.assign(this, { seq: tail.seq, lost: tail.lost, plainBefore: tail.count });
    this.reader = new LineReader(Math.max(0, tail.count - tail.lines.length));
    const parts = tail.lines.map(([name, text]) => [name, `${text}\n`]);
    this.reader.read([...parts, ...tail.begun], (line) => this.keep(line));
  }

  take({ seq, first, fresh, parts, lost }) {
    if (seq <= this.seq) return;
    // A message of another page's time may be missing here.
    if (fresh || first !== this.count) this.beginAt(first);
    this.seq = seq;
    this.lost = lost;
    this.reader.read(parts, (line) => this.keep(line));
  }

  beginAt(number) {
    this.lines = [];
    this.chars = 0;
    this.era++;
    this.reader = new LineReader(number);
  }

  // From where to where lines are to be fetched, null where none are.
  missing() {
    const from = Math.max(0, this.count - MAX_LINES);
    const to = Math.max(this.first, this.plainBefore);
    return this.lost || this.chars > MAX_CHARS / 4 || from >= to ? null : [from, to];
  }

  // Take fetched lines as those before line `to`; return whether they fit.
  putBefore(to, lines) {
    if (!lines.length || lines[lines.length - 1].number !== to - 1) return false;
    const after = this.lines.filter((line) => line.number >= to);
    if (after.length ? after[0].number !== to : this.count !== to) return false;
    if (this.plainBefore) this.era++;
    this.plainBefore = 0;
    this.lines = [...lines, ...after];
    this.chars = this.lines.reduce((sum, line) => sum + line.text.length, 0);
    return true;
  }

  keep(line) {
    this.lines.push(line);
    this.chars += line.text.length;
    if (this.lines.length > 2 * MAX_LINES) this.drop(this.lines.length - MAX_LINES);
    while (this.chars > MAX_CHARS && this.lines.length > 1) this.drop(1 + (this.lines.length >> 2));
  }

  drop(count) {
    for (const line of this.lines.splice(0, count)) this.chars -= line.text.length;
  }
}

// What is seen of a line, as text.
function seenText(line) {
  const text = UNCLEAN.test(line.text)
    ? styledPieces(line.text, PLAIN_STYLE).map(([piece]) => piece).join("") : line.text;
  return text.length > MAX_LINE ? "…" + text.slice(1 - MAX_LINE) : text;
}
