#!/usr/bin/python3
"""tally: counts the cases in JUnit files: prints "PASSED FAILED SKIPPED", failures on stderr.

    tools/tally.py FILE...
"""
import sys
import xml.etree.ElementTree

passed = failed = skipped = 0
for path in sys.argv[1:]:
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        wrong = [child for child in case if child.tag in ("failure", "error")]
        if wrong:
            failed += 1
            print(f"    FAILED {case.get('classname')} {case.get('name')}", file=sys.stderr)
        elif any(child.tag == "skipped" for child in case):
            skipped += 1
        else:
            passed += 1
print(passed, failed, skipped)
