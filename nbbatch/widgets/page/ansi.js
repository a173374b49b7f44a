// What a terminal would make of a line: text in styles. Sequences that are no style vanish, as
// control characters do; a hyperlink is its text.

const ESCAPE =
  /\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~]?)/g;
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
const UNCLEAN = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/;
const PLAIN_STYLE = Object.freeze({ fg: null, bg: null });
const STYLE_FLAGS = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike" };
const STYLE_ENDS = { 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 27: ["inverse"],
  29: ["strike"] };
// xterm's; where only the text is coloured, log.css has others that stand out in each theme.
const PALETTE = ["000000", "cd3131", "0a8a45", "b58900", "2472c8", "bc3fbc", "11a8cd", "d0d0d0",
  "666666", "f14c4c", "23d18b", "f5f543", "3b8eea", "d670d6", "29b8db", "ffffff"]
  .map((text) => [0, 2, 4].map((at) => parseInt(text.slice(at, at + 2), 16)));

// Return the style after a "select graphic rendition" sequence.
function restyled(style, parameters) {
  const next = { ...style };
  const codes = parameters.split(";");
  for (let i = 0; i < codes.length; i++) {
    const [code, ...more] = codes[i].split(":").map(Number);
    if (!code) for (const name of Object.keys(next)) next[name] = null;
    else if (STYLE_FLAGS[code]) next[STYLE_FLAGS[code]] = code !== 4 || more[0] !== 0 || null;
    else if (STYLE_ENDS[code]) for (const name of STYLE_ENDS[code]) next[name] = null;
    else if (code === 38 || code === 48) {
      const rest = more.length ? more : codes.slice(i + 1).map(Number);
      if (!more.length) i += rest[0] === 5 ? 2 : 4;
      next[code === 38 ? "fg" : "bg"] = ansiExtended(rest);
    } else ansiColour(next, code);
  }
  return Object.values(next).some((value) => value !== null) ? next : PLAIN_STYLE;
}

function ansiColour(style, code) {
  const bright = code >= 90;
  const part = code < 40 || (bright && code < 100) ? "fg" : "bg";
  const at = code % 10;
  if (code === 39 || code === 49) style[part] = null;
  else if (at < 8 && ((code >= 30 && code < 48) || (bright && code < 108)))
    style[part] = at + (bright ? 8 : 0);
}

// A colour of 256 is its number where it is one of the first 16, else an array of three.
function ansiExtended([kind, ...rest]) {
  const numbers = rest.length > 3 ? rest.slice(-3) : rest;
  const byte = (value) => Math.min(255, Math.max(0, value | 0));
  if (kind === 2) return [0, 1, 2].map((at) => byte(numbers[at]));
  const n = byte(rest[0]);
  if (kind !== 5 || n < 16) return kind === 5 ? n : null;
  if (n > 231) return Array(3).fill(8 + 10 * (n - 232));
  return [36, 6, 1].map((by) => Math.floor((n - 16) / by) % 6).map((v) => v && 55 + 40 * v);
}

function styleAfter(text, style) {
  if (!text.includes("\x1b[")) return style;
  for (const [, parameters, final] of text.matchAll(ESCAPE))
    if (final === "m") style = restyled(style, parameters);
  return style;
}

// Return [text, style] pairs: what is seen of a line that begins in a style.
function styledPieces(line, style) {
  if (line.includes("\r") || /\x1b\[[0-2]?K/.test(line)) return overwritten(line, style);
  const pieces = [];
  let at = 0;
  const add = (text) => {
    const clean = UNCLEAN.test(text) ? text.replace(CONTROL, "") : text;
    const last = pieces[pieces.length - 1];
    if (last && last[1] === style) last[0] += clean;
    else if (clean) pieces.push([clean, style]);
  };
  for (const match of line.matchAll(ESCAPE)) {
    add(line.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[2] === "m") style = restyled(style, match[1]);
  }
  add(line.slice(at));
  return pieces;
}

// A return goes back to the first column: what comes next covers what stands there.
function overwritten(line, style) {
  const cells = [];
  let column = 0;
  const put = (text) => {
    for (const sign of text) {
      if (sign === "\r") column = 0;
      else if (!UNCLEAN.test(sign)) {
        while (cells.length < column) cells.push([" ", PLAIN_STYLE]);
        cells[column++] = [sign, style];
      }
    }
  };
  let at = 0;
  for (const match of line.matchAll(ESCAPE)) {
    put(line.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[2] === "m") style = restyled(style, match[1]);
    else if (match[2] === "K" && match[1] === "2") cells.length = 0;
    else if (match[2] === "K" && match[1] !== "1") cells.length = Math.min(cells.length, column);
  }
  put(line.slice(at));
  const pieces = [];
  for (const [sign, its] of cells) {
    const last = pieces[pieces.length - 1];
    if (last && last[1] === its) last[0] += sign;
    else pieces.push([sign, its]);
  }
  return pieces;
}

function styledSpan(text, style) {
  const span = h("span", {}, text);
  const { fg, bg, inverse } = style;
  for (const name of ["bold", "dim", "italic", "underline", "strike"])
    if (style[name]) span.classList.add(`nbb-${name}`);
  if (inverse && fg === null && bg === null) span.classList.add("nbb-inverse");
  else if (inverse) onBackground(span, bg, fg ?? 7);
  else if (bg !== null) onBackground(span, fg, bg);
  else if (typeof fg === "number") span.classList.add(`nbb-ansi${fg}`);
  else if (fg) ansiReadable(span, fg);
  return span;
}

const ansiRgb = (numbers) => `rgb(${numbers.map(Math.round).join(",")})`;

// A job that says both colours gets both, unless nobody could read that.
function onBackground(span, fg, bg) {
  const under = typeof bg === "number" ? PALETTE[bg] : bg;
  const over = typeof fg === "number" ? PALETTE[fg] : fg;
  const best = ansiContrast(under, [0, 0, 0]) > ansiContrast(under, [255, 255, 255]) ? 0 : 255;
  span.style.backgroundColor = ansiRgb(under);
  const seen = over && ansiContrast(over, under) >= 4.5;
  span.style.color = ansiRgb(seen ? over : [best, best, best]);
}

// A colour that was made for another background is moved to black or white until it stands out.
const readableColours = new Map();

function ansiReadable(span, fg) {
  const key = ansiRgb(fg);
  if (readableColours.size > 4096) readableColours.clear();
  if (!readableColours.has(key))
    readableColours.set(key, [standingOut(fg, [245, 245, 245], 0), standingOut(fg, [33, 33, 33], 255)]);
  const [light, dark] = readableColours.get(key);
  span.className += " nbb-rgb";
  span.style.setProperty("--nbb-light", light);
  span.style.setProperty("--nbb-dark", dark);
}

function standingOut(fg, under, goal) {
  let mixed = fg;
  for (let part = 0; part <= 1 && ansiContrast(mixed, under) < 4.6; part += 0.1)
    mixed = fg.map((value) => value + (goal - value) * part);
  return ansiRgb(mixed);
}

function ansiContrast(a, b) {
  const [low, high] = [ansiLuminance(a), ansiLuminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

function ansiLuminance(numbers) {
  const [r, g, b] = numbers.map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
