"""The commands, each with what it loads."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections import Counter
from typing import Any

from ..gateway.arguments import is_extra
from ..text import so_many
from .failing import fail

__all__ = ["experiment", "generate", "key", "of_gateway", "select", "serve"]


def serve(args: argparse.Namespace) -> int:
    """`ttapi-nb serve`, until Ctrl+C."""
    # Here, not above: opening JupyterLab needs nothing of the service.
    from ..errors import SettingsError
    from ..service import Service, serve

    service = Service(seed=args.seed, envelope=args.envelope, leaky=args.leaky, require_key=True)
    try:
        server = serve(port=args.port, service=service)
    except SettingsError as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"That port can't be used ({error.strerror}). Choose another with --port, or 0 for any.")
    with server, contextlib.suppress(KeyboardInterrupt):
        print(f"The embedded service answers at {server.url}/images/edits and takes any key.")
        print("It reads nothing of the prompt but colour words. Stop it with Ctrl+C.", flush=True)
        server.serve_forever()
    return 0


def generate(args: argparse.Namespace) -> int:
    """`ttapi-nb generate`."""
    # Here, not above, as in the other commands.
    from ..client import Client
    from ..errors import TTAPIError
    from ..run import generate

    options: dict[str, Any] = {"size": args.size} | ({"model": args.model} if args.model else {})
    try:
        run = generate(args.prompt, client=Client.offline() if args.offline else None, **options)
        where = run.results[0].save(args.out)
    except TTAPIError as error:
        return fail(str(error))
    except KeyboardInterrupt:
        return fail("Stopped. What had left by then may be billed; its answer is kept in the run log.")
    print(
        f"{where}: {run.results[0].image.width}x{run.results[0].image.height}. {run.results[0].notice}".strip()
    )
    return 0


def experiment(args: argparse.Namespace) -> int:
    """`ttapi-nb experiment`."""
    # Here, not above, as in the other commands.
    from ..client import Client, default_client
    from ..errors import TTAPIError
    from ..experiment import Experiment
    from ..log import Budget

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
        return fail(str(error))
    except KeyboardInterrupt:
        return fail("Stopped. What had left goes on, and is kept; run the same command again to go on.", 130)
    return 0 if set(trial.counts) == {"done"} else 3


def key(args: argparse.Namespace) -> int:
    """`ttapi-nb key`."""
    # Here, not above, as in the other commands.
    from ..client.key import Secret, ask_key, forget_key, key_place, store_key
    from ..errors import SettingsError

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
        return fail(str(error))
    except KeyboardInterrupt:
        return fail("Nothing was changed.")
    return 0


def select(args: argparse.Namespace) -> int:
    """`ttapi-nb select`."""
    # Here, not above, as in the other commands.
    from ..errors import SettingsError
    from ..mask.select.install import LICENCE, install, remove, state

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
        return fail(str(error))
    except KeyboardInterrupt:
        return fail("Nothing was changed.")
    return 0


def of_gateway(args: argparse.Namespace) -> int:
    """`ttapi-nb gateway` and `ttapi-nb class`."""
    try:
        from ..gateway import class_commands, commands
    except ModuleNotFoundError as error:
        if not is_extra(error):
            raise
        return fail('This needs a few more packages. Install them with: pip install "ttapi-nb[serve]"')
    return commands.run_gateway(args) if args.command == "gateway" else class_commands.run_class(args)
