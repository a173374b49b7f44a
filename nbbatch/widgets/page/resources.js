// What was asked for and given, and where it runs.

const MAX_SHOWN = 64;

function resources() {
  const element = h("dl", { className: "nbb-facts" });
  const rows = new Map(); // name -> its row: a name keeps its place, its focus, its copy button
  const draw = (card) => {
    const texts = resourceRows(card);
    for (const [name, row] of rows) {
      if (texts.some(([each]) => each === name)) continue;
      row.element.remove();
      rows.delete(name);
    }
    for (const [name, text] of texts) {
      if (!rows.has(name)) rows.set(name, resourceRow(name));
      const row = rows.get(name);
      row.draw(text);
      if (!row.element.isConnected) element.append(row.element);
    }
    hide(element, !texts.length);
  };
  return { element, draw };
}

function resourceRows(card) {
  const details = card.details?.length ? card.details : [["Where", card.place]];
  const peak = card.usage.length ? "" : card.peak;
  const nodes = card.parts ? "" : card.nodes;
  const given = card.given && card.given === card.asked ? "as asked" : card.given;
  const asked = [["Asked", card.asked], ["Given", given], ["Nodes", nodes]];
  return [...asked, ...details, ["Peak", peak]].filter(([, text]) => text);
}

function resourceRow(name) {
  const value = h("span", { className: "nbb-value" });
  const copy = copier(name.toLowerCase());
  const element = h("div", {}, h("dt", {}, name), h("dd", {}, value, copy.element));
  const draw = (text) => {
    // Only names are cut; a sentence wraps.
    element.classList.toggle("nbb-long", text.length > 36);
    const short = text.includes(" ") ? text : shortened(text, MAX_SHOWN);
    say(value, short);
    setAttr(value, "title", short === text ? "" : text);
    hide(copy.element, short === text && name !== "Image");
    if (!copy.element.hidden) copy.set(text);
  };
  return { element, draw };
}
