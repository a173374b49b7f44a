"""WCAG's contrast, computed in the page from what it really paints."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

#: Parts of a card that say something by their form: selector, and which colour draws them.
GRAPHICS = [
    [".nbb-card", "borderLeftColor"],
    [".nbb-mark, .nbb-part-mark, .nbb-copy-icon", "color"],
    [".nbb-done .nbb-segment, .nbb-now .nbb-segment, .nbb-bar, .nbb-peak", "backgroundColor"],
    [".nbb-next .nbb-segment, .nbb-limit, .nbb-cell", "borderTopColor"],
    [".nbb-area", "stroke"],
]

_TOOLS = """
const pen = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
const rgba = colour => {
  pen.clearRect(0, 0, 1, 1);
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
};
const over = ([r, g, b, a], under) => [r, g, b].map((v, i) => v * a + under[i] * (1 - a));
const behind = el => el
  ? over(rgba(getComputedStyle(el).backgroundColor), behind(el.parentElement))
  : [255, 255, 255];
const opacity = el => el ? Number(getComputedStyle(el).opacity) * opacity(el.parentElement) : 1;
const luminance = rgb => rgb
  .map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const contrast = (el, colour, under) => {
  const [r, g, b, a] = rgba(colour);
  const [x, y] = [over([r, g, b, a * opacity(el)], under), under].map(luminance);
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
};
const shown = el => el.checkVisibility({ visibilityProperty: true })
  && !el.closest(':disabled, .nbb-aside');
"""

#: Returns [text, contrast] of every text of the cards that has less than 4.5 to 1.
CONTRAST = f"""() => {{ {_TOOLS}
  const low = [];
  for (const card of document.querySelectorAll('.nbb')) {{
    const walk = document.createTreeWalker(card, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {{
      const el = walk.currentNode.parentElement;
      if (el.closest('[aria-hidden]') || !shown(el)) continue;
      const ratio = contrast(el, getComputedStyle(el).color, behind(el));
      if (ratio < 4.5) low.push([walk.currentNode.textContent, ratio]);
    }}
  }}
  return low;
}}"""

_GRAPHICS = f"""graphics => {{ {_TOOLS}
  const low = [];
  let seen = 0;
  for (const [selector, property] of graphics) {{
    for (const el of document.querySelectorAll(selector)) {{
      if (!shown(el)) continue;
      seen += 1;
      const ratio = contrast(el, getComputedStyle(el)[property], behind(el.parentElement));
      if (ratio < 3) low.push([el.className.baseVal ?? el.className, property, ratio]);
    }}
  }}
  return [seen, low];
}}"""


def faint_texts(page: Page) -> list[Any]:
    """Return the cards' texts that stand out less than 4.5 to 1."""
    return list(page.evaluate(CONTRAST))


def faint_graphics(page: Page, graphics: list[list[str]] = GRAPHICS) -> list[Any]:
    """Return the cards' drawings that stand out less than 3 to 1."""
    seen, low = page.evaluate(_GRAPHICS, graphics)
    assert seen > (10 if graphics is GRAPHICS else 0)
    return list(low)
