"""A small scan of JavaScript, enough to see how long its functions are and where its names are declared.

It knows what the package's own scripts are written in: `const`, `let`, functions, arrows and methods; no classes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# What says nothing of names and brackets: comments, texts, regular expressions. A template's inside is taken for text.
QUIET = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`"""
    r"""|(?<=[(,=:\[!&|?{};])\s*/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+/[a-z]*""",
    re.DOTALL,
)
NAME = re.compile(r"[A-Za-z_$][\w$]*")
CLOSED_BY = {"(": ")", "[": "]", "{": "}"}
CONTROL = {"if", "for", "while", "switch", "catch", "with"}


@dataclass(frozen=True)
class Function:
    """Where a function's parameters begin and end, and where all of it ends, as offsets."""

    start: int
    parameters_end: int
    end: int


@dataclass(frozen=True)
class Declared:
    """A name, where it is declared, and from where to where it means that."""

    name: str
    at: int
    start: int
    end: int


class Script:
    """The text of one module."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.code = QUIET.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
        self.pairs: dict[int, int] = {}
        opened: list[int] = []
        for at, character in enumerate(self.code):
            if character in CLOSED_BY:
                opened.append(at)
            elif character in CLOSED_BY.values():
                start = opened.pop()
                assert CLOSED_BY[self.code[start]] == character, f"brackets in line {self.line(at)}"
                self.pairs[start] = at
        assert not opened
        self.starts = {end: start for start, end in self.pairs.items()}

    def line(self, at: int) -> int:
        """The line of an offset, from 1."""
        return self.code.count("\n", 0, at) + 1

    def lines(self, function: Function) -> int:
        """How many lines a function has."""
        return self.line(function.end) - self.line(function.start) + 1

    def functions(self) -> Iterator[Function]:
        """All functions, also those without a name and those in another."""
        for found in re.finditer(r"=>\s*", self.code):
            last = len(self.code[: found.start()].rstrip()) - 1
            if self.code[last] == ")":
                start = self.starts[last]
            else:
                start = last + 1 - len(re.split(r"[^\w$]", self.code[: last + 1])[-1])
            yield Function(start, last + 1, self._end_of(found.end()))
        for found in re.finditer(r"\)\s*{", self.code):
            start = self.starts[found.start()]
            before = re.search(r"([\w$]+)\s*$", self.code[:start])
            if before and before[1] not in CONTROL:
                yield Function(start, found.start() + 1, self.pairs[found.end() - 1])

    def _end_of(self, at: int) -> int:
        # Of a block, or of the one expression or statement that begins here.
        if self.code[at] == "{":
            return self.pairs[at]
        while at < len(self.code) and self.code[at] not in ",;)]}":
            at = self.pairs.get(at, at) + 1
        return at

    def declared(self) -> Iterator[Declared]:
        """Every name that is declared, by parameters too."""
        for function in self.functions():
            parameters = self.code[function.start : function.parameters_end]
            for name in names_in(parameters):
                yield Declared(name, function.start, function.start, function.end)
        for found in re.finditer(
            r"\b(?:const|let)\s+|\bfunction\s+(?=\w)|^import\s+", self.code, re.MULTILINE
        ):
            start, end = self._scope(found.start())
            for name in names_in(self._pattern(found.end())):
                yield Declared(name, found.end(), start, end)

    def _pattern(self, at: int) -> str:
        end = at
        while not re.match(r"[=;]|\s(?:of|in|from)\s|\(|$", self.code[end:]):
            end = self.pairs.get(end, end) + 1
        return self.code[at:end]

    def _scope(self, at: int) -> tuple[int, int]:
        around = [pair for pair in self.pairs.items() if pair[0] < at < pair[1]]
        start, end = max(around, default=(0, len(self.code)))
        if self.code[start] != "(" or not around:
            return start, end
        # The head of a loop: it holds in the loop's body too.
        body = end + 1
        while self.code[body].isspace():
            body += 1
        return start, self._end_of(body)


def names_in(pattern: str) -> set[str]:
    """The names that a parameter list or the left of a declaration makes."""
    without_defaults = re.sub(r"=\s*(?:{[^}]*}|\[[^\]]*\]|[^,}\])]+)", "", pattern)
    return set(NAME.findall(re.sub(r"[\w$]+\s*:", "", without_defaults)))


def names_at_the_top(text: str) -> list[str]:
    """The names that a module declares outside its functions, imports apart."""
    found = re.finditer(
        r"^(?:export )?(?:async )?(?:const|let|function) (\w+)", Script(text).code, re.MULTILINE
    )
    return [one[1] for one in found]


def long_functions(text: str, most: int) -> list[str]:
    """The functions of more lines, unless the line before says "Long, because …"."""
    script, lines = Script(text), text.splitlines()
    found = []
    for function in script.functions():
        line = script.line(function.start)
        if script.lines(function) > most and "// Long, because" not in lines[max(0, line - 2)]:
            found.append(f"line {line} begins a function of {script.lines(function)} lines")
    return found


def unclear_names(text: str) -> list[str]:
    """The names that are used above the line that declares them, or hide another of the same name."""
    script = Script(text)
    declared = list(script.declared())
    found = set()
    for one in declared:
        used = rf"(?<![.\w$]){re.escape(one.name)}(?![\w$]|\s*:)"
        before = re.search(used, script.code[one.start : one.at])
        if before and one.at != one.start:
            found.add(f"{one.name} is used in line {script.line(one.start + before.start())}, above its own")
        for other in declared:
            if other.name == one.name and (one.start < other.start and other.end <= one.end):
                found.add(f"{one.name} hides another in line {script.line(other.at)}")
    return sorted(found)
