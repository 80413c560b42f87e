"""Everything that the audit can hold has a name in words."""

from __future__ import annotations

import ast
import re
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

import consentkit
from consentkit.admin.actionnames import action_names
from consentkit.web.texts import Texts

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGE: Final = Path(consentkit.__file__).parent
# What takes an action of the audit, and what one looks like.
_TAKERS: Final = frozenset({"Entry", "record", "append", "change", "write", "_record", "record_page", "_page"})
_ACTION: Final = re.compile(r"[a-z-]+(?:\.[a-z_-]+)+")


def test_each_action_of_the_audit_has_a_name_and_nothing_else_has() -> None:
    written = set(_written())

    named = set(action_names(Texts(("en",), domain="admin")["en"]))

    assert len(written) > 80
    assert named == written


@pytest.mark.parametrize("language", ["lv", "ru", "et", "lt"])
def test_no_two_actions_are_called_the_same(language: str) -> None:
    names = list(action_names(Texts((language,), domain="admin")[language]).values())

    assert sorted(names) == sorted(set(names))


def _written() -> Iterator[str]:
    """Yield the actions that the package writes into the audit, from its source."""
    trees = [ast.parse(path.read_text("utf-8")) for path in sorted(_PACKAGE.rglob("*.py"))]
    shared = set(chain.from_iterable(map(_constants, trees)))
    for tree in trees:
        own = set(_constants(tree))
        names = {name for name, _ in own}
        constants = own | {(name, value) for name, value in shared if name not in names}
        for part in _arguments(tree):
            said = (
                {part.value} if isinstance(part, ast.Constant) else {v for n, v in constants if n == _name(part)}
            )
            yield from (text for text in said if isinstance(text, str) and _ACTION.fullmatch(text))


def _arguments(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield what is handed to all that takes an action; a list's own `append` takes one argument alone."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or _name(call.func) not in _TAKERS:
            continue
        if _name(call.func) != "append" or len(call.args) > 1:
            named = [keyword.value for keyword in call.keywords if keyword.arg == "action"]
            yield from chain.from_iterable(map(ast.walk, [*call.args, *named]))


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the texts that a module names, as in ``DONE: Final = "retention.run"``."""
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if _name(target).isupper() and isinstance(node.value.value, str):
                yield _name(target), node.value.value
