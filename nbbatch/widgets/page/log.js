// A job's last lines in the page: bounded, whatever a job prints and whether or not anybody looks.
//
// A line is finished by its newline and has a number from then on, the same as in the kernel
// (see log/lines.py). `lines` has no holes: where some were left out it begins anew behind them.

const MAX_LINES = 5000;
const MAX_LINE = 4000;
const MAX_RAW = 16_000;
const MAX_CHARS = 8_000_000;
const MAX_ROWS = 60; // of a stream that can be written on again
const CURSOR_UP = /\x1b\[(\d*)A/;
const CURSOR_UPS = /\x1b\[(\d*)A/g;

let logEdits = 0; // grows with each change of a line that may be on show

// From pieces of text to lines; a style holds for its stream until it is changed.
class LineReader {
  begun = new Map(); // stream name -> its unfinished line
  styles = new Map(); // stream name -> the style in which that began
  places = new Map(); // stream name -> where it writes

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
    const line = { name, text: text.slice(-MAX_RAW), number, style, hidden: false, edit: 0 };
    const place = this.place(name);
    place.put(line);
    place.newline();
    return line;
  }

  place(name) {
    if (!this.places.has(name)) this.places.set(name, new Place());
    return this.places.get(name);
  }

  // The unfinished lines, and the rows above them that they write on.
  open() {
    const lines = [];
    for (const [name, place] of this.places) if (!this.begun.has(name)) place.cover(0);
    for (const [name, text] of this.begun) {
      const style = this.styles.get(name) ?? PLAIN_STYLE;
      const line = { name, text, number: -1, style, hidden: false, edit: 0 };
      lines.push(...this.place(name).preview(line));
    }
    return lines;
  }
}

// Where a stream writes: mostly on a new row, but several progress bars go up to earlier ones
// ("cursor up"). A line that only wrote on earlier rows is hidden, and keeps its number.
class Place {
  rows = []; // the last ones
  above = 0; // how far above the next new row it writes
  covered = []; // rows that an unfinished line writes on

  put(line) {
    const { text } = line;
    if (!this.above && !(text.includes("\x1b[") && CURSOR_UP.test(text))) return this.add(line);
    line.hidden = this.above > 0;
    line.text = "";
    text.split(CURSOR_UP).forEach((piece, i) => {
      if (i % 2) this.above = Math.min(this.above + Number(piece || 1), this.rows.length);
      else if (!this.above) this.add(Object.assign(line, { text: piece }));
      else if (piece) this.overwrite(this.rows[this.rows.length - this.above], piece, line.style);
    });
  }

  add(line) {
    this.rows.push(line);
    this.above = 1;
    if (this.rows.length > 2 * MAX_ROWS) this.rows.splice(0, MAX_ROWS);
  }

  newline() {
    this.above = Math.max(0, this.above - 1);
  }

  overwrite(row, text, style) {
    const shorter = seenText({ text }).length < seenText(row).length;
    if (shorter) row.text = `${row.text}\r${text}`.slice(-MAX_RAW);
    else Object.assign(row, { text, style });
    row.edit = ++logEdits;
  }

  preview(line) {
    const ups = [...line.text.matchAll(CURSOR_UPS)].reduce((sum, [, n]) => sum + Number(n || 1), 0);
    const reach = Math.min(this.above + ups, this.rows.length);
    const draft = new Place();
    draft.rows = reach ? this.rows.slice(-reach).map((row) => ({ ...row, hidden: false })) : [];
    draft.above = Math.min(this.above, reach);
    draft.put(line);
    this.cover(reach);
    return draft.rows;
  }

  cover(reach) {
    const rows = reach ? this.rows.slice(-reach) : [];
    if (rows.length === this.covered.length && rows.every((row, i) => row === this.covered[i])) return;
    for (const row of this.covered) Object.assign(row, { hidden: false, edit: ++logEdits });
    for (const row of rows) Object.assign(row, { hidden: true, edit: ++logEdits });
    this.covered = rows;
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
