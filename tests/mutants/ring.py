#!/usr/bin/env python3
"""Breaks ring.c in each of the ways listed here and asserts that its tests notice.

usage: ring.py SOURCE_ROOT BUILD_DIR CC...

A mutation is a piece of ring.c, what it becomes, and the program that must turn red: unit (the ring
against a model), step (the other side acts at each instruction; which of its tests, when the others
would take long) or bell (two cores). Those marked
"maybe" differ only in what a processor may do and this one might not: they are reported, not
judged. The unmutated copy must be green under all three.
"""
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

ROOT, BUILD, CC = sys.argv[1], sys.argv[2], sys.argv[3:]
FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-O1", "-w", "-fno-strict-overflow",
         "-I" + ROOT + "/src", "-I" + ROOT + "/tests", "-I" + ROOT + "/tests/unit"]
LINK = ["-Wl,-z,now", "-lcmocka", "-lpthread"]
LINK_OF = {"step": ["-Wl,--wrap=syscall"]}
PROGRAMS = {
    "unit": ["tests/unit/core/ring.c"],
    "step": ["tests/core/ring_step.c", "tests/core/step.c"],
    "bell": ["tests/core/ring_bell.c"],
}
# A run of bell is 0.8 s, and a free machine shows in the first what is to be seen. Where others use the cores
# the two threads seldom run at once: so many rounds of that are enough to say that nothing was seen, and when
# they do not come together in so many runs, nothing can be said.
BELL_TRIES = 75
BELL_ENOUGH = 5000000
TOO_BUSY = "nobody, on a machine this busy"
FENCE = "atomic_thread_fence(memory_order_seq_cst);"
NO_FENCE = "atomic_signal_fence(memory_order_seq_cst);"
HEAD = "STORE_RELEASE(ring->shared->head_pos, ring->next_pos);\n\tSTORE_RELEASE(ring->shared->head_seq, ring->next_seq);\n\t*wake"
ANNOUNCE = "announce(ring, payload.len);\n"
COPY = "copy_in(ring->data + (ring->next_pos & ring->data_mask), payload);\n"
FILL = "fill_entry(entry_of(ring, ring->next_seq), record);\n"
PUBLISH = "int ring_publish("

# (name, program, part of the file to begin at, [(old, new), ...])
MUTANTS = [
    ("the guard is not kept", "unit", "bool ring_keeps(",
     [("if (head + guard > pos + size)\n\t\treturn false;", "")]),
    ("the guard does not look at the entries", "unit", "bool ring_keeps(",
     [("if (index_is_short(", "if (0 && index_is_short(")]),
    ("nothing is void after use in place", "unit", "bool ring_keeps(",
     [("if (kept > pos)", "if (kept > pos && guard)")]),
    ("nothing is void after a copy", "step", "static bool still_kept(",
     [("return seq >= LOAD(ring->shared->kept_seq);", "return seq > 0;")]),
    ("a record is not looked at again after its copy", "step", "enum ring_status ring_read(",
     [("if (still_kept(ring, cursor->seq))", "if (cursor->seq)")]),
    ("intent is told after the bytes", "step", PUBLISH,
     [(ANNOUNCE, ""), (COPY, COPY + "\t" + ANNOUNCE)]),
    ("intent is told after the entry", "step", PUBLISH,
     [(ANNOUNCE, "while (0)\n"), (FILL, FILL + "\t" + ANNOUNCE)]),
    ("the head is published before the bytes", "step", PUBLISH,
     [(COPY, "STORE_RELEASE(ring->shared->head_pos, ring->next_pos + payload.len);\n\t" + COPY)]),
    ("the record is published before its entry", "step", PUBLISH,
     [(FILL, "STORE_RELEASE(ring->shared->head_seq, ring->next_seq + 1);\n\t" + FILL)]),
    ("intent stays one record behind", "unit", "static void announce(",
     [("kept_seq, ring->kept_seq);", "kept_seq, ring->kept_seq - 1);")]),
    ("intent stays one entry behind", "unit", "static void announce(",
     [("ring->kept_seq + count <= ring->next_seq", "ring->kept_seq + count < ring->next_seq")]),
    ("intent stays one byte behind", "unit", "static void announce(",
     [("ring->kept_pos + size < ring->next_pos + len", "ring->kept_pos + size + 1 < ring->next_pos + len")]),
    ("who sleeps does not look again", "unit", "bool ring_sleep(",
     [("if (ring_head_seq(ring) <= seq)\n", "if (ring->shared)\n")]),
    ("who waits does not look again", "step who_wait*", "int ring_wait(",
     [("if (ring_head_seq(ring) > seq)\n\t\t\tbreak;", "")]),
    ("the bell is read after the flag is set", "step who_wait*", "int ring_wait(",
     [("uint32_t bell = LOAD_ACQUIRE(shared->bell);", "uint32_t bell;"),
      (FENCE, FENCE + " if (ring_head_seq(ring) > seq) break; bell = LOAD_ACQUIRE(shared->bell);"),
      ("if (ring_head_seq(ring) > seq)\n\t\t\tbreak;", "")]),
    ("a sleeper is named for ever", "unit", "static uint64_t ring_bells(",
     [("atomic_exchange_explicit(&shared->sleepers, 0, memory_order_acq_rel)", "LOAD(shared->sleepers)")]),
    ("the epoch is not counted", "unit", "int ring_claim(",
     [("LOAD(shared->epoch) + 1", "LOAD(shared->epoch)")]),
    ("what is half published is not completed", "step", "int ring_claim(",
     [("error = finish_half_published(ring);", "error = 0;")]),
    ("what is half announced is not completed", "step", "int ring_claim(",
     [("finish_half_announced(ring);", "ring->kept_seq = LOAD(shared->kept_seq);\n\tring->kept_pos = LOAD(shared->kept_pos);")]),
    ("a claim rings no bell", "step who_wait*", "int ring_claim(",
     [("ring_waiters_wake(shared);", "")]),
    ("a second writer is let in", "unit", "int ring_claim(",
     [("return -EBUSY;", ";")]),
    ("the bytes lost are one too many", "unit", "static void catch_up(",
     [("oldest.pos - cursor->pos", "oldest.pos - cursor->pos + 1")]),
    ("a record may be as large as the ring", "unit", PUBLISH,
     [("(ring->data_mask + 1) / 2", "ring->data_mask + 1")]),
    ("the data is mapped once", "unit", "static int map_ring(",
     [("at + (int64_t)front", "at")]),
    ("no fence between the head and the look for sleepers", "bell", "static uint64_t ring_bells(",
     [(FENCE, NO_FENCE)]),
    ("maybe: no fence between intent and the bytes", "bell", "static void announce(",
     [(FENCE, NO_FENCE)]),
    ("maybe: no fence in ring_sleep, behind its atomic or", "bell", "bool ring_sleep(",
     [(FENCE, NO_FENCE)]),
    ("maybe: no fence in ring_wait", "bell", "int ring_wait(",
     [(FENCE, NO_FENCE)]),
]


