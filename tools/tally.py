#!/usr/bin/python3
"""tally: counts the cases in a JUnit file: prints "PASSED FAILED SKIPPED", and names those that failed, with
the reason, on stderr.

    tools/tally.py FILE            meson's, or pytest's
    tools/tally.py FILE AGAIN      AGAIN is of those that failed in FILE, run again: what passed there counts as
                                   passed and is named as UNEVEN, with the reason why it failed at first
    tools/tally.py --again FILE    names what may be run again, as pytest wants it: those that failed if they are few,
                                   and if none says that the program itself was at fault
"""
import os
import sys
import xml.etree.ElementTree

FEW = 3
# In the words of tests/e2e/stage.py and conftest.py, and of the programs.
AT_FAULT = ("the program is at fault", "ended by itself", "Sanitizer", "runtime error:", "CHECK failed")


def cases(path):
    """By name: "passed", "skipped", or what each failure says."""
    found = {}
    if not os.path.exists(path):
        return found
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        key = case.get("classname", ""), case.get("name", "")
        wrong = [(child.get("message") or "") + "\n" + (child.text or "")
                 for child in case if child.tag in ("failure", "error")]
        if wrong:
            # The end of a test may fail besides the test.
            found[key] = (found[key] if isinstance(found.get(key), list) else []) + wrong
        else:
            found.setdefault(key, "skipped" if any(child.tag == "skipped" for child in case) else "passed")
    return found


def failures(found):
    return {key: said for key, said in found.items() if isinstance(said, list)}


def bare(key):
    """Without the group of pytest-xdist."""
    module, name = key
    return module, name.removesuffix("@" + module.rpartition(".")[2])


def again(path):
    wrong = failures(cases(path))
    if len(wrong) <= FEW and not any(sign in text for said in wrong.values() for text in said for sign in AT_FAULT):
        for module, name in map(bare, wrong):
            print(f"{module.replace('.', '/')}.py::{name}")


def tally(path, second=None):
    first = cases(path)
    then = {bare(key): said for key, said in cases(second).items()} if second else {}
    uneven = {key for key in failures(first) if then.get(bare(key)) == "passed"}
    for key, said in failures(first).items():
        word = "UNEVEN" if key in uneven else "FAILED"
        print(f"    {word} {' '.join(key)}: {said[0].strip().splitlines()[0][:300] if said[0].strip() else ''}", file=sys.stderr)
    failed = len(failures(first)) - len(uneven)
    skipped = list(first.values()).count("skipped")
    print(len(first) - failed - skipped, failed, skipped)


if sys.argv[1] == "--again":
    again(*sys.argv[2:])
else:
    tally(*sys.argv[1:])
