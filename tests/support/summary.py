#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Count test cases in what the programs of one ctest run wrote; the exit status is the verdict.

summary.py BUILD_DIR/tests [FAILED_CHECK ...]

programs.xml is ctest's own report, NAME.xml the one of the gtest program NAME. A program that
ended without its report (a crash, the time limit), or badly although all its cases passed, is one
failed case. A test that is no gtest program counts as one case. Standard library only.
"""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


class Tally:
    """What was counted so far."""

    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []

    def add_gtest(self, report):
        """Count the cases of one gtest report; returns how many failed."""
        failed_before = len(self.failed)
        for case in ElementTree.parse(report).iter("testcase"):
            name = f"{case.get('classname')}.{case.get('name')}"
            if case.find("failure") is not None:
                self.failed.append(name)
            elif case.get("status") == "notrun":
                self.skipped.append(f"{name}: disabled")
            elif case.get("result") == "skipped":
                self.skipped.append(f"{name}: {skip_reason(case)}")
            else:
                self.passed += 1
        return len(self.failed) - failed_before


def skip_reason(case):
    """The sentence after GTEST_SKIP(), without file and line."""
    skip = case.find("skipped")
    text = (skip.get("message") or skip.text or "") if skip is not None else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def count_program(tally, test, folder):
    """Add one test of ctest's report."""
    name = test.get("name")
    is_good = test.get("status") == "run"
    report = folder / f"{name}.xml"
    if test.get("status") in ("notrun", "disabled"):
        tally.failed.append(f"{name}: could not be run")
    elif report.exists():
        try:
            failed = tally.add_gtest(report)
        except ElementTree.ParseError:
            tally.failed.append(f"{name}: its report is cut off")
            return
        if not is_good and not failed:
            tally.failed.append(f"{name}: ended badly after its cases")
    elif is_good and not name.endswith("_tests"):
        tally.passed += 1
    elif name.endswith("_tests"):
        tally.failed.append(f"{name}: crashed or ran past its time limit, no cases counted")
    else:
        tally.failed.append(name)


def main(folder, failed_checks):
    """Print what did not pass and the one line that counts."""
    tally = Tally()
    tally.failed.extend(failed_checks)
    try:
        tests = list(ElementTree.parse(folder / "programs.xml").iter("testcase"))
    except (OSError, ElementTree.ParseError) as error:
        tests = []
        tally.failed.append(f"ctest left no report: {error}")
    for test in tests:
        count_program(tally, test, folder)
    for line in tally.skipped:
        print(f"skipped: {line}")
    for line in tally.failed:
        print(f"FAILED:  {line}")
    ending = f", {len(tally.skipped)} skipped" if tally.skipped else ""
    print(f"{tally.passed} passed, {len(tally.failed)} failed{ending}")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