def run(*command, timeout=60):
    """Exit status and output; one that hangs has failed."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=timeout, text=True, errors="replace")
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired:
        return -1, "timed out"


def compile_or_stop(args):
    status, output = run(*CC, *FLAGS, *args, timeout=1200)
    if status:
        sys.exit("does not compile: %s\n%s" % (" ".join(args), output))


def mutate(source, begin, changes):
    at = source.index(begin)
    head, tail = source[:at], source[at:]
    for old, new in changes:
        if old not in tail:
            sys.exit("ring.c has changed: no %r behind %r" % (old, begin))
        tail = tail.replace(old, new, 1)
    return head + tail


def is_red(work, number, source, programs, tries=1):
    """The first of the programs that fails on this ring.c, or None."""
    path = os.path.join(work, "ring%d.c" % number)
    with open(path, "w") as file:
        file.write(source)
    compile_or_stop(["-c", path, "-o", path + ".o"])
    for program in programs:
        program, *pattern = program.split()
        binary = path + "." + program
        objects = [os.path.join(work, os.path.basename(name) + ".o") for name in PROGRAMS[program]]
        compile_or_stop([path + ".o", *objects, "-o", binary, *LINK, *LINK_OF.get(program, [])])
        # A core that two others use may make two threads take turns, and one that waits may be
        # late for what would have shown it: several tries.
        rounds = 0
        for _ in range(tries):
            status, output = run(binary, *pattern, timeout=60 if number else 2400)  # the sound one hangs nowhere
            if status:
                if number == 0:
                    print(output)
                return program
            rounds += sum(map(int, re.findall(r"(\d+) at once", output)))
            if rounds >= BELL_ENOUGH:
                break
        if program == "bell" and tries > 1 and rounds < BELL_ENOUGH:
            return TOO_BUSY
    return None


def main():
    with open(os.path.join(ROOT, "src/core/ring.c")) as file:
        source = file.read()
    os.environ["RINGMAIN_SEED"] = "1"
    os.environ["CMOCKA_TEST_ABORT"] = "1"  # the first failure is enough
    failures = 0
    with tempfile.TemporaryDirectory(prefix="ring-mutants-", dir=BUILD) as work, \
            concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: compile_or_stop(
            ["-c", os.path.join(ROOT, name), "-o", os.path.join(work, os.path.basename(name) + ".o")]),
            ["tests/core/ring_step.c", "tests/core/step.c", "tests/core/ring_bell.c",
             "tests/unit/core/ring.c"]))
        sound = pool.submit(is_red, work, 0, source, list(PROGRAMS))
        jobs = [m for m in MUTANTS if m[1] != "bell"]
        results = {}
        for mutant, red in zip(jobs, pool.map(lambda m: is_red(
                work, 1 + MUTANTS.index(m), mutate(source, m[2], m[3]), [m[1]],
                1 if m[0].startswith("maybe") else 5), jobs)):
            results[mutant[0]] = red
        red = sound.result()
        print("unmutated: %s" % (red or "green"))
        failures += red is not None
        # Two cores for itself: one after the other.
        for mutant in MUTANTS:
            if mutant[1] == "bell":
                results[mutant[0]] = is_red(work, 1 + MUTANTS.index(mutant),
                                            mutate(source, mutant[2], mutant[3]), ["bell"],
                                            1 if mutant[0].startswith("maybe") else BELL_TRIES)
    for name, program, _, _ in MUTANTS:
        red, maybe = results[name], name.startswith("maybe: ")
        judged = "noticed by " + red if red else "not to be seen on this processor" if maybe else "NOT NOTICED"
        print("%s: %s" % (name, judged))
        failures += not red and not maybe
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
