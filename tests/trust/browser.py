"""The browser's part, in JupyterLab and Chromium: the key, text that is a script, and one POST for one click.

These are the browser tests of the same names with all their faults and payloads, where `make test` takes a sample.
Prints a line for each and a total; ends with 1 where any failed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = ("test_canary", "test_hostile_text", "test_one_post")


def main() -> int:
    """Run all of it."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        files = [f"tests/ui/{name}.py" for name in TESTS]
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=1200"]
        # In the newer form of the report a test has no counts of its own.
        command += ["-o", "junit_family=xunit1"]
        ran = subprocess.run(
            [*command, f"--junitxml={report}", *files],
            cwd=ROOT,
            check=False,
            env=os.environ | {"WHOLE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if not report.exists():
            print(ran.stdout)
            return 1
        cases = list(ET.parse(report).getroot().iter("testcase"))
    for case in cases:
        failed = case.find("failure") is not None or case.find("error") is not None
        counts = ", ".join(f"{one.get('value')} {one.get('name')}" for one in case.iter("property"))
        seconds = float(case.get("time", 0))
        print(f"  {case.get('name', ''):44} {'FAILED' if failed else 'passed'}  {seconds:4.0f} s  {counts}")
    if ran.returncode:
        print(ran.stdout)
    print(f"The browser: {len(cases)} tests, {'some FAILED' if ran.returncode else 'all passed'}")
    return int(ran.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
