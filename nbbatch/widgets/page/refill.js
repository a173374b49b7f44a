// Fetches lines of a log that the page has not: those of a window, and those that it missed.

const QUIET_MS = 800;

// Return the lines from one number to before another; an answer may hold fewer than were asked for.
async function fetchLines(ask, from, to) {
  const lines = [];
  const reader = new LineReader(from);
  while (reader.number < to) {
    const before = reader.number;
    const answer = await ask({ ask: "lines", first: before, count: to - before });
    // Each answer says its styles itself.
    const its = new LineReader(answer.first);
    its.read(answer.parts, (line) => lines.push(line));
    reader.number = its.number;
    if (reader.number <= before) break;
  }
  return lines;
}

// After a flood, and after the page was loaded again, the log is filled up with what came before.
class Refill {
  timer = 0;

  constructor(log, ask, changed) {
    Object.assign(this, { log, ask, changed });
  }

  // Called after each message; waits until none leaves anything out any more.
  look(again) {
    if (again) this.stop();
    if (!this.timer && this.log.missing())
      this.timer = setTimeout(() => this.fill(), QUIET_MS);
  }

  async fill() {
    const { log } = this;
    const { era } = log;
    const [from, to] = log.missing() ?? [0, 0];
    try {
      const lines = to > from ? await fetchLines(this.ask, from, to) : [];
      if (log.era === era && log.putBefore(to, lines)) this.changed();
    } catch {
      // The kernel is busy, or gone: a later message, or the person, asks again.
    }
    this.timer = 0;
    // Other lines have come meanwhile, in place of those that these were to stand before.
    if (log.era !== era) this.look();
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = 0;
  }
}
