// A button that copies a text, and says for a moment that it did.

const COPY_ICON = "M5.5 2.5h8v8M2.5 5.5h8v8h-8z";
const COPIED_MS = 1500;

// `what` names the text for a screen reader; `set` gives it another text to copy.
function copier(what, label = "") {
  let text = "";
  let timer = 0;
  const shown = h("span", {}, label);
  const said = h("span", { className: "nbb-aside", role: "status" });
  const act = async () => {
    said.textContent = (await copyText(text)) ? "Copied" : "This page may not copy";
    element.classList.add("nbb-copied");
    clearTimeout(timer);
    timer = setTimeout(() => {
      said.textContent = "";
      element.classList.remove("nbb-copied");
    }, COPIED_MS);
  };
  const element = textButton("nbb-copy", shown, "", act);
  element.append(svgIcon("nbb-copy-icon", COPY_ICON), svgIcon("nbb-copied-icon", "M3 8.5l3.5 3.5L13 4.5"));
  const set = (value, face = "") => {
    text = value;
    say(shown, face);
    setAttr(element, "title", `Copy ${what}: ${value}`);
    setAttr(element, "aria-label", face ? `${face}, copy ${what}` : `Copy ${what}`);
  };
  return { element: h("span", { className: "nbb-copier" }, element, said), set };
}
