"""How the package is laid out: which room may import which, and what importing it costs."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import ttapi_nb

PACKAGE = Path(ttapi_nb.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# Lowest first: a room imports only from rooms above it in this list.
ROOMS = (
    "errors",
    "loading",
    "text",
    "files",
    "folders",
    "coding",
    "rawanswers",
    "forking",
    "freeing",
    "threads",
    "loop",
    "exiting",
    "network",
    "download",
    "models",
    "metadata",
    "picture",
    "mask",
    "request",
    "fit",
    "reply",
    "asked",
    "lineage",
    "log",
    "serving",
    "service",
    "client",
    "run",
    "experiment",
    "gateway",
    "widgets",
    "cli",
    "__main__",
)
# Rooms that keep to fewer than all that are above them.
ONLY = {
    "forking": set[str](),
    "freeing": set[str](),
    "threads": set[str](),
    "loop": {"threads"},
    "exiting": {"loop"},
    "models": set[str](),
    "network": {"coding", "errors", "forking"},
    "download": {"coding", "errors", "network"},
    "metadata": set[str](),
    "files": set[str](),
    "folders": {"errors"},
    "coding": set[str](),
    "rawanswers": {"errors", "files"},
    "picture": {"forking", "errors", "files", "loop", "download", "metadata"},
    "mask": {"errors", "files", "folders", "forking", "loop", "picture"},
    "fit": {"errors", "forking", "picture", "mask", "models"},
    "reply": {"text", "coding", "errors", "forking", "loop", "models", "picture", "rawanswers"},
    "serving": set[str](),
    "service": {"errors", "forking", "freeing", "picture", "models", "serving"},
}
PICTURES = {"numpy", "PIL"}
TOOLKIT = {"ipywidgets", "ipycanvas", "anywidget", "IPython", "traitlets"}
# Which packages a room may use besides the standard library.
LIBRARIES = {
    "network": {"certifi", "httpcore", "httpx", "truststore"},
    "download": {"httpx"},
    "metadata": {"PIL"},
    "picture": PICTURES | {"jpeglib", "pillow_heif"},
    "mask": PICTURES | {"cv2", "lazy_loader", "onnxruntime"},
    "fit": PICTURES | {"lazy_loader"},
    "request": PICTURES,
    "reply": {"PIL", "lazy_loader"},
    "lineage": {"PIL"},
    "folders": {"platformdirs"},
    "run": PICTURES | {"lazy_loader"},
    "serving": {"h11", "starlette", "uvicorn"},
    "service": PICTURES | {"patchmatch", "python_multipart", "starlette"},
    "client": PICTURES | {"httpx", "lazy_loader", "platformdirs"},
    "experiment": PICTURES | {"distributed", "evalica", "pandas", "tqdm", "yaml"},
    "gateway": {
        "PIL",
        "httpx",
        "jinja2",
        "jupyterhub",
        "python_multipart",
        "segno",
        "sqlalchemy",
        "starlette",
    },
    "widgets": PICTURES | TOOLKIT | {"lazy_loader"},
    "cli": {"jupyterlab"},
}


@dataclass(frozen=True)
class Import:
    """One import: from which file, of which room of ours or which library."""

    file: Path
    line: int
    room: str | None
    library: str | None

    def __str__(self) -> str:
        return f"{self.file.relative_to(PACKAGE)}:{self.line} imports {self.room or self.library}"


def room_of(file: Path) -> str:
    """The room that a file belongs to."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


@dataclass(frozen=True)
class Statement:
    """An import as it stands in a file: also in a function, or only for type checkers."""

    node: ast.Import | ast.ImportFrom
    in_function: bool
    typing: bool
    at_top: bool


@dataclass(frozen=True)
class Read:
    """What a file was read for: its imports, and its functions with their first and last lines."""

    imports: list[Statement]
    functions: list[tuple[str, int, int]]


