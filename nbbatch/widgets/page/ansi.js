// ANSI: colours and bold become classes, every other sequence and control disappears.

const ESCAPE =
  /\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~]?)/g;
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

function paint(element, lines) {
  let clean = "";
  for (const line of lines) {
    if (!/[\x00-\x08\x0b-\x1f\x7f-\x9f]/.test(line)) {
      clean += `${line}\n`;
      continue;
    }
    element.append(clean);
    clean = "\n";
    paintLine(element, line);
  }
  element.append(clean);
  return element;
}

function paintLine(element, line) {
  const style = { bold: false, colour: "" };
  let at = 0;
  for (const match of line.matchAll(ESCAPE)) {
    append(element, line.slice(at, match.index), style);
    at = match.index + match[0].length;
    if (match[2] === "m") restyle(style, match[1]);
  }
  append(element, line.slice(at), style);
}

function append(element, text, { bold, colour }) {
  const clean = text.replace(CONTROL, "");
  if (!clean) return;
  const names = [bold && "nbb-bold", colour && `nbb-ansi${colour}`].filter(Boolean).join(" ");
  element.append(names ? h("span", { className: names }, clean) : clean);
}

function restyle(style, parameters) {
  const codes = parameters.split(";").map(Number);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i];
    if (code === 0) Object.assign(style, { bold: false, colour: "" });
    else if (code === 1) style.bold = true;
    else if (code === 22) style.bold = false;
    else if (code === 39) style.colour = "";
    else if (code >= 30 && code <= 37) style.colour = String(code - 30);
    else if (code >= 90 && code <= 97) style.colour = String(code - 90);
    else if (code === 38 || code === 48) i += codes[i + 1] === 5 ? 2 : 4;
  }
}
