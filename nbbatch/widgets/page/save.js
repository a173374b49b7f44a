// A log leaves the page, as a file.

// Ask for the whole log piece by piece: what was not taken yet is not sent, so a slow line holds
// nothing else up. Each piece is handed to the browser at once, which keeps it out of the page.
async function wholeLog(ask, progress) {
  const parts = [];
  let size = 0;
  let at = 0;
  for (;;) {
    const { next, end, of, buffers } = await ask({ ask: "download", at });
    parts.push(new Blob(buffers));
    size += buffers.reduce((sum, { byteLength }) => sum + byteLength, 0);
    progress(size, of);
    if (end) return new Blob(parts, { type: "text/plain" });
    at = next;
  }
}

function linesBlob(lines) {
  return new Blob([lines.map((line) => `${seenText(line)}\n`).join("")], { type: "text/plain" });
}

function saveBlob(blob, name) {
  const link = h("a", { href: URL.createObjectURL(blob), download: `${fileName(name)}.log` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function fileName(name) {
  return name.replace(/[^\w.-]+/g, "_").replace(/^[._]+/, "").slice(0, 100) || "job";
}
