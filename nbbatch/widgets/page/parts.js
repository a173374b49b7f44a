// The nodes of a job, or the children of an array, as a grid of small squares.
//
// One of them takes part in the tab order, the arrow keys move among them; what the one looked
// at does is told below. `open(cell)`, where given, is what a click or Enter does.

const PART_NAMES = {
  node: ["Node", "Nodes"],
  child: ["Child", "Children"],
  worker: ["Worker", "Workers"],
};

function partsGrid(open = null) {
  const title = h("span", { className: "nbb-parts-title" });
  const counts = h("span", { className: "nbb-counts" });
  const box = h("div", { className: "nbb-cells", role: "listbox" });
  const line = h("div", { className: "nbb-part-line" });
  const top = h("div", { className: "nbb-parts-top" }, title, counts);
  const element = h("div", { className: "nbb-parts" }, top, box, line);
  const made = new Map(); // index -> its square
  let parts = null;
  let order = "";
  let current = null; // the index of the one in the tab order
  let pinned = null; // the index of the one that was clicked

  const cellOf = (square) => parts.cells.find(({ index }) => String(index) === square?.dataset.index);
  const tell = (cell) => {
    const shown = cell ?? parts.cells.find(({ index }) => index === pinned);
    say(line, shown ? spokenPart(parts.kind, shown) : "");
  };
  const enter = (square) => {
    made.get(current)?.setAttribute("tabindex", "-1");
    current = Number(square.dataset.index);
    square.setAttribute("tabindex", "0");
    tell(cellOf(square));
  };
  const pick = (square) => {
    const cell = cellOf(square);
    if (!cell) return;
    made.get(pinned)?.setAttribute("aria-selected", "false");
    pinned = cell.index;
    square.setAttribute("aria-selected", "true");
    tell(cell);
    open?.(cell);
  };
  const squareAt = (event) => event.target.closest?.(".nbb-cell");
  box.addEventListener("focusin", (event) => enter(event.target));
  box.addEventListener("focusout", () => tell(null));
  box.addEventListener("pointerover", (event) => squareAt(event) && tell(cellOf(squareAt(event))));
  box.addEventListener("pointerleave", () => tell(null));
  box.addEventListener("click", (event) => squareAt(event) && pick(squareAt(event)));
  box.addEventListener("keydown", (event) => {
    const squares = [...box.children];
    if (event.key === "Enter" || event.key === " ") pick(event.target);
    else {
      const to = movedTo(event.key, squares.indexOf(event.target), squares.length, perRow(squares));
      if (to === null) return;
      squares[to].focus();
    }
    event.preventDefault();
    event.stopPropagation(); // the notebook's own shortcuts
  });

  const arrange = () => {
    const wanted = parts.cells.map(({ index }) => index);
    if (wanted.join() === order) return;
    order = wanted.join();
    const focused = box.contains(document.activeElement) ? document.activeElement : null;
    for (const [index, square] of made) {
      if (!wanted.includes(index)) square.remove(), made.delete(index);
    }
    box.replaceChildren(...wanted.map((index) => made.get(index)));
    if (!made.has(current)) enter(box.firstChild);
    focused?.focus();
  };
  const draw = (card) => {
    parts = card.parts ?? null;
    hide(element, !parts?.cells.length);
    if (element.hidden) return;
    const [one, many] = PART_NAMES[parts.kind] ?? PART_NAMES.child;
    const total = parts.counts.reduce((sum, [, count]) => sum + count, 0);
    const cut = parts.cells.length < total ? `, ${parts.cells.length.toLocaleString("en")} shown` : "";
    say(title, `${total.toLocaleString("en")} ${(total === 1 ? one : many).toLowerCase()}${cut}`);
    setAttr(box, "aria-label", many);
    drawCounts(counts, parts);
    for (const cell of parts.cells) {
      if (!made.has(cell.index)) made.set(cell.index, partSquare(cell.index));
      paintPart(made.get(cell.index), parts.kind, cell);
    }
    arrange();
    tell(cellOf(document.activeElement));
  };
  return { element, draw };
}

function partSquare(index) {
  return h("div", { className: "nbb-cell", role: "option", tabindex: "-1", "data-index": index,
    "aria-selected": "false" }, h("span", { "aria-hidden": "true" }));
}

function paintPart(square, kind, cell) {
  setAttr(square, "data-tone", cell.tone);
  setAttr(square, "aria-label", spokenPart(kind, cell));
  setAttr(square, "title", spokenPart(kind, cell));
  say(square.firstChild, cell.mark);
}

function spokenPart(kind, { index, word, text }) {
  const [one] = PART_NAMES[kind] ?? PART_NAMES.child;
  return `${one} ${index}: ${word.toLowerCase()}${text ? ` · ${text}` : ""}`;
}

function drawCounts(element, { counts, cells }) {
  const looks = new Map(cells.map(({ word, mark, tone }) => [word, { mark, tone }]));
  fitChildren(element, counts.length, () => h("span", { className: "nbb-part-count" },
    h("span", { className: "nbb-part-mark", "aria-hidden": "true" }), h("span")))
    .forEach((item, i) => {
      const [word, count] = counts[i];
      const { mark, tone } = looks.get(word) ?? { mark: "", tone: "" };
      setAttr(item, "data-tone", tone);
      say(item.children[0], mark);
      say(item.children[1], `${count.toLocaleString("en")} ${word.toLowerCase()}`);
    });
}

function perRow(squares) {
  const top = squares[0]?.offsetTop;
  const next = squares.findIndex((square) => square.offsetTop !== top);
  return next < 0 ? squares.length || 1 : next;
}
