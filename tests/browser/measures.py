"""What is measured of a page inside the browser, as JavaScript functions for `Page.evaluate`."""

from __future__ import annotations

from typing import Final

# Ratio and beginning of each element of ours with text. What lies under a fixed banner keeps axe from telling its
# background, so it is computed here as well (WCAG 2.2, 1.4.3 and "relative luminance").
CONTRASTS: Final = """() => {
  const context = Object.assign(document.createElement("canvas"), {width: 1, height: 1})
    .getContext("2d", {willReadFrequently: true});
  const channels = (color) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    return context.getImageData(0, 0, 1, 1).data;
  };
  const luminance = ([...rgba]) => rgba.slice(0, 3).map((value) => value / 255)
    .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
  const background = (element) => {
    const color = element && channels(getComputedStyle(element).backgroundColor);
    return !element ? channels("canvas") : color[3] === 255 ? color : background(element.parentElement);
  };
  const hasText = (element) => [...element.childNodes].some(({nodeType, data}) => nodeType === 3 && data.trim());
  return [...document.querySelectorAll(".ck, .ck *")]
    .filter((element) => hasText(element) && element.checkVisibility({visibilityProperty: true}))
    .map((element) => {
      const [text, ground] = [channels(getComputedStyle(element).color), background(element)].map(luminance);
      const ratio = (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
      return [Math.round(ratio * 100) / 100, element.outerHTML.slice(0, 100)];
    });
}"""

# Every computed property of each element that a selector names, and its size.
STYLES: Final = """selector => [...document.querySelectorAll(selector)].map((element) => {
  const {width, height} = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  return {
    width: Math.round(width * 10) / 10, height: Math.round(height * 10) / 10,
    style: Object.fromEntries([...style].map((name) => [name, style.getPropertyValue(name)])),
  };
})"""

# Elements of ours that stand out of the window, or whose text does not fit into them.
MISFITS: Final = """() => {
  // What is there for ears alone, or unfolds when it is pointed at, is narrow by design.
  const shown = [...document.querySelectorAll(".ck, .ck *")].filter((element) => element.checkVisibility()
    && element.getClientRects().length && !element.closest(".ck-unseen, .ck-back, thead, svg"));
  const outside = shown.filter((element) => {
    const {left, right} = element.getBoundingClientRect();
    return left < -0.5 || right > document.documentElement.clientWidth + 0.5;
  });
  const cut = shown.filter((element) => {
    const {display, overflowY} = getComputedStyle(element);
    return display !== "inline" && (element.scrollWidth > element.clientWidth + 1
      || (!["auto", "scroll"].includes(overflowY) && element.scrollHeight > element.clientHeight + 1));
  });
  return [...new Set([...outside, ...cut])].map((element) => element.outerHTML.slice(0, 100));
}"""

# The page's markup, and which elements of it can be seen.
SHOWN: Final = """() => [document.documentElement.outerHTML,
  ...[...document.querySelectorAll("*")].map((element) =>
    element.checkVisibility({visibilityProperty: true, opacityProperty: true, contentVisibilityAuto: true}))]"""

# WCAG 2.2, 1.4.12.
SPACE_TEXT: Final = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`p { margin-block-end: 2em !important } * {
    line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }`);
  document.adoptedStyleSheets = [sheet];
}"""

# What has the focus: who it is, how its outline is drawn, and what of it is hidden.
FOCUS: Final = """() => {
  const focused = document.activeElement;
  if (!focused || focused === document.body || focused === document.documentElement) return null;
  const {ariaLabel, labels, textContent} = focused;
  // A tile whose link fills it shows the focus itself.
  const outlines = [focused, focused.closest(".ck-tile")].filter(Boolean).map((each) => getComputedStyle(each));
  const {left, right, top, bottom} = focused.getClientRects()[0] ?? focused.getBoundingClientRect();
  const at = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
  const layers = [...document.querySelectorAll(".ck, .ck *")].filter((layer) => !layer.contains(focused)
    && layer.checkVisibility() && ["fixed", "sticky"].includes(getComputedStyle(layer).position));
  return {
    name: ariaLabel ?? labels?.[0]?.textContent.trim() ?? textContent.trim(),
    markup: focused.outerHTML.slice(0, 120),
    outline: Math.max(...outlines.map(({outlineStyle, outlineWidth}) =>
      outlineStyle === "none" ? 0 : parseFloat(outlineWidth))),
    isSeen: !!at && (focused.contains(at) || at.contains(focused) || at.tagName === "LABEL"),
    isCovered: layers.some((layer) => {
      const over = layer.getBoundingClientRect();
      return left < over.right && right > over.left && top < over.bottom && bottom > over.top;
    }),
  };
}"""