@functools.cache
def read(file: Path) -> Read:
    """Look through a file once; expressions, most of a tree, hold neither imports nor functions."""
    found = Read([], [])

    def look(node: ast.AST, in_function: bool, typing: bool, depth: int) -> None:
        for below in ast.iter_child_nodes(node):
            if isinstance(below, ast.Import | ast.ImportFrom):
                found.imports.append(Statement(below, in_function, typing, depth == 0))
            elif isinstance(below, ast.FunctionDef | ast.AsyncFunctionDef):
                found.functions.append((below.name, below.lineno, below.end_lineno or below.lineno))
                look(below, True, typing, depth + 1)
            elif isinstance(below, ast.If) and ast.unparse(below.test) == "TYPE_CHECKING":
                for body, checked in ((below.body, True), (below.orelse, typing)):
                    look(ast.Module(body, []), in_function, checked, depth + 1)
            elif isinstance(below, ast.stmt | ast.excepthandler | ast.match_case):
                look(below, in_function, typing, depth + 1)

    # What a room loads when it is first asked for stands in its stub.
    stub = file.with_suffix(".pyi")
    for written in (file, stub) if stub.is_file() and file.parent != PACKAGE else (file,):
        look(ast.parse(written.read_text(encoding="utf-8")), in_function=False, typing=False, depth=0)
    return found


def imports(file: Path) -> Iterator[Import]:
    """What a file imports."""
    package = (PACKAGE.name, *file.relative_to(PACKAGE).parts[:-1])
    for node in (one.node for one in read(file).imports if not one.typing):
        if isinstance(node, ast.Import):
            targets = [alias.name.split(".") for alias in node.names]
        else:
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += node.module.split(".") if node.module else []
            # `from . import loop` names the room last.
            targets = [[*base, alias.name] for alias in node.names]
        for target in targets:
            ours = target[0] == PACKAGE.name
            room = target[1] if ours and len(target) > 1 else None
            yield Import(file, node.lineno, room, None if ours else target[0])


@functools.cache
def all_imports() -> dict[Path, list[Import]]:
    """What each file imports, but for the list of public names."""
    return {file: list(imports(file)) for file in FILES if file != PACKAGE / "__init__.py"}


@pytest.mark.slow
def test_the_imports_were_found() -> None:
    """The tests below look at something: imports of rooms, of libraries, and within functions."""
    found = {
        (room_of(one.file), one.room or one.library)
        for file, imported in all_imports().items()
        for one in imported
    }
    assert {("mask", "picture"), ("picture", "loop"), ("widgets", "ipywidgets"), ("client", "httpx")} <= found
    # These stand in functions.
    assert {("download", "httpx"), ("service", "python_multipart"), ("client", "service")} <= found


def test_each_room_has_its_place() -> None:
    """A new room needs a place in the list."""
    assert {room_of(file) for file in all_imports()} <= {*ROOMS}


def test_each_file_imports_only_from_rooms_above_its_own() -> None:
    """No room knows of the rooms that are built on it, nor of more than it needs."""
    wrong = []
    for file, found in all_imports().items():
        room = room_of(file)
        allowed = ONLY.get(room, {*ROOMS[: ROOMS.index(room)]}) | {room, "__version__"}
        wrong += [str(one) for one in found if one.room is not None and one.room not in allowed]
    assert wrong == []


def test_each_file_uses_only_the_libraries_of_its_room() -> None:
    """Widgets' libraries stay in the widgets, and httpx with the network, the download and the client."""
    wrong = []
    for file, found in all_imports().items():
        allowed = LIBRARIES.get(room_of(file), set()) | sys.stdlib_module_names
        wrong += [str(one) for one in found if one.library is not None and one.library not in allowed]
    assert wrong == []


def test_the_toolkit_and_httpx_stay_where_they_are() -> None:
    """Only widgets import ipywidgets and its kin, and only the network, the download and the client import httpx."""
    users = {library: set[str]() for library in (*TOOLKIT, "httpx")}
    for file, found in all_imports().items():
        for one in found:
            if one.library in users:
                users[one.library].add(room_of(file))
    assert users.pop("httpx") <= {"client", "download", "gateway", "network"}
    assert set().union(*users.values()) == {"widgets"}


# Within rooms

