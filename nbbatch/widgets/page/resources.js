// What was asked for, given and used.

function resources() {
  const element = h("dl", { className: "nbb-facts" });
  const rows = ["Asked", "Given", "Nodes", "Where", "Peak"].map((name) => {
    const value = h("dd");
    element.append(h("div", {}, h("dt", {}, name), value));
    return value;
  });
  const draw = (card) => {
    const texts = [card.asked, card.given, card.nodes, card.place, card.peak];
    rows.forEach((row, i) => {
      say(row, texts[i]);
      row.parentElement.hidden = !texts[i];
    });
  };
  return { element, draw };
}
