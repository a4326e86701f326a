#!/usr/bin/env python3
"""Breaks the frame cache's library in each of the ways listed here and asserts that its tests notice.

usage: slot.py SOURCE_ROOT BUILD_DIR CC...

A mutation is a file of lib/, the part of it to begin at, a piece of it, what it becomes, and the program
that must turn red: unit (one process), step (the other side acts at each instruction; which of its tests),
torture, crowd or kill (processes, by chance). "maybe": it differs only in what a processor may do and this
one might not: reported, not judged. The unmutated library must be green under all of them.
"""
import concurrent.futures
import os
import subprocess
import sys
import tempfile

ROOT, BUILD, CC = sys.argv[1], sys.argv[2], sys.argv[3:]
FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-O1", "-w", "-fno-strict-overflow",
         *["-I" + os.path.join(ROOT, name) for name in ("include", "lib", "src", "tests", "tests/unit")]]
LINK = ["-Wl,-z,now", "-lcmocka", "-lpthread"]
LINK_OF = {"step": ["-Wl,--wrap=syscall"]}
LIBRARY = ["reader.c", "report.c", "shape.c", "slot_dir.c", "slot_file.c", "writer.c"]
PROGRAMS = {
    "unit": ["tests/unit/framecache/slot.c"],
    "layout": ["tests/unit/framecache/layout.c"],
    "step": ["tests/framecache/step.c", "tests/core/step.c"],
    "torture": ["tests/framecache/torture.c"],
    "kill": ["tests/framecache/kill.c"],
}
WHOLE = "return LOAD_ACQUIRE(slot->live->write_intent) - index - 1 < slot->file.header.ring_depth;"
INTENT = "STORE_RELEASE(writer->live->write_intent, writer->next + 1);"
FENCE = "__atomic_thread_fence(__ATOMIC_SEQ_CST);"
CURSOR = "STORE_RELEASE(live->write_cursor, writer->next + 1); /* pairs with take() */\n"
FILL = "record_fill(writer, record, meta, now);\n"

