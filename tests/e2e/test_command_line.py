"""The program by itself: its options, its settings with their faults, and its first start."""

import os
import re
import socket
import stat
import subprocess
import tempfile

import pytest

from fault_harness import PATIENCE, ROOT, SERVER, Encoder, Listener, Server, await_, basic, run


def settings_of_rows():
    """The names in the tables, which make the parser and the help alike."""
    names = []
    for room in ("core/core.def", "edge/edge.def", "radio/radio.def"):
        with open(os.path.join(ROOT, "src", room), encoding="utf-8") as f:
            names += re.findall(r"^SETTING\(([a-z0-9._]+),", f.read(), re.M)
    with open(os.path.join(ROOT, "src", "radio", "mount.def"), encoding="utf-8") as f:
        mount = re.findall(r"^(?:ITEM|INHERIT)\(([a-z0-9._]+),", f.read(), re.M)
    return names, mount


def test_help_lists_every_setting():
    done = run("--help")
    names, mount = settings_of_rows()
    assert done.returncode == 0 and done.stderr == ""
    assert len(names) > 30 and len(mount) > 25
    for name in names:
        assert re.search(rf"^  {re.escape(name)}=", done.stdout, re.M), name
    for name in mount:
        assert re.search(rf"^ +(mount\S*\.)?{re.escape(name)}=", done.stdout, re.M), name
    assert max(map(len, done.stdout.splitlines())) <= 100
    for option in ("config", "data", "set", "check", "dump", "example", "version", "help"):
        assert f"\n  --{option}" in done.stdout


def test_version():
    done = run("--version")
    assert done.returncode == 0 and re.fullmatch(r"ringmain \d+\.\d+\.\d+\n", done.stdout)


@pytest.mark.parametrize("args,says", [
    (["--nonsense"], "unrecognized option '--nonsense'"),
    (["nonsense"], "unexpected argument nonsense"),
    (["--set"], "requires an argument"),
    (["--check", "extra"], "unexpected argument extra"),
])
def test_a_wrong_option_is_named_and_ends_with_2(args, says):
    done = run(*args)
    assert done.returncode == 2 and says in done.stderr and "Try: ringmain --help" in done.stderr
    assert done.stdout == ""


# --- faults in the file --------------------------------------------------------------------------

FAULTS = [
    # (file, place, what it names, what was expected)
    ("workers: many\n", "1:10", "workers", "a whole number between 0 and 64"),
    ("workers: 65\n", "1:10", "workers", "between 0 and 64"),
    ("workers: -1\n", "1:10", "workers", "between 0 and 64"),
    ("radio:\n  burst: 64q\n", "2:10", "radio.burst", "a size such as 64k"),
    ("radio:\n  burst: 17M\n", "2:10", "radio.burst", "between 0 and 16M"),
    ("radio:\n  turn: soon\n", "2:9", "radio.turn", "a duration such as 250ms"),
    ("radio:\n  turn: 1ms\n", "2:9", "radio.turn", "between 10ms and 2s"),
    ("radio:\n  takeover: perhaps\n", "2:13", "radio.takeover", "yes or no"),
    ("radio:\n  charset: ebcdic\n", "2:12", "radio.charset", "auto"),
    ("http:\n  listen: nowhere\n", "2:11", "http.listen", "ADDRESS:PORT"),
    ("http:\n  listen: 127.0.0.1:99999\n", "2:11", "http.listen", "ADDRESS:PORT"),
    ("http:\n  allow: 10.0.0.0/33\n", "2:10", "http.allow", "an address or range"),
    ("http:\n  public_url: radio.example\n", "2:15", "http.public_url", "a URL such as"),
    ("http:\n  proxy_protocol: yes\n", "2:19", "http.proxy_protocol", "http.trusted_proxies"),
    ("admin:\n  user: a:b\n", "2:9", "admin.user", "without a colon"),
    ("mount:\n  /a:\n    burst: x\n", "3:12", "burst", "a size such as"),
    ("mount:\n  /a:\n    fallback: b\n", "3:15", "fallback", "a mount such as /auto"),
    ("mount:\n  /a:\n    nonsense: 1\n", "3:5", "nonsense", "no such setting"),
    ("mount:\n  live: {}\n", "2:3", "live", "a mount such as /live"),
    ("mount:\n  /a: 7\n", "2:7", "/a", "expected settings"),
    ("nonsense: 1\n", "1:1", "nonsense", "no such setting"),
    ("radio: 7\n", "1:8", "radio", "expected settings"),
    ("radio:\n  burst: [1, 2]\n", "2:10", "radio.burst", "found a list"),
    ("radio: {burst: 1\n", "2:1", "cannot be read", "expected ',' or '}'"),
    ("radio:\n\tburst: 1\n", "2:1", "cannot be read", "cannot start any token"),
    ("irc:\n  auth_url: ftp://x\n", "2:13", "irc.auth_url", "expected an http or https URL"),
    ("irc:\n  oauth_url: foo\n", "2:14", "irc.oauth_url", "expected an http or https URL"),
    ("sfu:\n  ice_servers: [\"stun:a\", \"http://x\"]\n", "2:27", "sfu.ice_servers", 'found "http://x"'),
    ("sfu:\n  record: [a]\n", "2:11", "sfu.record", "needs sfu.record_directory"),
    ("workers: 1\nworkers: 2\n", "2:1", "workers", "set twice, first in line 1"),
]


