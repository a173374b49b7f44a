// The monitor's rows as data: what the kernel has sent, and which of it is shown in which order.

const SORTS = {
  state: (row) => row.order,
  name: (row) => row.name.toLowerCase(),
  since: (row) => row.since,
  time: (row, now) => (row.until ?? (row.done ? row.since : now)) - row.since,
  use: (row) => row.fraction ?? -1,
  cost: (row) => Number(/[\d.]+/.exec(row.cost)?.[0] ?? -1),
};
// What needs a person comes first, then what goes on.
const ORDER = { bad: 0, running: 1, waiting: 2, cancelled: 3, ok: 4 };

class Rows {
  all = new Map(); // id -> row
  seq = 0; // of the last message
  head = { all: false, older: 0, trouble: "" };
  skew = 0; // kernel's clock minus the page's, seconds
  fresh = false; // whether this page has been there from the start
  loaded = false;

  // Returns what is new in words, for a screen reader; null where something was missed.
  take({ seq, whole, first, head, rows, gone }) {
    if (!whole && seq !== this.seq + 1) return null;
    if (first) this.fresh = true;
    const known = this.loaded && !(whole && head.all !== this.head.all);
    const before = known ? new Map(this.all) : null;
    if (whole) this.all.clear();
    for (const id of gone) this.all.delete(id);
    for (const row of rows) this.all.set(row.id, { ...row, order: ORDER[row.tone] });
    Object.assign(this, { seq, head, loaded: true, skew: head.now - Date.now() / 1000 });
    return before ? news(before, rows) : "";
  }

  get now() {
    return Date.now() / 1000 + this.skew;
  }

  // The rows that match, sorted; and how many there are of each state's word among those that
  // match but for their state.
  choose({ text, words, sort, down }) {
    const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
    const matching = [...this.all.values()].filter((row) => {
      const said = `${row.name} ${row.id} ${row.note || row.message}`.toLowerCase();
      return wanted.every((word) => said.includes(word));
    });
    const counts = new Map();
    for (const { word, order, mark, tone } of [...this.all.values()].sort(byOrder))
      if (!counts.has(word)) counts.set(word, { count: 0, order, mark, tone });
    for (const { word } of matching) counts.get(word).count++;
    const chosen = words.size ? matching.filter((row) => words.has(row.word)) : matching;
    return { chosen: this.sorted(chosen, sort, down), counts };
  }

  sorted(chosen, sort, down) {
    const { now } = this;
    const keyed = chosen.map((row) => [SORTS[sort](row, now), row]);
    // Equal ones: the newest first, whichever way.
    keyed.sort(([a, x], [b, y]) =>
      a === b ? (x.id < y.id ? 1 : -1) : (a < b ? -1 : 1) * (down ? -1 : 1));
    return keyed.map(([, row]) => row);
  }
}

const byOrder = (a, b) => a.order - b.order;

function news(before, rows) {
  const added = rows.filter(({ id }) => !before.has(id));
  const ended = rows.filter(({ id, done }) => done && before.has(id) && !before.get(id).done);
  const said = [];
  if (added.length) said.push(added.length === 1 ? `${added[0].name} is new` : `${added.length} new jobs`);
  if (ended.length > 3) said.push(`${ended.length} jobs ended`);
  else for (const { name, word } of ended) said.push(`${name}: ${word}`);
  return said.join("; ");
}

// Rows of the same name together, in the order of their first one.
function grouped(chosen) {
  const groups = new Map();
  for (const row of chosen) {
    if (!groups.has(row.name)) groups.set(row.name, []);
    groups.get(row.name).push(row);
  }
  return groups;
}

// How many there are of each tone: [tone, how many, words], the worst first.
function summed(rows) {
  const tones = new Map();
  for (const { tone, word } of [...rows].sort(byOrder)) {
    const known = tones.get(tone) ?? tones.set(tone, { count: 0, words: new Map() }).get(tone);
    known.count++;
    known.words.set(word, (known.words.get(word) ?? 0) + 1);
  }
  return tones;
}
