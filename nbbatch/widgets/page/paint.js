// Lines as elements: neighbouring ones of a stream share one, up to a limit.

const CHUNK_LINES = 100; // many small elements are slow to lay out
const MAX_SPANS = 200; // in one line

function chunked(lines) {
  const chunks = [];
  for (const line of lines) {
    const last = chunks[chunks.length - 1];
    if (last && last[0].name === line.name && last.length < CHUNK_LINES) last.push(line);
    else chunks.push([line]);
  }
  return chunks;
}

function paintedChunk(lines) {
  const { name } = lines[0];
  const rows = visibleRows(lines);
  const known = name === "stdout" || name === "stderr" ? ` nbb-${name}` : "";
  const element = h("div", { className: `nbb-lines${known}` });
  element.style.setProperty("--nbb-rows", rows.length);
  let clean = "";
  for (const line of rows) {
    if (!UNCLEAN.test(line.text) && line.style === PLAIN_STYLE) {
      clean += `${seenText(line)}\n`;
      continue;
    }
    if (clean) element.append(clean);
    clean = "\n";
    paintLine(element, line);
  }
  element.append(clean);
  element.nbbLines = lines;
  element.nbbEdit = logEdits;
  return element;
}

function visibleRows(lines) {
  return lines.some(({ hidden }) => hidden) ? lines.filter(({ hidden }) => !hidden) : lines;
}

function paintLine(element, line) {
  let room = MAX_LINE;
  const pieces = styledPieces(line.text, line.style);
  const spans = pieces.slice(0, MAX_SPANS);
  if (pieces.length > MAX_SPANS)
    spans.push([pieces.slice(MAX_SPANS).map(([text]) => text).join(""), PLAIN_STYLE]);
  for (const [text, style] of spans) {
    const shown = text.slice(0, room);
    room -= shown.length;
    if (shown) element.append(style === PLAIN_STYLE ? shown : styledSpan(shown, style));
  }
}