@pytest.mark.parametrize("text,place,name,expected", FAULTS)
def test_a_fault_in_the_file_is_told_with_its_place(tmp_path, text, place, name, expected):
    path = tmp_path / "ringmain.conf"
    path.write_text(text)
    done = run("--config", str(path), "--check")
    assert done.returncode == 1 and done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith(f"{path}:{place}: "), lines[0]
    assert name in lines[0] and expected in lines[0], lines[0]


def test_all_faults_are_told_at_once(tmp_path):
    path = tmp_path / "ringmain.conf"
    path.write_text("workers: x\nradio:\n  burst: y\n  turn: z\n")
    done = run("--config", str(path), "--check", "--set", "http.idle_timeout=w")
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 4


@pytest.mark.parametrize("setting,says", [
    ("voice.record_directory", "there is no directory"),
    ("sfu.record_directory", "there is no directory"),
    ("sfu.idle_clip", "it cannot be opened"),
    ("irc.motd", "cannot be used: No such file or directory"),
])
def test_what_is_not_there_is_told_of_good_settings(tmp_path, setting, says):
    missing = tmp_path / "missing"
    done = run("--check", "--set", f"{setting}={missing}")
    assert done.returncode == 0 and done.stdout == "The settings are good.\n"
    assert f"{setting}: " in done.stderr and says in done.stderr and str(missing) in done.stderr


@pytest.mark.parametrize("setting,says", [
    ("voice.record_directory", "there is no directory"),
    ("sfu.record_directory", "there is no directory"),
    ("sfu.idle_clip", "it is neither IVF nor a stream"),
])
def test_what_is_there_and_something_else_is_told_too(tmp_path, setting, says):
    other = tmp_path / "other"
    other.write_text("no film")
    assert says in run("--check", "--set", f"{setting}={other}").stderr
    if setting != "sfu.idle_clip":
        assert run("--check", "--set", f"{setting}={tmp_path}").stderr == ""
    if setting != "sfu.idle_clip" and os.geteuid() != 0:
        tmp_path.chmod(0o500)
        assert "nothing can be put into" in run("--check", "--set", f"{setting}={tmp_path}").stderr


def test_a_secret_is_not_shown_by_its_fault_nor_by_a_dump(tmp_path):
    path = tmp_path / "ringmain.conf"
    path.write_text("admin:\n  password: [verysecret]\n")
    assert "verysecret" not in run("--config", str(path), "--check").stderr
    dump = run("--set", "radio.source_password=verysecret", "--dump")
    assert dump.returncode == 0 and "verysecret" not in dump.stdout


@pytest.mark.parametrize("setting,says", [
    ("radio.burts=1", "did you mean radio.burst?"),
    ("radio.max_listener=1", "did you mean radio.max_listeners?"),
    ("mount./live.fallbak=/x", "did you mean fallback?"),
    ("radio.burst=x", "expected a size"),
    ("nonsense", "expected NAME=VALUE"),
])
def test_a_wrong_set_is_told_and_a_near_name_offered(setting, says):
    done = run("--check", "--set", setting)
    assert done.returncode == 1 and says in done.stderr, done.stderr
    # And the server does not start with it.
    assert run("--set", setting).returncode == 1


