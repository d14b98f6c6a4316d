"""The browser's modules: how they become one text for a widget, and how they are written."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.support.javascript import long_functions, names_at_the_top, unclear_names
from ttapi_nb.widgets.act import Act
from ttapi_nb.widgets.browser import STATIC, Part, PhotoInput, module, scripts_of
from ttapi_nb.widgets.compare import Compare, Download
from ttapi_nb.widgets.copier import Copier
from ttapi_nb.widgets.drawer import Stage
from ttapi_nb.widgets.history.grid import RunGrid
from ttapi_nb.widgets.key import KeyInput
from ttapi_nb.widgets.prompt import PromptBox
from ttapi_nb.widgets.tray import SessionTray

SCRIPTS = sorted(STATIC.rglob("*.js"))
WIDGETS: dict[str, type[Part]] = {
    "act.js": Act,
    "compare.js": Compare,
    "copier.js": Copier,
    "download.js": Download,
    "history.js": RunGrid,
    "key_input.js": KeyInput,
    "photo_input.js": PhotoInput,
    "prompt.js": PromptBox,
    "stage.js": Stage,
    "tray.js": SessionTray,
}
MOST_LINES = 400
MOST_IN_FUNCTION = 80


def named(path: Path) -> str:
    """A script by its place in the folder of all scripts."""
    return path.relative_to(STATIC).as_posix()


def words_of(text: str) -> list[str]:
    """What a script says, but for how its lines are set and what it exports."""
    return [word for word in text.split() if word != "export"]


def test_each_widget_has_one_module_and_no_script_is_left_over() -> None:
    """Every script is a widget's own or imported by one, and what a widget has is what its script and those make."""
    assert {name: module(name).default_value for name in WIDGETS} == {
        name: widget._esm.default_value for name, widget in WIDGETS.items()
    }
    assert {script for name in WIDGETS for script in scripts_of(name)} == {named(path) for path in SCRIPTS}


@pytest.mark.parametrize("name", WIDGETS)
def test_a_widgets_module_stands_by_itself(name: str) -> None:
    """It imports nothing, exports only what anywidget asks for, and has all that its scripts have."""
    text = str(module(name).default_value)
    assert re.findall(r"^\s*import\b.*", text, re.MULTILINE) == []
    assert [line.split()[1] for line in re.findall(r"^export .*", text, re.MULTILINE)] == ["default"]
    scripts = "".join(scripts_of(name).values())
    assert words_of(text) == words_of(re.sub(r"^import .*", "", scripts, flags=re.MULTILINE))


@pytest.mark.parametrize("name", WIDGETS)
def test_scripts_come_after_those_that_they_import(name: str) -> None:
    """A script's names are there before another's top needs them, and no two scripts have the same one."""
    order = list(scripts_of(name))
    assert order[-1] == name
    for at, script in enumerate(order):
        wanted = re.findall(r'from "(\.[^"]+)"', scripts_of(name)[script])
        paths = {((STATIC / script).parent / other).resolve() for other in wanted}
        assert paths <= {(STATIC / earlier).resolve() for earlier in order[:at]}
    names = Counter(name for text in scripts_of(name).values() for name in names_at_the_top(text))
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_scripts_are_read_in_one_sitting(path: Path) -> None:
    """A file has at most 400 lines and a function 80, or "// Long, because" says why."""
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MOST_LINES or "// Long, because" in text.split("\n\n")[0]
    assert long_functions(text, MOST_IN_FUNCTION) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_names_are_declared_before_they_are_used(path: Path) -> None:
    """No name is used above the line that declares it, and none hides another."""
    assert unclear_names(path.read_text(encoding="utf-8")) == []


LONG = "  a();\n" * 81


@pytest.mark.parametrize(
    "text",
    [
        "function b() {\n" + LONG + "}\n",
        "const b = async () => {\n" + LONG + "};\n",
        "const c = { b(x) {\n" + LONG + "} };\n",
        "const b = x => (\n" + LONG.replace(";", " +") + "  1\n);\n",
        "function d() {\n  const b = ({ x, y }) => {\n" + LONG + "  };\n}\n",
        'function b() {\n  const x = "}"; // }\n  if (/[}]/.test(x)) {}\n' + LONG + "}\n",
    ],
    ids=["a function", "an arrow", "a method", "an expression", "in another", "brackets in texts"],
)
def test_a_long_function_is_seen(text: str) -> None:
    """However a function is written, 81 lines in it are too many; a reason beside it lets it be."""
    assert long_functions(text, MOST_IN_FUNCTION)
    assert long_functions(re.sub(r"(  a.*\n)+", r"\1", text), MOST_IN_FUNCTION) == []
    line = re.search(r".*\n(?=(  a\(\)|  const x))", text)
    assert line is not None
    excused = text.replace(line[0], f"// Long, because it is a test.\n{line[0]}")
    assert len(long_functions(excused, MOST_IN_FUNCTION)) == len(long_functions(text, MOST_IN_FUNCTION)) - 1


@pytest.mark.parametrize(
    "text",
    [
        "const a = () => b();\nconst b = () => 1;\n",
        "function a() {\n  c(b);\n  let b = 1;\n}\n",
        "b();\nfunction b() {}\n",
        "const b = 1;\nfunction a(b) {}\n",
        "const b = 1;\nconst a = ([c, { d: b }]) => c;\n",
        "import { b } from './x.js';\nfunction a() {\n  for (const b of c) d(b);\n}\n",
        "function a() {\n  const { b } = c;\n  return (d) => {\n    const b = d;\n  };\n}\n",
        "function a() {\n  d(`${e}`, (x) => { const b = x; });\n  const b = 1;\n}\n",
    ],
)
def test_an_unclear_name_is_seen(text: str) -> None:
    """A use above the declaration, or a name that hides another, is found by its name."""
    assert unclear_names(text)
    assert {found.split()[0] for found in unclear_names(text)} == {"b"}


def test_clear_names_are_let_be() -> None:
    """The same name in two functions, as a key, as a property or in a text is no fault."""
    text = (
        'import { e } from "./e.js";\n'
        "function a(b) {\n  return { b, c: b.d };\n}\n"
        "function c({ b = 1 }) {\n  for (const x of b) e(x);\n  for (const x of b) e(x.c);\n}\n"
        'const d = (b) => c({ d: "d", b }); // d\n'
    )
    assert unclear_names(text) == []