# Libraries that are loaded when they are first needed: large ones, extras, and those of one system.
LATE = {
    *(
        "certifi",
        "cv2",
        "distributed",
        "evalica",
        "httpx",
        "jpeglib",
        "jupyterhub",
        "jupyterlab",
        "pandas",
        "onnxruntime",
        "patchmatch",
        "pillow_heif",
        "python_multipart",
        "starlette",
        "truststore",
        "uvicorn",
    )
}
# Rooms that are: the service brings what it paints with, and the commands share nothing.
LATE_ROOMS = {"service"}
LONGEST_FILE = 400
LONGEST_FUNCTION = 60
REASON = "# Long, because "
# An editor opens a lab, and a lab has an editor: this one loads the other when somebody asks for it.
DOORS = {PACKAGE / "widgets" / "editor" / "lab_door.py": PACKAGE / "widgets" / "__init__.py"}


def target_of(node: ast.ImportFrom, alias: str, file: Path) -> Path | None:
    """The file of ours that an import leads to."""
    base = file.parents[node.level - 1] if node.level else PACKAGE.parent
    parts = [*(node.module.split(".") if node.module else []), alias]
    for count in (len(parts), len(parts) - 1):
        place = base.joinpath(*parts[:count])
        if place.with_suffix(".py").is_file():
            return place.with_suffix(".py")
        if (place / "__init__.py").is_file() and PACKAGE in (place / "__init__.py").parents:
            return place / "__init__.py"
    return None


@functools.cache
def ours(file: Path, *, within_functions: bool = True) -> frozenset[Path]:
    """The files of ours that a file imports."""
    found = {
        target_of(one.node, alias.name, file)
        for one in read(file).imports
        if (not one.typing if within_functions else one.at_top) and isinstance(one.node, ast.ImportFrom)
        if one.node.level or (one.node.module or "").startswith(PACKAGE.name)
        for alias in one.node.names
    }
    return frozenset(one for one in found if one is not None and one != file)


def test_files_inside_a_room_make_no_circle() -> None:
    """No file is imported, through whatever others, by what it imports itself."""
    state: dict[Path, bool] = {}
    circles: list[str] = []

    def look(file: Path, path: tuple[Path, ...]) -> None:
        if file in path:
            circle = (*path[path.index(file) :], file)
            circles.append(" -> ".join(str(one.relative_to(PACKAGE)) for one in circle))
        elif file not in state:
            for other in sorted(ours(file) - {DOORS.get(file)}):
                look(other, (*path, file))
            state[file] = True

    for file in FILES:
        look(file, ())
    assert len(ours(PACKAGE / "run" / "carrier.py")) > 5
    assert circles == []


def libraries_of(file: Path) -> set[str]:
    """The libraries that a file itself loads at its top."""
    found = set[str]()
    for node in (one.node for one in read(file).imports if one.at_top):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif not node.level:
            found.add((node.module or "").split(".")[0])
    return found


@functools.cache
def heavy(file: Path) -> frozenset[str]:
    """The late libraries that a file brings as it is loaded, itself or by others of ours."""
    seen, waiting = set[Path](), [file]
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting += ours(one, within_functions=False)
    return frozenset().union(*(libraries_of(one) for one in seen)) & LATE


def late_imports(file: Path) -> Iterator[tuple[str, str]]:
    """The imports in functions that hide nothing large, each with its place."""
    for node in (one.node for one in read(file).imports if one.in_function):
        if isinstance(node, ast.Import):
            good = {alias.name.split(".")[0] for alias in node.names} <= LATE
        elif not node.level:
            good = (node.module or "").split(".")[0] in LATE
        else:
            targets = [target_of(node, alias.name, file) for alias in node.names]
            good = all(
                target is not None and (heavy(target) or room_of(target) in LATE_ROOMS) for target in targets
            )
        if not good:
            yield f"{file.relative_to(PACKAGE)}:{node.lineno}", ast.unparse(node)


def test_imports_stand_at_the_top() -> None:
    """What is imported in a function is a large library, or a part of ours that brings one. Commands load their own."""
    wrong = [found for file in FILES if room_of(file) != "cli" for found in late_imports(file)]
    assert heavy(PACKAGE / "client" / "sending.py") == {"httpx"}
    assert wrong == []