def test_a_file_that_is_not_there_is_named():
    done = run("--config", "/nonexistent/ringmain.conf", "--check")
    assert done.returncode == 1 and "/nonexistent/ringmain.conf" in done.stderr
    assert "No such file" in done.stderr


# --- what a new administrator does wrong -----------------------------------------------------------

MISTAKES = {  # in the file: (text, words of the remedy)
    "too-deep": ("http:\n  listen: 127.0.0.1:1\n   idle_timeout: 5s\n", "an indentation that differs from its neighbours'"),
    "a-tab": ("http:\n\tlisten: 127.0.0.1:1\n", "blanks, not tabs"),
    "an-at-sign": ("admin:\n  password: @secret\n", 'stands in quotes: "..."'),
    "a-percent-sign": ("admin:\n  password: %secret\n", 'stands in quotes: "..."'),
    "a-colon": ("admin:\n  password: a: b\n", 'stands in quotes: "..."'),
    "an-IPv6-address": ("voice:\n  listen: [::]:64738\n", 'stands in quotes: "..."'),
    "an-open-quote": ("admin:\n  password: \"secret\n", "the quote that ends it is missing"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_yaml_that_cannot_be_read_is_told_with_a_remedy(tmp_path, mistake):
    text, remedy = MISTAKES[mistake]
    path = tmp_path / "ringmain.yaml"
    path.write_text(text)
    done = run("--config", str(path), "--check")
    assert done.returncode == 1 and remedy in done.stderr, done.stderr


@pytest.mark.parametrize("args,remedy", [
    (["--config", "/nonexistent.yaml"], "--example prints one to start from"),
    (["--set", "port=8000"], "--help lists them all"),
    (["c.yaml"], "Settings in a file: --config c.yaml"),
    (["-c", "c.yaml"], "Settings in a file: --config FILE"),
], ids=["no-file", "unknown-setting", "bare-file", "icecast-way"])
def test_a_mistaken_command_is_told_what_to_do(args, remedy):
    done = run(*args)
    assert done.returncode in (1, 2) and remedy in done.stderr, done.stderr


def test_a_file_that_may_not_be_read_is_told_for_whom(tmp_path):
    path = tmp_path / "ringmain.yaml"
    path.write_text("workers: 1\n")
    path.chmod(0)
    if os.access(path, os.R_OK):
        prefix = ("setpriv", "--reuid=65534", "--clear-groups")
        path = tempfile.mkdtemp(prefix="ringmain-e2e-") + "/ringmain.yaml"
        os.chmod(os.path.dirname(path), 0o700)
        try:
            done = run("--config", path, "--check", prefix=prefix)
        finally:
            os.rmdir(os.path.dirname(path))
    else:
        done = run("--config", str(path), "--check")
    assert done.returncode == 1 and "the user that runs ringmain" in done.stderr, done.stderr


def start(*settings):
    """A start that must fail; what is said."""
    with tempfile.TemporaryDirectory(prefix="ringmain-e2e-") as data:
        doors = [] if settings[0].startswith("http.listen") else ["http.listen=127.0.0.1:0"]
        sets = [word for setting in [*doors, *settings] for word in ("--set", setting)]
        done = run("--data", data + "/data", "--set", "radio.shoutcast_port=no", *sets)
    assert done.returncode == 1, done
    return done.stderr


@pytest.mark.parametrize("setting", ["http.listen", "voice.listen", "irc.listen", "framecache.listen", "sfu.udp"])
def test_a_port_that_is_taken_is_told_with_its_setting(setting):
    kind = socket.SOCK_DGRAM if setting == "sfu.udp" else socket.SOCK_STREAM
    with socket.socket(type=kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        at = "127.0.0.1:%d" % taken.getsockname()[1]
        said = start(f"{setting}={at}")
    assert f"another program serves {at}" in said and f"--set '{setting}=" in said, said


def test_an_address_of_another_machine_is_told():
    said = start("http.listen=198.51.100.7:8000")
    assert "no address of this machine" in said and "--set 'http.listen=[::]:8000'" in said, said


def certificate(directory, name):
    """A certificate and its key, each in a file."""
    files = [str(directory / f"{name}.{kind}") for kind in ("pem", "key")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=localhost", "-days", "2", "-out", files[0], "-keyout", files[1]],
                   check=True, capture_output=True)
    return files


def test_a_certificate_that_cannot_be_used_is_told_by_check_and_start(tmp_path):
    one, key = certificate(tmp_path, "one")
    other_key = certificate(tmp_path, "two")[1]
    (tmp_path / "junk").write_text("no certificate\n")
    locked = tmp_path / "locked"
    subprocess.run(["openssl", "pkey", "-in", key, "-aes128", "-passout", "pass:word", "-out", str(locked)], check=True)
    for settings, says in [
            ([f"tls.certificate={tmp_path}/none"], "tls.certificate: the certificate"),
            ([f"tls.certificate={tmp_path}/junk"], "there is no certificate in PEM in it"),
            ([f"tls.certificate={one}"], "there is no private key in it: tls.key names the file that has it"),
            ([f"tls.certificate={one}", f"tls.key={tmp_path}/none"], "tls.key: the key"),
            ([f"tls.certificate={one}", f"tls.key={locked}"], "it has a passphrase"),
            ([f"tls.certificate={one}", f"tls.key={other_key}"], "key values mismatch")]:
        done = run("--check", *(word for setting in settings for word in ("--set", setting)))
        assert done.returncode == 1 and says in done.stderr and "good" not in done.stdout, done
        assert says.removeprefix("tls.certificate: ").removeprefix("tls.key: ") in start(*settings)
    done = run("--check", "--set", f"tls.certificate={one}", "--set", f"tls.key={key}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "The settings are good.\n", ""), done


@pytest.mark.parametrize("setting", ["files.directory", "mount./live.intro", "mount./live.fallback_file",
                                     "log.file"])
def test_a_path_that_leads_nowhere_is_told_by_check(setting):
    done = run("--check", "--set", f"{setting}=/nowhere/x")
    assert done.returncode == 0 and "there is no" in done.stderr and "/nowhere" in done.stderr, done.stderr


def test_the_example_and_the_dump_are_good_files(tmp_path):
    for option in ("--example", "--dump"):
        path = tmp_path / option.strip("-")
        path.write_text(run(option, "--set", "radio.burst=32k").stdout)
        done = run("--config", str(path), "--check")
        assert done.returncode == 0, done.stderr
        assert done.stdout == "The settings are good.\n"
    # What is set stands in the dump, and comes out of it the same.
    once = run("--dump", "--set", "radio.burst=32k", "--set", "mount./live.fallback=/b").stdout
    (tmp_path / "once").write_text(once)
    assert run("--config", str(tmp_path / "once"), "--dump").stdout == once and "32k" in once


def test_the_manual_is_mdoc_with_every_setting():
    done = run("--manual")
    names, _ = settings_of_rows()
    assert done.returncode == 0 and all(name in done.stdout for name in names)


# --- the first start -----------------------------------------------------------------------------


def passwords_in(data):
    with open(os.path.join(data, "passwords"), encoding="utf-8") as f:
        return dict(line.strip().split("=", 1) for line in f)


def test_without_any_file_it_starts_and_invents_passwords_it_keeps():
    with tempfile.TemporaryDirectory(prefix="ringmain-e2e-") as where:
        data = os.path.join(where, "deep")
        with Server(passwords=False, data=data) as server:
            server.await_log("core ready port=%d" % server.port)
            await_("it says where to look", lambda: "Then hear:" in server.out())
            first = passwords_in(data)
            assert set(first) == {"admin.password", "radio.source_password"}
            assert all(len(p) >= 16 for p in first.values()) and len(set(first.values())) == 2
            for path, mode in ((data, 0o700), (os.path.join(data, "passwords"), 0o600)):
                assert stat.S_IMODE(os.stat(path).st_mode) == mode
            # They are shown the once, on the standard output and never in the log.
            out = server.out()
            assert all(p in out for p in first.values())
            assert not any(p in server.log() for p in first.values())
            for line in ("Look:", "Publish:", "Then hear:"):
                assert line in out
            assert f":{server.port}/" in out
            admin = basic("admin", first["admin.password"])
            assert server.get("/admin/stats", admin).status == 200
            assert server.get("/admin/stats", basic("admin", "x")).status == 401
        with Server(passwords=False, data=data) as server:
            assert passwords_in(data) == first
            admin = basic("admin", first["admin.password"])
            assert server.get("/admin/stats", admin).status == 200
            # Not shown again to an output that is no terminal.
            await_("it says where to look", lambda: "Then hear:" in server.out())
            assert not any(p in server.out() for p in first.values())


def test_an_invented_password_lets_an_encoder_in():
    with tempfile.TemporaryDirectory(prefix="ringmain-e2e-") as where:
        with Server(passwords=False, data=where) as server:
            password = passwords_in(where)["radio.source_password"]
            with server.connect() as s:
                s.sendall(f"SOURCE /live HTTP/1.0\r\n{basic('source', password)}"
                          "Content-Type: audio/mpeg\r\n\r\n".encode())
                assert s.recv(100).startswith(b"HTTP/1.0 200")


def test_only_what_is_missing_is_invented():
    with tempfile.TemporaryDirectory(prefix="ringmain-e2e-") as where:
        with Server({"admin.password": "mine"}, passwords=False, data=where) as server:
            assert set(passwords_in(where)) == {"radio.source_password"}
            assert server.get("/admin/stats", basic("admin", "mine")).status == 200


def test_a_broken_password_file_does_not_stop_it():
    with tempfile.TemporaryDirectory(prefix="ringmain-e2e-") as where:
        with open(os.path.join(where, "passwords"), "w", encoding="utf-8") as f:
            f.write("admin.password=\nrubbish\n" + "x" * 5000 + "\n")
        with Server(passwords=False, data=where) as server:
            kept = dict(line.strip().partition("=")[::2]
                        for line in open(os.path.join(where, "passwords"), encoding="utf-8")
                        if "=" in line and line.strip()[-1] != "=")
            assert server.get("/admin/stats", basic("admin", kept["admin.password"])).status == 200


def test_a_data_directory_that_cannot_be_made_is_said():
    with Server(passwords=False, data="/proc/nothing/here") as server:
        assert "password not kept" in server.log()
        assert server.get("/status-json.xsl").status == 200


def test_the_state_directory_of_systemd_is_the_data_directory():
    with tempfile.TemporaryDirectory(prefix="ringmain-e2e-") as where:
        server = Server(passwords=False, environment={"STATE_DIRECTORY": where})
        at = server.args.index("--data")
        del server.args[at:at + 2]
        with server:
            assert set(passwords_in(where)) == {"admin.password", "radio.source_password"}


def test_a_file_and_the_command_line_are_read_in_that_order():
    config = "radio:\n  source_password: filed\nmount:\n  /live:\n    name: From the file\n" \
             "    password: hackme\n"
    with Server({"mount./live.genre": "Said"}, config=config) as server, Encoder(server):
        with Listener(server) as listener:
            headers = listener.reply().headers
            assert headers["icy-name"] == "From the file" and headers["icy-genre"] == "Said"


# --- being watched -------------------------------------------------------------------------------


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told_when_it_is_ready_and_when_it_stops(tmp_path, abstract):
    path = f"@ringmain-e2e-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind("\0" + path[1:] if abstract else path)
        s.settimeout(PATIENCE)
        with Server(environment={"NOTIFY_SOCKET": path}) as server:
            # By then it can be used.
            assert b"READY=1" in s.recv(4096)
            assert server.get("/status-json.xsl").status == 200
        assert b"STOPPING=1" in s.recv(4096)


def test_the_log_is_opened_anew_on_sighup(tmp_path):
    log = tmp_path / "log"
    with Server({"log.file": str(log)}) as server:
        await_("it is logged to", lambda: "core ready" in log.read_text())
        log.rename(tmp_path / "log.1")
        server.process.send_signal(1)
        await_("a new file is there", log.exists)
        with Encoder(server):
            await_("it is logged to", lambda: "source live" in log.read_text())
        assert "source live" not in (tmp_path / "log.1").read_text()


def test_port_0_is_any_port_and_the_log_says_which():
    with tempfile.TemporaryDirectory(prefix="ringmain-e2e-") as where:
        with open(os.path.join(where, "log"), "wb+") as log:
            process = subprocess.Popen([SERVER, "--data", where, "--set", "http.listen=127.0.0.1:0",
                                        "--set", "radio.shoutcast_port=no"],
                                       stderr=log, stdout=subprocess.DEVNULL)
            try:
                def port():
                    log.seek(0)
                    return re.search(rb"core ready port=(\d+)", log.read())
                found = await_("the log says the port", port)
                socket.create_connection(("127.0.0.1", int(found.group(1))), PATIENCE).close()
                process.terminate()
                assert process.wait(PATIENCE) == 0
            finally:
                process.kill()
                process.wait()
