"""What ./check runs again of tests that fail, and what it never does: tools/tally.py."""
import subprocess

import pytest

import fault_harness
import stage
from stage import ROOT, Crew, await_true

FAULTY = "#!/bin/sh\necho 'x.c:1: CHECK failed: true' >&2\nexec sleep 600\n"


@pytest.fixture
def faulty(tmp_path, monkeypatch):
    """A program that breaks a promise to itself."""
    program = tmp_path / "program"
    program.write_text(FAULTY)
    program.chmod(0o755)
    monkeypatch.setattr(stage, "PROGRAM", program)
    monkeypatch.setattr(fault_harness, "SERVER", str(program))
    return program


def test_a_fault_is_told_where_the_test_fails_before_it_looks(faulty, tmp_path):
    with pytest.raises(AssertionError, match="the program is at fault"), Crew(tmp_path) as crew:
        process = crew.start([faulty])
        await_true(lambda: "CHECK" in process.said(), 60)
        raise ValueError("of the test")


def test_a_fault_is_told_by_the_harness_of_faults_too(faulty):
    server = fault_harness.Server()
    server.start = lambda: server
    with pytest.raises(AssertionError, match="the program is at fault"), server:
        with open(server.log_path, "wb") as log:
            server.process = subprocess.Popen([faulty], stderr=log)
        await_true(lambda: "CHECK" in server.log(), 60)
        raise ValueError("of the test")


def junit(path, *cases):
    path.write_text("<testsuites><testsuite>" + "".join(
        f'<testcase classname="tests.e2e.test_a" name="{name}">{said}</testcase>' for name, said in cases) + "</testsuite></testsuites>")
    return path


def tally(*args):
    return subprocess.run([ROOT / "tools" / "tally.py", *args], capture_output=True, text=True, check=True, timeout=60)


def failed(said):
    return f'<failure message="{said}">def test():</failure>'


def test_what_is_run_again(tmp_path):
    first = junit(tmp_path / "first", ("good", ""), ("late[a b]@test_a", failed("assert late")))
    assert tally("--again", first).stdout == "tests/e2e/test_a.py::late[a b]\n"
    for words in ("the program is at fault: it ended with -11", "the server ended by itself", "==1==ERROR: AddressSanitizer", "x.c:1: CHECK failed"):
        assert tally("--again", junit(tmp_path / "fault", ("late", failed("late")), ("bad", failed(words)))).stdout == ""
    assert tally("--again", junit(tmp_path / "many", *((f"late{i}", failed("late")) for i in range(4)))).stdout == ""
    for second, counts, word in (("", "2 0 0", "UNEVEN"), ("<skipped/>", "1 1 0", "FAILED"), (failed("again"), "1 1 0", "FAILED")):
        done = tally(first, junit(tmp_path / "second", ("late[a b]", second)))
        assert done.stdout.strip() == counts and word in done.stderr and "assert late" in done.stderr
    assert tally(first, tmp_path / "none").stdout.strip() == "1 1 0"
