"""The card's page without a notebook: its script and styles in an empty page, a model by hand.

What a front end gives a widget is anywidget's contract (`get`, `set`, `on`, `off`, `send`,
`save_changes`, an element) and nothing else: what works here needs nothing of JupyterLab's.
Themes are JupyterLab's own style sheets, VS Code's variables, or none.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from nbbatch.widgets.card import CardWidget
from tests.browser.lab import keep, patient

_THEMES = Path(sys.prefix) / "share/jupyter/lab/themes/@jupyterlab"
#: JupyterLab's themes: the file's folder, and whether it is light.
JUPYTER = {
    "light": ("theme-light-extension", "true"),
    "dark": ("theme-dark-extension", "false"),
    "contrast": ("theme-dark-high-contrast-extension", "false"),
}
#: Of JupyterLab's core, not of a theme; and what VS Code's default dark theme sets.
_PALETTE = ":root { --md-grey-300: #e0e0e0; --md-red-500: #f44336; --md-green-500: #4caf50; }"
_VSCODE = """:root {
  --vscode-foreground: #cccccc; --vscode-editor-background: #1f1f1f;
  --vscode-button-secondaryBackground: #313131; --vscode-button-secondaryForeground: #cccccc;
  --vscode-widget-border: #313131; --vscode-charts-blue: #59a4f9;
  --vscode-charts-green: #89d185; --vscode-charts-red: #f14c4c;
  --vscode-font-family: system-ui; --vscode-font-size: 13px;
  --vscode-textCodeBlock-background: #2b2b2b;
  --jp-layout-color1: white; --jp-content-font-color1: rgba(0, 0, 0, 0.87);
}"""

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Stage</title>
<meta name="viewport" content="width=device-width">
<style>html { color-scheme: light dark } body { background: Canvas }</style>
</head><body><main><h1>Stage</h1><div id="stage"></div></main></body></html>"""

#: A model as anywidget hands it to a page, and what puts cards on the stage.
_MODELS = """
window.models = {};
class Model {
  sent = []; handlers = new Map(); comm_live = true;
  constructor(traits) { this.traits = traits; }
  get(name) { return this.traits[name]; }
  set(name, value) { this.traits[name] = value; this.emit(`change:${name}`); }
  on(name, react) {
    this.handlers.set(name, [...(this.handlers.get(name) ?? []), react]);
  }
  off(name, react) {
    this.handlers.set(name, (this.handlers.get(name) ?? []).filter(each => each !== react));
  }
  emit(name, ...rest) { for (const react of this.handlers.get(name) ?? []) react(...rest); }
  send(content) { this.sent.push(content); }
  save_changes() {}
}
window.mount = async (key, traits) => {
  const widget = (await import(window.script)).default();
  const model = window.models[key] = new Model(traits);
  await widget.initialize?.({ model });
  const el = document.createElement("div");
  el.id = key;
  document.getElementById("stage").append(el);
  model.leave = await widget.render({ model, el });
};
"""


class Stage:
    """One page with cards on it."""

    def __init__(self, page: Page, widget: type[Any] = CardWidget) -> None:
        self.page = page
        self._widget = widget
        self.errors: list[str] = []
        self._lines: dict[str, int] = {}
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        # From an address of its own: a page without one has no storage.
        page.route("http://stage.test/", lambda route: route.fulfill(
            body=_PAGE, content_type="text/html"))  # fmt: skip
        self.open()

    def open(self) -> None:
        """Load the page anew: the cards are gone, what a browser keeps is not."""
        self.page.goto("http://stage.test/")
        self.page.add_style_tag(content=str(self._widget._css))
        self.page.add_script_tag(content=_MODELS)
        self.page.evaluate(
            "text => window.script = URL.createObjectURL("
            "new Blob([text], { type: 'text/javascript' }))",
            str(self._widget._esm),
        )

    def theme(self, name: str) -> None:
        """Dress the page as ``light``, ``dark``, ``contrast`` (JupyterLab) or ``vscode``."""
        if name in JUPYTER:
            folder, light = JUPYTER[name]
            css = _PALETTE + (_THEMES / folder / "index.css").read_text()
            self.page.evaluate("light => document.body.dataset.jpThemeLight = light", light)
        else:
            css = _VSCODE
            self.page.evaluate("document.body.className = 'vscode-dark'")
        back = "body { background: var(--vscode-editor-background, var(--jp-layout-color1)) }"
        self.page.add_style_tag(content=css + back)

    def card(self, card: dict[str, Any], key: str = "one", **traits: Any) -> None:
        """Put a card on the stage."""
        base = {
            "blocking": True,
            "detachable": True,
            "key": key,
            "asked": "",
            "tail": {},
            "left": {},
        }
        self.page.evaluate(
            "([key, traits]) => window.mount(key, traits)",
            [key, {**base, "card": card, **traits}],
        )

    def mount(self, key: str = "one", **traits: Any) -> None:
        """Put the widget on the stage."""
        self.page.evaluate("([key, traits]) => window.mount(key, traits)", [key, traits])

    def set(self, trait: str, value: Any, key: str = "one") -> None:
        """Change a trait, as the kernel does."""
        self.page.evaluate(
            "([key, name, value]) => window.models[key].set(name, value)", [key, trait, value]
        )

    def log(self, *parts: tuple[str, str], seq: int = 1, key: str = "one") -> None:
        """Send log text, as the kernel does."""
        first = self._lines.get(key, 0)
        self._lines[key] = first + sum(text.count("\n") for _, text in parts)
        said = {"seq": seq, "first": first, "fresh": False, "lost": ""}
        self.tell({"kind": "log", **said, "parts": [list(part) for part in parts]}, key=key)

    def tell(self, message: dict[str, Any], key: str = "one") -> None:
        """Send a message, as the kernel does."""
        self.page.evaluate(
            "([key, message]) => window.models[key].emit('msg:custom', message, [])",
            [key, message],
        )

    def sent(self, key: str = "one") -> list[Any]:
        """Return what the page sent to the kernel."""
        return list(self.page.evaluate("key => window.models[key].sent", key))

    def shot(self, label: str) -> Path:
        """Keep a screenshot of all cards, and of nothing else."""
        path = keep(f"{label}.png")
        self.page.locator("#stage").screenshot(path=path)
        return path

    def violations(self) -> list[tuple[str, list[str]]]:
        """Ask axe-core what a person with a screen reader or a keyboard would trip over."""
        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
        found = Axe().run(self.page, "#stage", options={"runOnly": tags})
        return [
            (each["id"], [node["html"] for node in each["nodes"]])
            for each in found.response["violations"]
        ]


@contextmanager
def staged(
    browser: Browser,
    *,
    width: int = 1000,
    scheme: str = "light",
    widget: type[Any] = CardWidget,
    **options: Any,
) -> Iterator[Stage]:
    """Open a stage in a page of its own; `scheme` is what the system prefers."""
    context = patient(
        browser, viewport={"width": width, "height": 900}, color_scheme=scheme, **options
    )
    try:
        yield Stage(context.new_page(), widget)
    finally:
        context.close()
