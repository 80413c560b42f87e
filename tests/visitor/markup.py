"""Markup read back, for tests that look at what was rendered."""

from __future__ import annotations

from html.parser import HTMLParser

_VOID = frozenset({"br", "input", "link", "meta", "path"})


class Markup(HTMLParser):
    """Elements of a piece of markup, their attributes, and whether all were closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._words: list[str] = []
        self.is_nested = True
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.is_nested = self.is_nested and not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"{tag} repeats an attribute"
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.is_nested = self.is_nested and bool(self._open) and self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self._words += data.split()

    @property
    def text(self) -> str:
        """All words, one space between them."""
        return " ".join(self._words)

    def find(self, tag: str = "", **wanted: str) -> list[dict[str, str | None]]:
        """Attributes of the elements that have all those wanted; ``_`` in a name stands for ``-``."""
        return [
            attributes
            for name, attributes in self.elements
            if (not tag or name == tag)
            and all(attributes.get(key.replace("_", "-")) == value for key, value in wanted.items())
        ]