def test_files_and_functions_are_read_in_one_sitting() -> None:
    """None is longer than can be taken in at once, without a reason beside it."""
    wrong = []
    for file in FILES:
        lines = file.read_text(encoding="utf-8").splitlines()
        if len(lines) > LONGEST_FILE and not any(line.startswith(REASON) for line in lines):
            wrong.append(f"{file.relative_to(PACKAGE)}: {len(lines)} lines")
        for name, first, last in read(file).functions:
            body = lines[first - 1 : last]
            if len(body) > LONGEST_FUNCTION and not any(REASON in line for line in body):
                wrong.append(f"{file.relative_to(PACKAGE)}: {name}, {len(body)} lines")
    assert wrong == []


def modules_after(code: str, *, ours: bool = False) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after this code, or this package's own."""
    name = f"name.removeprefix('{PACKAGE.name}.')" if ours else "name.split('.')[0]"
    code += f"\nimport sys; print(' '.join({{{name} for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    return set(done.stdout.split())


def test_importing_the_package_is_cheap() -> None:
    """`import ttapi_nb` loads neither a toolkit nor httpx, numpy or Pillow."""
    found = modules_after("import ttapi_nb; assert ttapi_nb.__version__ and dir(ttapi_nb)")
    assert "ttapi_nb" in found
    assert found & (TOOLKIT | PICTURES | {"httpx", "patchmatch", "platformdirs", "python_multipart"}) == set()


@pytest.mark.slow
def test_an_editor_loads_nothing_of_the_labs() -> None:
    """What only experiments use is not loaded for the first editor, which is waited for."""
    found = modules_after("import ttapi_nb; ttapi_nb.ImageEditor")
    assert "ipywidgets" in found
    assert found & {"yaml", "tqdm", "pandas"} == set()


@pytest.mark.slow
def test_an_editor_loads_nothing_for_answers_and_recordings() -> None:
    """What lands an answer, reads one, or keeps it in a recording is loaded when the first one comes."""
    found = modules_after("import ttapi_nb; ttapi_nb.ImageEditor()", ours=True)
    assert {"widgets.editor.editor", "fit.plan", "run.run", "client.client"} <= found
    later = {
        "fit.paste",
        "fit.leak",
        "fit.light",
        "fit.register",
        "mask.select.grabcut",
        "reply.meaning",
        "run.carrier",
    }
    assert found & (later | {"client.cassette.player", "client.cassette.recorder", "client.sending"}) == set()


@pytest.mark.slow
def test_nothing_before_the_widgets_needs_a_toolkit() -> None:
    """All the rooms below the widgets can be loaded without ipywidgets or IPython."""
    rooms = [room for room in ROOMS[: ROOMS.index("widgets")] if any(room_of(file) == room for file in FILES)]
    found = modules_after("\n".join(f"import ttapi_nb.{room}" for room in rooms))
    assert "numpy" in found
    assert found & TOOLKIT == set()


@pytest.mark.parametrize("name", ttapi_nb.__all__)
def test_each_public_name_is_there(name: str) -> None:
    """What `__all__` promises can be had, and `dir()` lists it."""
    assert getattr(ttapi_nb, name) is not None
    assert name in dir(ttapi_nb)


@pytest.mark.slow
def test_a_star_import_gives_every_public_name() -> None:
    """`from ttapi_nb import *` finds all of them."""
    names = ", ".join(map(repr, ttapi_nb.__all__))
    modules_after(f"from ttapi_nb import *\nassert {{{names}}} <= set(globals())")


def test_type_checkers_see_the_same_names() -> None:
    """The stub exports just what can be had, and nothing stands in it twice."""
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    seen = [alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    (listed,) = (node.value for node in tree.body if isinstance(node, ast.Assign))
    assert sorted(seen) == sorted(ttapi_nb.__all__) == sorted(ast.literal_eval(listed))


def test_a_name_that_is_not_there() -> None:
    """An unknown attribute is an AttributeError that names it."""
    with pytest.raises(AttributeError, match="ttapi_nb attribute Wand"):
        ttapi_nb.Wand  # type: ignore[attr-defined]  # noqa: B018 - looking it up is the test
    assert not hasattr(ttapi_nb, "wand")


def test_the_package_is_typed() -> None:
    """The marker for type checkers is there."""
    assert (PACKAGE / "py.typed").is_file()
