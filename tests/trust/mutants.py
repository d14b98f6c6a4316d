"""Whether the tests would notice a mistake in the code that handles money, the key and URLs.

    python tests/trust/mutants.py [how many] [file, or file:line …]

Makes one small mistake at a time in a copy of the package (a mutant), runs the tests that reach the line, and counts
the mutants that no test notices. Prints these, and a table by file; exits with 1 where tests notice less than 90%.

No mistakes are made in words that are only read (texts with a space in them, docstrings, what is logged), in types,
in decorators, or in `__all__`. SQL is code here.

Why this and no library: mutmut leaves out decorated functions and constants, spends most of its mutants on messages,
and calls each function through one of its own, whose frame holds the key that the tests look for in every frame;
cosmic-ray runs all tests for each mutant, and knows neither removed statements nor SQL.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import itertools
import json
import multiprocessing
import os
import queue
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
# Each with the tests that are written for it.
FILES = {
    "client/core.py": ("tests/client/test_client.py",),
    "client/key/file.py": ("tests/client/test_key.py",),
    "client/key/finding.py": ("tests/client/test_key.py",),
    "client/key/ring.py": ("tests/client/test_key.py",),
    "client/key/secret.py": ("tests/client/test_key.py", "tests/client/test_secret.py"),
    "client/transport.py": ("tests/client/test_transport.py",),
    "download.py": ("tests/test_download.py",),
    "run/editing.py": ("tests/run/test_editing.py",),
    "log/budget.py": ("tests/log/test_budget.py",),
    "log/keeping.py": ("tests/log/test_steps.py", "tests/log/test_log.py"),
    "log/log.py": ("tests/log/test_steps.py", "tests/log/test_log.py"),
    "log/pruning.py": ("tests/log/test_log.py",),
    "log/rows.py": ("tests/log/test_rows.py", "tests/log/test_log.py"),
    "log/spending.py": ("tests/log/test_spending.py", "tests/log/test_budget.py", "tests/log/test_log.py"),
    "log/writing.py": ("tests/log/test_steps.py", "tests/log/test_log.py", "tests/log/test_budget.py"),
    "run/run.py": ("tests/run/test_run.py", "tests/test_elsewhere.py", "tests/test_interrupts.py"),
}
TESTS = (
    "tests/client",
    "tests/test_cli.py",
    "tests/test_download.py",
    "tests/test_elsewhere.py",
    "tests/test_interrupts.py",
    "tests/lineage",
    "tests/log",
    "tests/run",
)
COUNT = 400
LOWEST = 90.0
# Seconds: tests of one mutant are run, the quickest first, until they would take so long; and what a start takes.
MOST_TESTING = 25.0
# All tests reach what runs as a module is loaded.
MOST_TESTING_OUTSIDE = 8.0
START = 15.0
WORKERS = 2
WATCHED, SAID = "watched.json", "said.txt"
# No mistakes, as nobody could notice them: by file, by what stands in the line (nothing for any line), and by change;
# with the reason.
EQUIVALENT = {
    (
        "log/writing.py",
        "doubtful = ",
        """(moment(row["started"]) or 0.0) < time.time() - DOUBT  ->  """
        """((moment(row['started']) or 0.0) <= time.time() - DOUBT)""",
    ): "that very moment does not come",
    ("log/writing.py", "doubtful = ", "0.0  ->  (1.0)"): "both are long ago",
    ("log/writing.py", '"started": 0.0', "0.0  ->  (1.0)"): "it is written over before the row is",
    ("log/writing.py", "latest[0] if latest", "0.0  ->  (1.0)"): "the other two are later",
    (
        "log/pruning.py",
        "",
        """(moment(row["started"]) or 0.0) < before  ->  ((moment(row['started']) or 0.0) <= before)""",
    ): "that very moment does not come",
    (
        "log/pruning.py",
        "",
        'db.execute("PRAGMA secure_delete = ON")  ->  pass',
    ): "the SQLite of Debian does so unasked",
    ("log/rows.py", "-1 if most is None", "1  ->  (2)"): "SQLite takes any number below 0 for no limit",
    ("log/rows.py", "NEWEST = ", "256  ->  (257)"): "however many are gone through first, the same are found",
    ("log/rows.py", "PAGE = ", "200  ->  (201)"): "on however many pages, the same are found",
    ("log/rows.py", "max(0, ", "0  ->  (1)"): "the first row is number 1",
    ("log/rows.py", "max(0, ", "1  ->  (2)"): "however many are gone through first, the same are found",
    ("log/spending.py", "_numbers(len(SIZES) - 1, 0", "0  ->  (1)"): "both are in the first sum",
    ("log/spending.py", "times = ", "0.0  ->  (1.0)"): "of a sum that is none nobody reads the times",
    (
        "log/spending.py",
        "",
        "known.least >= self._start  ->  (known.least > self._start)",
    ): "then its rows are asked themselves, which say the same",
    (
        "log/spending.py",
        "",
        "known.earliest >= self._start  ->  (known.earliest > self._start)",
    ): "then its rows are asked themselves, which say the same",
    (
        "log/spending.py",
        "",
        "…(typeof(started) IN ('real', 'integer')) AS plain FROM runs WHERE rowi…  ->  "
        "…(typeof(started) IN ('real', 'other')) AS plain FROM runs WHERE rowid …",
    ): "the column is REAL, so that it holds no whole numbers",
    (
        "log/spending.py",
        "",
        "…(typeof(counted) IN ('real', 'integer')) AND MIN(typeof(started) IN ('…  ->  "
        "…(typeof(counted) IN ('real', 'other')) AND MIN(typeof(started) IN ('re…",
    ): "the column is REAL, so that it holds no whole numbers",
    (
        "log/spending.py",
        "item[0][0] or",
        "\"\"  ->  'x'",
    ): "what has no currency has no costs to put in order",
    (
        "log/spending.py",
        "",
        """row["unmetered"] and "partial_images" in options  ->  (row['unmetered'] or 'partial_images' in options)""",
    ): "either way it comes to 0 where one of the two is missing",
    ("log/budget.py", "(3, 2, 1)", "3  ->  (4)"): "there are three words to take",
    ("log/keeping.py", "unlink", "True  ->  False"): "the line above takes that error too",
    (
        "client/key/secret.py",
        "",
        "len(key) - 1  ->  (len(key) + 1)",
    ): "what is so long is no beginning, and the whole key was taken out",
    ("client/transport.py", "TypeVar", "\"T\"  ->  'xT'"): "it is only read",
    ("client/transport.py", 'problem = ""', "\"\"  ->  'x'"): "it is said before it is raised",
    ("run/run.py", '"_process",', "\"_process\"  ->  'x_process'"): "a copy is given its own at once",
    ("client/transport.py", "split(", "1  ->  (2)"): "what stands first is the same",
    (
        "client/transport.py",
        "self._entered = 0.0",
        "0.0  ->  (1.0)",
    ): "whoever goes in says when, before it is looked at",
    (
        "client/transport.py",
        "",
        "self._entered = 0.0  ->  pass",
    ): "whoever goes in says when, before it is looked at",
    (
        "client/transport.py",
        "",
        "(left := self._entered + self.PATIENCE - here.time()) > 0  ->  "
        "((left := (self._entered + self.PATIENCE - here.time())) >= 0)",
    ): "that very moment does not come",
    (
        "client/key/finding.py",
        "if secret is None else",
        "\"missing\"  ->  'xmissing'",
    ): "None is looked at first",
}
# SQLite reads results by their key, run and number, and so in the order of numbers in any case.
IN_ORDER = "ORDER BY number"
PYTEST = (
    *("-q", "-x", "-o", "addopts=", "--import-mode=importlib", "-p", "no:cacheprovider", "-p", "no:nbval"),
    # Of what was loaded before.
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)
FORKS = multiprocessing.get_context("forkserver")
# Everything large that the package and its tests load, but nothing of theirs.
FORKS.set_forkserver_preload(
    ["pytest", "httpx", "hypothesis", "ipywidgets", "numpy", "PIL.Image", "openai", "platformdirs", "sqlite3"]
)

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
RECKONED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
SQL = re.compile(r"\b(SELECT|UPDATE|INSERT|DELETE|WHERE|ORDER BY|BEGIN|COALESCE|state (IN|=))\b")
IN_SQL = (
    (r"\bAND\b", "OR"),
    (r"\bOR\b(?! REPLACE)", "AND"),
    (r"\bNOT NULL\b|\bIS NOT NULL\b", "IS NULL"),
    (r"\bIS NULL\b", "IS NOT NULL"),
    (r"\bNOT (?!NULL)", ""),
    (r">=", ">"),
    (r"(?<![<>]) = 0\b", " = 1"),
    (r"(?<![<>]) = 1\b", " = 0"),
    (r"\bDESC\b", "ASC"),
    (rf"(?!{IN_ORDER})ORDER BY (?!.*DESC)\w+(, rowid)?", ""),
    (r"\bSUM\(", "MAX("),
    (r"\bMAX\(", "SUM("),
    (r"\bCOALESCE\((\w+), (\w+)\)(?! (IS|NOT) )", r"COALESCE(\2, \1)"),
    (r"'(\w[\w ]*)'", "'other'"),
    (r"\+ 1\b", "+ 2"),
)


@dataclass(frozen=True)
class Mutant:
    """A file of the package with one mistake: what stood between two bytes of it, and what is there now.

    `lines` are those of the whole statement; `outside` is one that runs as the module is loaded, `text` its line.
    """

    file: str
    line: int
    lines: range
    begin: int
    end: int
    before: str
    after: str
    outside: bool
    text: str

    @property
    def place(self) -> str:
        """Where it is."""
        return f"{self.file}:{self.line}"

    @property
    def change(self) -> str:
        """What it changes, on one line."""
        before, after = (" ".join(text.split()) for text in (self.before, self.after))
        if len(before) > 100:
            # Only what is around the difference.
            pairs = enumerate(zip(before, after, strict=False))
            differs = next((index for index, (one, other) in pairs if one != other), 0)
            before, after = (f"…{text[max(0, differs - 30) : differs + 40]}…" for text in (before, after))
        return f"{before}  ->  {after}"


# Mistakes


class Mutants(ast.NodeVisitor):
    """All the mistakes that are made in a file."""

    def __init__(self, file: str, source: bytes) -> None:
        self.file = file
        self.source = source
        self.found: list[Mutant] = []
        self._starts = [0, *itertools.accumulate(map(len, source.splitlines(keepends=True)))]
        self._lines = range(0)
        self._outside = True
        self.visit(ast.parse(source))
        unique = {(mutant.begin, mutant.end, mutant.after): mutant for mutant in self.found}
        self.found = [unique[key] for key in sorted(unique)]

    def visit(self, node: ast.AST) -> None:
        """Look at a node and what is under it."""
        if _only_read(node):
            return
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno or node.lineno
            self._lines = range(node.lineno, last + 1)
        lines, outside = self._lines, self._outside
        if isinstance(node, ast.expr | ast.stmt):
            for after in _mistakes(node):
                self._add(node, after)
            if isinstance(node, ast.JoinedStr | ast.Constant) and _is_sql(node):
                self._add_sql(node)
                return
        if isinstance(node, ast.If | ast.IfExp | ast.While | ast.comprehension):
            tests = node.ifs if isinstance(node, ast.comprehension) else [node.test]
            for test in tests:
                # The others are turned round as what they are.
                if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Constant):
                    self._add(test, f"(not ({ast.unparse(test)}))")
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list"):
                continue
            # What a function is given when it is left out is made where the function stands.
            inside = name == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            self._outside = outside and not inside
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    self._lines = lines
                    self.visit(child)
        self._outside = outside

    def _add(self, node: ast.expr | ast.stmt, after: str) -> None:
        begin, end = self._span(node)
        before = self.source[begin:end].decode()
        text = self.source.splitlines()[node.lineno - 1].decode()
        self.found.append(
            Mutant(self.file, node.lineno, self._lines, begin, end, before, after, self._outside, text)
        )

    def _add_sql(self, node: ast.expr) -> None:
        # In the source, since several strings, with lines between them, may make up one query.
        begin, end = self._span(node)
        text = self.source[begin:end].decode()
        for pattern, replacement in IN_SQL:
            for match in re.finditer(pattern, text):
                self._add(node, text[: match.start()] + match.expand(replacement) + text[match.end() :])

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        end_line, end_column = node.end_lineno, node.end_col_offset
        assert end_line is not None
        assert end_column is not None
        return self._starts[node.lineno - 1] + node.col_offset, self._starts[end_line - 1] + end_column


def _is_sql(node: ast.expr) -> bool:
    return SQL.search(ast.unparse(node)) is not None and not isinstance(getattr(node, "value", ""), int)


def _only_read(node: ast.AST) -> bool:
    """Whether the node is for a reader, human or type checker."""
    match node:
        case ast.JoinedStr():
            return not _is_sql(node)
        case ast.Expr(value=ast.Constant(value=str())) | ast.Import() | ast.ImportFrom():
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.AnnAssign(annotation=ast.Name(id="TypeAlias")):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__" | "__slots__")]):
            return True
        case ast.Call(func=ast.Attribute(attr="exception")):
            return True
    return False


def _mistakes(node: ast.expr | ast.stmt) -> Iterator[str]:
    """What may stand in the node's place."""
    match node:
        case ast.Compare(ops=ops):
            for index, one in enumerate(ops):
                yield _with(node, ops=[*ops[:index], COMPARED[type(one)](), *ops[index + 1 :]])
            if isinstance(ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE):
                yield f"(not ({ast.unparse(node)}))"
        case ast.BoolOp(op=connective):
            yield _with(node, op=ast.Or() if isinstance(connective, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield f"({ast.unparse(operand)})"
        case ast.BinOp(op=operator) if type(operator) in RECKONED:
            yield _with(node, op=RECKONED[type(operator)]())
        case ast.Constant(value=bool() as value):
            yield str(not value)
        case ast.Constant(value=int() | float() as value):
            yield f"({value + 1})"
        case ast.Constant(value=str() as value) if " " not in value:
            yield repr("x" + value)
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) not in ("None", "False"):
            yield "return None"
        case ast.Expr(value=ast.Call() | ast.Await()) | ast.Raise() | ast.AugAssign() | ast.Delete():
            yield "pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]) | ast.Break() | ast.Continue():
            yield "pass"


def _with(node: ast.expr, **changed: Any) -> str:
    other = copy.copy(node)
    for name, value in changed.items():
        setattr(other, name, value)
    return f"({ast.unparse(other)})"


def all_mutants() -> list[Mutant]:
    """Every mutant of every file, but for those that are no mistakes."""
    found = []
    for file in FILES:
        found += Mutants(file, (ROOT / "ttapi_nb" / file).read_bytes()).found
    return [mutant for mutant in found if not _is_none(mutant)]


def _is_none(mutant: Mutant) -> bool:
    return any(
        (file, change) == (mutant.file, mutant.change) and where in mutant.text
        for file, where, change in EQUIVALENT
    )


# Tests


class Watch:
    """A plugin of pytest's that keeps how long each test took."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: Any) -> None:
        """A test was set up, run or torn down."""
        self.seconds[report.nodeid] += report.duration


@dataclass(frozen=True)
class Tests:
    """What is known of the tests before there are mutants: how long each takes, and which lines it reaches."""

    seconds: dict[str, float]
    by_line: dict[str, dict[int, list[str]]]

    def of(self, mutant: Mutant) -> list[str]:
        """The tests to run for a mutant, the quickest first; they may take `MOST_TESTING` seconds together."""
        lines = self.by_line[mutant.file]
        # What runs as the module is loaded may matter to whatever reaches the module.
        reached = lines.values() if mutant.outside else map(lines.get, mutant.lines)
        found = {test for tests in reached for test in tests or ()}
        own = {test for test in self.seconds if test.partition("::")[0] in FILES[mutant.file]}
        # A line that was reached in no test may have been reached in a process that a test has started.
        tests = found | own if mutant.outside or "" in found else found or own
        tests &= self.seconds.keys()
        most = MOST_TESTING_OUTSIDE if mutant.outside else MOST_TESTING
        total = 0.0
        chosen: list[str] = []
        for test in sorted(tests, key=lambda test: self.seconds[test] * (1 if test in own else 2)):
            total += self.seconds[test]
            if total <= most or not chosen:
                chosen.append(test)
        return chosen


def _pytest(folder: Path, arguments: list[str], limit: float) -> int | None:
    """How pytest ends with a copy of the project in a process of its own; None where it does not end in time."""
    process = FORKS.Process(target=_in_copy, args=(folder, arguments), daemon=False)
    process.start()
    process.join(limit)
    assert process.pid is not None
    # With whatever a test has started.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.join()
    return None if process.exitcode == -signal.SIGKILL else process.exitcode


def _in_copy(folder: Path, arguments: list[str]) -> None:
    os.setsid()
    os.chdir(folder)
    with Path(os.devnull).open() as nothing, (folder / SAID).open("w") as said:
        for handle, file in enumerate((nothing, said, said)):
            os.dup2(file.fileno(), handle)
    sys.path.insert(0, str(folder))
    os.environ["PYTHONPATH"] = str(folder)
    import pytest

    watch = Watch()
    status = pytest.main([*PYTEST, f"--basetemp={folder / 'tmp'}", *arguments], plugins=[watch])
    (folder / WATCHED).write_text(json.dumps(watch.seconds))
    os._exit(status)


def _copy(folder: Path) -> Path:
    left_out = shutil.ignore_patterns(".*", "__pycache__", "notebooks", "ui", "*.egg-info")
    return Path(shutil.copytree(ROOT, folder, ignore=left_out))


def measured(folder: Path) -> Tests:
    """Run all tests once with coverage. They must pass."""
    import coverage

    data = folder / "reached"
    os.environ["COVERAGE_FILE"] = str(data)
    options = ["--cov=ttapi_nb", "--cov-config=pyproject.toml", "--cov-context=test", "--cov-report="]
    status = _pytest(folder, [*options, *TESTS], 1500)
    del os.environ["COVERAGE_FILE"]
    assert status == 0, f"The tests fail without any mutant:\n{(folder / SAID).read_text()}"
    reached = coverage.CoverageData(basename=str(data))
    reached.read()
    by_line = {
        file: {
            line: [context.rpartition("|")[0] for context in contexts]
            for line, contexts in reached.contexts_by_lineno(str(folder / "ttapi_nb" / file)).items()
        }
        for file in FILES
    }
    return Tests(json.loads((folder / WATCHED).read_text()), by_line)


def noticed(folder: Path, mutant: Mutant, tests: Tests) -> bool:
    """Whether a test fails with the mutant, or does not end."""
    path = folder / "ttapi_nb" / mutant.file
    source = path.read_bytes()
    chosen = tests.of(mutant)
    took = [tests.seconds[test] for test in chosen]
    path.write_bytes(source[: mutant.begin] + mutant.after.encode() + source[mutant.end :])
    try:
        one = f"timeout={max(took) * 4 + 5}"
        status = _pytest(folder, ["-p", "no:pytest_cov", "-o", one, *chosen], START + 4 * sum(took))
    finally:
        path.write_bytes(source)
    assert status != 5, f"no test was run for {mutant.place}"
    return status != 0


def main() -> int:
    """Print the mutants that live and what share does not; returns 1 where that is under `LOWEST` percent."""
    given = sys.argv[1:]
    count = int(given.pop(0)) if given and given[0].isdecimal() else COUNT
    every = [mutant for mutant in all_mutants() if not given or any(place in mutant.place for place in given)]
    # Evenly, and the same each time.
    step = max(1.0, len(every) / count)
    mutants = [every[int(index * step)] for index in range(min(count, len(every)))]
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    os.environ.pop("TTAPI_OFFLINE", None)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for number in range(WORKERS):
            copies.put(_copy(Path(folder) / str(number)))
        first = copies.get()
        tests = measured(first)
        copies.put(first)
        print(
            f"{len(tests.seconds)} tests in {time.monotonic() - begun:.0f} s; {len(mutants)} of {len(every)} mutants"
        )

        def tried(mutant: Mutant) -> bool:
            copied = copies.get()
            try:
                return noticed(copied, mutant, tests)
            finally:
                copies.put(copied)

        with ThreadPoolExecutor(WORKERS) as pool:
            verdicts = []
            for mutant, dead in zip(mutants, pool.map(tried, mutants), strict=True):
                verdicts.append(dead)
                if not dead:
                    print(f"  lives: {mutant.place}  {mutant.change}", flush=True)
    made = Counter(mutant.file for mutant in mutants)
    killed = Counter(mutant.file for mutant, dead in zip(mutants, verdicts, strict=True) if dead)
    for file in made:
        print(f"{file:22} {killed[file]:4} of {made[file]:4}  {100 * killed[file] / made[file]:5.1f}%")
    share = 100 * sum(killed.values()) / len(mutants)
    print(f"{'all':22} {sum(killed.values()):4} of {len(mutants):4}  {share:5.1f}%")
    print(f"{time.monotonic() - begun:.0f} s")
    return int(share < LOWEST)


if __name__ == "__main__":
    sys.exit(main())