# (name, program, file, part of it to begin at, [(old, new), ...])
MUTANTS = [
    ("what was overwritten is still valid", "step a_copy*", "reader.c", "static bool kept(", [(WHOLE, "return true;")]),
    ("the window is one frame too long", "step use_in*", "reader.c", "static bool kept(",
     [("header.ring_depth;", "header.ring_depth + 1;")]),
    ("the window is one frame too short", "unit", "reader.c", "static bool kept(",
     [("- 1 < slot->file.header.ring_depth", "< slot->file.header.ring_depth")]),
    ("a copy is not looked at again", "step a_copy*", "reader.c", "static int take(",
     [("if (kept(slot, slot->next)) {", "if (1) {")]),
    ("a frame's words are not looked at again", "step use_in*", "reader.c", "static bool frame_load(",
     [("return kept(slot, index) &&", "return ")]),
    ("intent is told after the pixels", "step every*", "writer.c", "int fc_write_frame(",
     [("fc_copy(fc_write_begin(writer), data, size);",
       "fc_copy((uint8_t *)record_next(writer) + writer->file.header.frame_data_off, data, size);\n\tfc_write_begin(writer);")]),
    ("intent is never told", "step use_in*", "writer.c", "void *fc_write_begin(", [(INTENT, "")]),
    ("intent is one behind", "step use_in*", "writer.c", "void *fc_write_begin(",
     [(INTENT, INTENT.replace("next + 1", "next"))]),
    ("a frame is committed before it is described", "step every*", "writer.c", "int fc_write_commit(",
     [(FILL, CURSOR + "STORE_RELEASE(record->seq, 2 * writer->next + 2);" + FILL)]),
    ("a frame is committed before its pixels", "step every*", "writer.c", "int fc_write_frame(",
     [("fc_copy(fc_write_begin(writer), data, size);",
       "fc_write_begin(writer); STORE_RELEASE(record_next(writer)->seq, 2 * writer->next + 2); STORE_RELEASE(writer->live->write_cursor, writer->next + 1);\n\tfc_copy(fc_write_begin(writer), data, size);")]),
    ("the bell is rung before the commit", "step who_f*", "writer.c", "int fc_write_commit(",
     [(CURSOR, ""), ("fc_wake(live);", "fc_wake(live);\n\t" + CURSOR)]),
    ("nobody is woken", "step all*", "writer.c", "int fc_write_commit(", [("fc_wake(live);", "")]),
    ("one is woken, as by a semaphore", "step all*", "slot_file.c", "void fc_wake(", [("INT_MAX", "1")]),
    ("the bell does not count", "step who_w*", "slot_file.c", "void fc_wake(",
     [("__atomic_fetch_add(&shared->wake_seq, 1, __ATOMIC_RELEASE);", "")]),
    ("the bell is read after the look", "step who_w*", "reader.c", "static int next_frame(",
     [("int result = take(slot, buf, size);", "int result = take(slot, buf, size);\n bell = LOAD_ACQUIRE(slot->live->wake_seq);")]),
    ("the end is looked for after the last frame", "step the_last*", "reader.c", "static int next_frame(",
     [("int result = take(slot, buf, size);", "int result = take(slot, buf, size);\n state = LOAD_ACQUIRE(slot->live->state);"),
      ("if (result != FC_TIMEOUT && take(slot, buf, size) == FC_OK)", "if (0)")]),
    ("one lost frame is not counted", "unit", "reader.c", "static bool catch_up(",
     [("slot->lost += cursor - 1 - slot->next;", "slot->lost += cursor - 2 - slot->next;")]),
    ("what was lost is told twice", "unit", "reader.c", "static int take(", [("slot->skipped = 0;", "")]),
    ("who was overtaken gets the next, not the newest", "unit", "reader.c", "static bool catch_up(",
     [("slot->next = cursor - 1;", "slot->next = slot->next + 1;")]),
    ("the oldest is one too old", "unit", "reader.c", "int fc_seek(", [("cursor - depth + 1", "cursor - depth")]),
    ("a successor goes on behind what was half written", "step a_slot*", "writer.c", "static int take_over(",
     [("writer->next = LOAD_ACQUIRE(live->write_cursor);", "writer->next = intent;")]),
    ("a successor says nothing of the break", "unit", "writer.c", "static int take_over(",
     [("writer->next ? FC_FRAME_DISCONTINUITY : 0", "0")]),
    ("a second writer is let in", "unit", "writer.c", "static fc_writer_t *open_fd(",
     [("writer ? fc_lock(fd) : -ENOMEM", "writer ? 0 : -ENOMEM")]),
    ("the dead are taken for the living", "unit", "slot_file.c", "bool fc_locked(", [("lock.l_type == F_WRLCK", "true")]),
    ("a reader's lock is taken for a writer's", "unit", "slot_file.c", "bool fc_locked(",
     [(".l_type = F_RDLCK", ".l_type = F_WRLCK"), ("lock.l_type == F_WRLCK", "lock.l_type != F_UNLCK")]),
    ("who goes lets the lock go first", "step who_c*", "writer.c", "void fc_writer_close(",
     [("fc_state_say(writer->live, FC_STATE_CLOSED);", "{ struct flock none = {.l_type = F_UNLCK, .l_len = 1}; fcntl(writer->file.fd, F_OFD_SETLK, &none); fc_state_say(writer->live, FC_STATE_CLOSED); }")]),
    ("sound is overwritten before it is said", "step every*", "writer.c", "int fc_write_audio(",
     [("STORE(live->audio_intent, end);", ";"), ("STORE_RELEASE(live->audio_cursor, end);", "STORE(live->audio_intent, end); STORE_RELEASE(live->audio_cursor, end);")]),
    ("sound is not looked at again", "step sound*", "reader.c", "int fc_read_audio(",
     [("return LOAD(slot->live->audio_intent) - first <= h->audio_capacity ? FC_OK : FC_LOST;", "return FC_OK;")]),
    ("sound does not go round", "unit", "writer.c", "int fc_write_audio(",
     [("fc_copy(ring, (const uint8_t *)samples + front * h->audio_sample_bytes,", "fc_copy(ring, samples,")]),
    ("a slot may be a link", "unit", "slot_file.c", "int fc_file_open(", [("O_NOFOLLOW | ", "")]),
    ("a file may have holes", "unit", "slot_file.c", "static int judge(",
     [("(uint64_t)st.st_blocks * 512 < file->header.file_size", "0")]),
    ("a dot may be in a name", "layout", "shape.c", "int fc_slot_id_ok(", [("!memchr(slot_id, '.', len) &&", "")]),
    ("odd widths pass", "layout", "shape.c", "static uint32_t planes_of(", [("if (width % 2)", "if (0)")]),
    ("times are accumulated", "layout", "shape.c", "uint64_t fc_pts_us(",
     [("return index / fps_num * second_us + (index % fps_num * second_us + fps_num / 2) / fps_num;",
       "return index * ((second_us + fps_num / 2) / fps_num);")]),
    ("a living writer is replaced unasked", "unit", "slot_dir.c", "static int open_to_end(",
     [("fc_locked(fd)", "0")]),
    ("a removed slot is not told", "unit", "slot_dir.c", "int fc_slot_remove(", [("say_of(fd, FC_STATE_CLOSED);", ";")]),
    ("maybe: no full fence behind intent", "torture", "writer.c", "void *fc_write_begin(",
     [(FENCE, "__atomic_signal_fence(__ATOMIC_SEQ_CST);")]),
    ("maybe: no full fence before the commit", "torture", "writer.c", "int fc_write_commit(",
     [(FENCE, "__atomic_signal_fence(__ATOMIC_SEQ_CST);")]),
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


def object_of(work, name):
    return os.path.join(work, os.path.basename(os.path.dirname(name)) + "-" + os.path.basename(name) + ".o")


def mutate(source, begin, changes):
    at = source.index(begin)
    head, tail = source[:at], source[at:]
    for old, new in changes:
        if old not in tail:
            sys.exit("the library has changed: no %r behind %r" % (old, begin))
        tail = tail.replace(old, new, 1)
    return head + tail


def is_red(work, number, changed, programs):
    """The first of the programs that fails with this file of the library, or None."""
    objects = []
    for name in LIBRARY:
        if changed and changed[0] == name:
            path = os.path.join(work, "%d-%s" % (number, name))
            with open(path, "w") as file:
                file.write(changed[1])
            compile_or_stop(["-c", path, "-o", path + ".o"])
            objects.append(path + ".o")
        else:
            objects.append(object_of(work, "lib/" + name))
    for program in programs:
        program, *pattern = program.split()
        binary = os.path.join(work, "%d.%s" % (number, program))
        compile_or_stop([*objects, *[object_of(work, name) for name in PROGRAMS[program]],
                         "-o", binary, *LINK, *LINK_OF.get(program, [])])
        # What only threads that run at once can show may need several tries on a busy machine.
        for _ in range(5 if changed and program in ("torture", "step") else 1):
            status, output = run(binary, *pattern, timeout=60 if number else 2400)  # the sound one hangs nowhere
            if status:
                if number == 0:
                    print(output)
                return program
    return None


def main():
    os.environ["RINGMAIN_SEED"] = "1"
    os.environ["CMOCKA_TEST_ABORT"] = "1"  # the first failure is enough
    failures = 0
    sources = {}
    for name in LIBRARY:
        with open(os.path.join(ROOT, "lib", name)) as file:
            sources[name] = file.read()
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="slot-mutants-", dir=BUILD) as work, \
            tempfile.TemporaryDirectory(prefix="fc-", dir=shared) as base, \
            concurrent.futures.ThreadPoolExecutor(2) as pool:
        os.environ["FC_TEST_BASE"] = base
        names = ["lib/" + name for name in LIBRARY] + sorted({name for all in PROGRAMS.values() for name in all})
        list(pool.map(lambda name: compile_or_stop(
            ["-c", os.path.join(ROOT, name), "-o", object_of(work, name)]), names))
        # The sound one takes longest: first.
        sound = pool.submit(is_red, work, 0, None, ["unit", "layout", "torture", "kill",
                                                    *sorted({m[1] for m in MUTANTS if m[1].startswith("step")})])
        reds = list(pool.map(lambda m: is_red(
            work, 1 + MUTANTS.index(m), (m[2], mutate(sources[m[2]], m[3], m[4])), [m[1]]), MUTANTS))
        red = sound.result()
        print("unmutated: %s" % (red or "green"))
        failures += red is not None
    for mutant, red in zip(MUTANTS, reds):
        maybe = mutant[0].startswith("maybe: ")
        judged = "noticed by " + red if red else "not to be seen on this processor" if maybe else "NOT NOTICED"
        print("%s: %s" % (mutant[0], judged))
        failures += not red and not maybe
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
