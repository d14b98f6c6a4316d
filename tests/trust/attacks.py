"""Every way that is known to harm somebody's files, money, keys or time, tried against the product by its public doors.

    python tests/trust/attacks.py [words of those to run]

Prints a line for each attack: what was attacked and how, how many variants were tried, and what came of them; at the
end the same as the table of RESULTS.md. Exits with 1 where one of them broke something, or hung.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.trust.attacks_on import (
    addresses,
    bounds,
    classes,
    ends,
    files,
    gateways,
    hangs,
    money,
    paid,
    words,
)
from tests.trust.attacks_on.tries import ATTACKS, Attack, Tries, environment

GROUPS = (files, paid, ends, hangs, money, bounds, addresses, words, gateways, classes)
PATIENCE = 150.0


def carried_out(attack: Attack, folder: Path) -> Tries:
    """What came of an attack, for which there is a thread and a time."""
    tries = Tries(folder)

    def work() -> None:
        try:
            attack(tries)
        except BaseException as error:  # noqa: BLE001 - this is what is looked for
            where = traceback.extract_tb(error.__traceback__)[-1]
            tries.held("and then", False, f"{type(error).__name__}: {error} ({where.name})")

    thread = threading.Thread(target=work, daemon=True)
    home = Path.cwd()
    with environment(
        TTAPI_DATA=str(folder / "data"),
        TT_API_KEY_FILE=str(folder / "config" / "key"),
        TT_API_KEY=None,
        TTAPI_OFFLINE=None,
        PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring",
    ):
        thread.start()
        thread.join(PATIENCE)
    os.chdir(home)
    if thread.is_alive():
        tries.held("and then", False, f"it hung for {PATIENCE:.0f} s")
    return tries


def said(tries: Tries) -> str:
    """What came of it, the commonest first."""
    counted = Counter(one.came for one in tries.all if one.state == "held")
    told = [f"{came} ({number})" if number > 1 else came for came, number in counted.most_common(5)]
    told += [f"and {len(counted) - 5} more"] if len(counted) > 5 else []
    told += [f"NOT RUN, {one.variant}: {one.came}" for one in tries.all if one.state == "not run"]
    told += [f"BROKE, {one.variant}: {one.came}" for one in tries.all if one.state == "broke"]
    return "; ".join(told)


def main() -> int:
    """Try them all; returns 1 where something broke."""
    warnings.simplefilter("ignore")
    logging.disable()
    os.umask(0o022)
    # In the background it is ignored from the start, here and in the processes that attacks begin.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])
    begun = time.monotonic()
    rows: list[tuple[str, str, int, int, int, str]] = []
    for what, how, attack in ATTACKS:
        if not all(word in f"{what} {how}" for word in sys.argv[1:]):
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            tries = carried_out(attack, Path(folder))
        states = Counter(one.state for one in tries.all)
        # An attack that tried nothing has shown nothing.
        broke = states["broke"] or int(not tries.all)
        rows.append((what, how, states["held"] + states["broke"], states["held"], broke, said(tries)))
        print(
            f"  {what:10} {how:44} {rows[-1][2]:4} tried {broke:3} broke {time.monotonic() - began:5.1f} s  "
            f"{rows[-1][5][:300]}",
            flush=True,
        )
    print("\n| attacked | how | tried | held | what came of it |\n| --- | --- | --- | --- | --- |")
    for what, how, tried, held, _, came in rows:
        print(f"| {what} | {how} | {tried} | {held} | {came.replace('|', '/')} |")
    tried, broke = sum(row[2] for row in rows), sum(row[4] for row in rows)
    unrun = sum(row[5].count("NOT RUN") for row in rows)
    print(
        f"\n{len(rows)} attacks, {tried} variants in {time.monotonic() - begun:.0f} s: {broke} broke something, "
        f"{unrun} could not be run here."
    )
    return int(broke > 0 or not rows)


if __name__ == "__main__":
    sys.exit(main())
