"""TLS on the one port: what foreign clients see of it, that every byte arrives, and that certificates
come, change and are obtained without anybody being disconnected."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time

import pytest

from fault_harness import (ADMIN, CLIENTS, PATIENCE, SERVER, Encoder, Reply, Server, assert_whole,
                           assert_whole_and_titled, await_, free_port, frames_of, read_all, runs_of, serving,
                           swarm_joined, swarm_report)

FAST = {"bitrate": 320, "speed": 4}
SMALL = {"radio.ring": "64k", "radio.burst": "8k", "radio.send_buffer": "4608", "radio.turn": "50ms"}


# --- the stage -----------------------------------------------------------------------------------


def run(*args, seconds=PATIENCE, **options):
    return subprocess.run([str(a) for a in args], capture_output=True, timeout=seconds, check=False, **options)


def certificate(room, name, hosts="DNS:localhost,IP:127.0.0.1", days=30, kind="ec"):
    """(certificate, key) of a new self-signed one."""
    crt, key = room / f"{name}.pem", room / f"{name}.key"
    how = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["-newkey", "rsa:2048"]}[kind]
    made = run("openssl", "req", "-x509", *how, "-nodes", "-keyout", key, "-out", crt, "-days", days,
               "-subj", f"/CN={name}", "-addext", f"subjectAltName={hosts}")
    assert made.returncode == 0, made.stderr
    return crt, key


@pytest.fixture
def pair(tmp_path):
    return certificate(tmp_path, "station")


def tls(pair, **more):
    # Nobody is let go because the machine is busy.
    return {"tls.certificate": pair[0], "tls.key": pair[1], "tls.handshake_timeout": "2m", **more}


def context(pair=None, newest=None):
    made = ssl.create_default_context(cafile=pair and pair[0])
    if not pair:
        made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    if newest:
        made.maximum_version = newest
    return made


def dial(server, pair=None, newest=None, name="localhost", session=None, rcvbuf=None):
    raw = server.connect(rcvbuf=rcvbuf)
    return context(pair, newest).wrap_socket(raw, server_hostname=name, session=session)


def get(server, path="/", headers="", pair=None, **how):
    with dial(server, pair, **how) as s:
        s.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost:{server.port}\r\n{headers}\r\n".encode())
        return Reply(read_all(s))


def shown(server, name="localhost"):
    """The certificate that a client asking for name is shown, PEM."""
    with dial(server, name=name) as s:
        return ssl.DER_cert_to_PEM_cert(s.getpeercert(True))


def pem_of(crt):
    return "".join(re.findall(r"-----BEGIN CERT.*?-----END CERTIFICATE-----\n", pathlib.Path(crt).read_text(), re.S)[:1])


def swarm_tls(server, path="/live", scheme="https", **options):
    args = [os.path.join(CLIENTS, "ringmain-swarm"), "--url", f"{scheme}://127.0.0.1:{server.port}{path}"]
    for name, value in options.items():
        args.append("--" + name.replace("_", "-").replace("tls-1-2", "tls-1.2"))
        if value is not True:
            args.append(str(value))
    return subprocess.Popen(args, stdout=subprocess.PIPE, text=True)


def whole_frames(body):
    frames = frames_of(body)
    assert len(frames) > 10 and len(runs_of(frames)) == 1
    return frames


# --- clients -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_curl_gets_a_page_over_either_version(pair, version):
    with Server(tls(pair)) as server:
        got = run("curl", "-sS", "--cacert", pair[0], "--tlsv" + version, "--tls-max", version, "-w", "%{http_version}",
                  f"https://localhost:{server.port}/")
        assert got.returncode == 0 and b"<html" in got.stdout, got.stderr
        assert got.stdout.endswith(b"1.1")
        assert server.metric("edge_tls_handshakes_total") == 1


@pytest.mark.parametrize("suite", ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
                                   "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                                   "ECDHE-ECDSA-CHACHA20-POLY1305"])
def test_each_suite_carries_a_stream(pair, suite):
    new = suite.startswith("TLS_")
    with Server(tls(pair)) as server, Encoder(server, **FAST):
        with subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-quiet", "-CAfile", pair[0],
                               *(["-ciphersuites", suite] if new else ["-tls1_2", "-cipher", suite])],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
            client.stdin.write(b"GET /live HTTP/1.0\r\n\r\n")
            client.stdin.flush()
            got = b""
            while len(got) < 200000:
                piece = client.stdout.read1(65536)
                assert piece, client.stderr.read()
                got += piece
            client.kill()
        whole_frames(got.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize("offer", [["-tls1_2", "-cipher", "AES128-SHA:AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA"], ["-tls1_1"]])
def test_what_is_weak_is_not_spoken(pair, offer):
    with Server(tls(pair)) as server:
        got = run("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", *offer, input=b"")
        assert b"Cipher is (NONE)" in got.stdout
        await_("it is counted", lambda: server.metric("edge_tls_handshakes_failed_total") >= 1)


def test_1_2_can_be_turned_off(pair):
    with Server(tls(pair, **{"tls.min_version": "1.3"})) as server:
        with pytest.raises(ssl.SSLError):
            get(server, newest=ssl.TLSVersion.TLSv1_2)
        assert get(server).status == 200


def test_a_session_is_taken_up_by_any_worker(pair):
    for newest in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with Server(tls(pair, workers=4)) as server:
            made = context(pair, newest)
            session = None
            for i in range(9):
                with made.wrap_socket(server.connect(), server_hostname="localhost", session=session) as s:
                    s.sendall(b"GET /robots.txt HTTP/1.0\r\n\r\n")
                    read_all(s)
                    assert s.session_reused == (i > 0)
                    session = s.session
            assert server.metric("edge_tls_resumed_total") == 8


def test_new_keys_and_a_refused_renegotiation_by_s_client(pair):
    with Server(tls(pair)) as server, Encoder(server, **FAST):
        with subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile", pair[0]],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as client:
            client.stdin.write(b"GET /live HTTP/1.0\r\n\r\n")
            client.stdin.flush()
            got = b""
            for key in b"KkKK":
                end = len(got) + 30000
                while len(got) < end:
                    got += client.stdout.read1(65536)
                client.stdin.write(bytes([key]) + b"\n")
                client.stdin.flush()
            assert client.poll() is None
            client.kill()
        assert server.metric("edge_tls_faults_total") == 0
        with subprocess.Popen(["openssl", "s_client", "-tls1_2", "-connect", f"127.0.0.1:{server.port}"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
            client.stdin.write(b"R\n")
            client.stdin.flush()
            assert b"no renegotiation" in client.stdout.read()


def test_a_large_body_and_many_requests_on_one_connection(pair):
    with Server(tls(pair)) as server, dial(server, pair) as s:
        for size in (1, 5000, 16384, 16385, 60000):
            form = "song=" + "x" * size
            s.sendall(f"POST /admin/metadata?mode=updinfo&mount=/none HTTP/1.1\r\nHost: a\r\n{ADMIN}"
                      "Content-Type: application/x-www-form-urlencoded\r\n"
                      f"Content-Length: {len(form)}\r\n\r\n{form}".encode())
            got = b""
            while b"\r\n\r\n" not in got:
                got += s.recv(65536)
            head, _, body = got.partition(b"\r\n\r\n")
            left = int(re.search(rb"Content-Length: (\d+)", head).group(1)) - len(body)
            while left > 0:
                left -= len(s.recv(left))
            assert b"HTTP/1.1 " in head and b" 5" not in head[:10], head


# --- streams -------------------------------------------------------------------------------------


def test_curl_and_ffmpeg_listen_and_hear_every_frame(pair, tmp_path):
    with Server(tls(pair)) as server, Encoder(server, **FAST):
        url = f"https://localhost:{server.port}/live"
        heard = run("sh", "-c", f"curl -sS --cacert {pair[0]} {url} | head -c 200000").stdout
        assert len(heard) == 200000
        whole_frames(heard)
        out = tmp_path / "heard.mp3"
        run("ffmpeg", "-v", "error", "-tls_verify", "0", "-i", url, "-t", "5", "-c", "copy", "-y", out)
        assert out.stat().st_size > 50000


@pytest.mark.parametrize("way", ["ffmpeg", "curl"])
def test_an_encoder_sends_over_tls_and_all_hear_the_same(pair, tmp_path, way):
    tone = tmp_path / "tone.mp3"
    run("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=440", "-t", "60", "-c:a", "libmp3lame", "-b:a", "128k",
        "-write_xing", "0", "-id3v2_version", "0", tone)
    with Server(tls(pair, **{"radio.burst": "1M", "radio.ring": "4M"})) as server:
        if way == "ffmpeg":
            args = ["ffmpeg", "-nostdin", "-v", "error", "-re", "-i", tone, "-c", "copy", "-content_type", "audio/mpeg",
                    "-tls", "1", "-write_xing", "0", "-id3v2_version", "0", "-f", "mp3",
                    f"icecast://source:hackme@localhost:{server.port}/live"]
        else:
            args = ["curl", "-sS", "--cacert", pair[0], "-u", "source:hackme", "-T", "-", "-H", "Content-Type: audio/mpeg",
                    "--limit-rate", "32k", f"https://localhost:{server.port}/live"]
        with open(tone, "rb") as f, subprocess.Popen([str(a) for a in args], stdin=f, stdout=subprocess.DEVNULL) as encoder:
            try:
                server.await_state("/live", "live")
                heard = []
                for connect in (server.connect, lambda: dial(server, pair)):
                    with connect() as s:
                        s.sendall(b"GET /live HTTP/1.0\r\n\r\n")
                        got = b""
                        while len(got) < 60000:
                            piece = s.recv(65536)
                            assert piece
                            got += piece
                        heard.append(got.partition(b"\r\n\r\n")[2][:50000])
                whole = tone.read_bytes()
                for body in heard:
                    assert body[:2000] in whole and body in whole
            finally:
                encoder.kill()
        assert server.metric("edge_tls_faults_total") == 0


@pytest.mark.parametrize("how", [{}, {"tls_1_2": True}])
@pytest.mark.parametrize("workers", [1, 4])
def test_every_listener_hears_every_frame_over_tls(pair, how, workers):
    with Server(tls(pair, workers=workers)) as server, Encoder(server, title_every=0.5):
        assert_whole_and_titled(lambda seconds: swarm_report(
            swarm_tls(server, listeners=150, icy=0.5, check=True, seconds=seconds, **how)), 75 * 2)


def test_a_thousand_over_tls_beside_as_many_plain_while_certificates_change(pair, tmp_path):
    others = [certificate(tmp_path, f"next{i}") for i in range(3)]
    with Server(tls(pair, **{"workers": 2, "tls.check_interval": "100ms"})) as server, Encoder(server, title_every=1):
        plain = swarm_tls(server, scheme="http", listeners=1000, check=True, seconds=600, icy=0.2)
        secret = swarm_tls(server, listeners=1000, check=True, seconds=600, icy=0.2)
        await_("all are there", lambda: server.metric("radio_listeners") == 2000, 150)
        for swarm in (plain, secret):
            swarm_joined(swarm)
        for crt, key in others:
            shutil.copy(key, pair[1])
            shutil.copy(crt, pair[0])
            server.process.send_signal(signal.SIGHUP)
            await_("the new one is shown", lambda crt=crt: shown(server) == pem_of(crt))
        heard = server.metric("radio_bytes_out_total")
        await_("all hear on", lambda: server.metric("radio_bytes_out_total") > heard + 2000 * 16000)
        for swarm in (plain, secret):
            swarm.terminate()
        for report in (swarm_report(plain), swarm_report(secret)):
            assert_whole(report)
        assert server.metric("edge_tls_faults_total") == 0
        await_("no record is kept", lambda: server.metric("edge_tls_slots") == 0)


@pytest.mark.real_time("the ring holds half a second")
@pytest.mark.parametrize("how", [{}, {"tls_1_2": True}])
def test_a_slow_reader_loses_whole_frames_and_no_record_breaks(pair, how):
    with Server(tls(pair, **SMALL)) as server, Encoder(server, **FAST):
        report = swarm_report(swarm_tls(server, listeners=30, check=True, seconds=6, slow_fraction=0.3, slow_rate=0.5,
                                        bitrate=1280, **how))
        assert report["served"] == 30 and report["disconnected"] == 0, report
        assert report["check"]["whole"] == 21 and report["slow"]["gap_frames"] > 0, report
        assert report["slow"]["repeats"] == report["slow"]["torn"] == report["slow"]["torn_at_start"] == 0, report
        assert server.metric("radio_skips_total") > 0


def test_who_does_not_read_at_all_is_dropped_as_a_plain_one_is(pair):
    with Server(tls(pair, **SMALL, **{"radio.lag_limit": "1s"})) as server, Encoder(server, **FAST):
        with dial(server, pair, rcvbuf=4096) as s:
            s.sendall(b"GET /live HTTP/1.0\r\n\r\n")
            await_("it is dropped", lambda: server.metric("radio_listeners_slow_total") == 1)
        await_("nothing is kept", lambda: server.metric("edge_tls_connections") == 0 and
               server.metric("edge_tls_slots") == 0)


def ezstream(server, room, mode, ca=None, mount="/live"):
    tone, config = room / "tone.mp3", room / f"ez-{mode}.xml"
    run("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=440", "-t", "30", "-c:a", "libmp3lame", "-b:a", "64k", "-y", tone)
    config.write_text(f"""<ezstream><servers><server><hostname>localhost</hostname><port>{server.port}</port>
<password>hackme</password><tls>{mode}</tls>{f'<ca_file>{ca}</ca_file>' if ca else ''}<reconnect_attempts>1</reconnect_attempts>
</server></servers><streams><stream><mountpoint>{mount}</mountpoint><format>MP3</format></stream></streams>
<intakes><intake><type>file</type><filename>{tone}</filename></intake></intakes></ezstream>""")
    config.chmod(0o600)
    return subprocess.Popen(["setpriv", "--pdeathsig=KILL", "ezstream", "-c", str(config)])


@pytest.mark.parametrize("mode,upgrade,ca,secure", [
    ("Required", "yes", True, True), ("May", "yes", True, True), ("May", "auto", False, False),
    ("May", "no", True, False), ("None", "yes", True, False)])
def test_libshout_gets_the_tls_that_it_asks_for(pair, tmp_path, mode, upgrade, ca, secure):
    with Server(tls(pair, **{"tls.upgrade": upgrade})) as server:
        with ezstream(server, tmp_path, mode, pair[0] if ca else None) as encoder:
            server.await_state("/live", "live")
            assert (server.metric("edge_tls_connections") == 1) == secure
            with dial(server, pair) as s:
                s.sendall(b"GET /live HTTP/1.0\r\n\r\n")
                assert len(s.recv(1000)) > 0
            encoder.kill()


# --- peers that break the rules ------------------------------------------------------------------


def hello():
    """A client's first flight."""
    out = ssl.MemoryBIO()
    client = context().wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


@pytest.mark.parametrize("said", [b"", b"\x16", b"\x16\x03\x01\x02", hello()[:40], hello()], ids=lambda first: str(len(first)))
def test_a_handshake_that_stalls_is_dropped(pair, said):
    with Server(tls(pair, **{"tls.handshake_timeout": "500ms", "http.header_timeout": "500ms"})) as server:
        with server.connect() as s:
            s.sendall(said)
            while s.recv(65536):
                pass

        def others_are_served():
            with contextlib.suppress(OSError):  # as long as they are in time themselves
                return server.metric("edge_timeouts_total") >= 1 and get(server).status == 200
        await_("others are served", others_are_served)


@pytest.mark.parametrize("said", [hello() + b"garbage" * 100, b"\x16" + b"A" * 5000, b"\x16\x03\x01\xff\xff" + b"A" * 9000,
                                  hello() + hello()], ids=lambda first: str(len(first)))
def test_garbage_in_a_handshake_ends_it_and_nothing_else(pair, said):
    with Server(tls(pair)) as server, Encoder(server):
        with dial(server, pair) as other:
            other.sendall(b"GET /live HTTP/1.0\r\n\r\n")
            other.recv(100)
            with server.connect() as s, contextlib.suppress(ConnectionError):
                s.sendall(said)
                while s.recv(65536):
                    pass
            assert server.metric("edge_tls_handshakes_failed_total") >= 1
            for _ in range(3):
                assert other.recv(65536)


def test_a_byte_that_changed_on_its_way_is_answered_bad_record_mac(pair):
    with Server(tls(pair)) as server:
        bios = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context(pair).wrap_bio(*bios, server_hostname="localhost")
        with server.connect() as s:
            while True:
                try:
                    client.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    s.sendall(bios[1].read())
                    bios[0].write(s.recv(65536))
            s.sendall(bios[1].read())
            client.write(b"GET / HTTP/1.0\r\n\r\n")
            record = bytearray(bios[1].read())
            record[20] ^= 1
            s.sendall(record)
            bios[0].write(read_all(s))
            with pytest.raises(ssl.SSLError, match="(?i)bad.record.mac"):
                client.read()
        assert server.metric("edge_tls_faults_total") == 1


def test_without_a_certificate_there_is_no_tls():
    with Server() as server:
        with pytest.raises((ssl.SSLError, OSError)):
            get(server)
        assert server.get("/").status == 200


def test_chromium_follows_to_https_and_shows_the_page(pair, tmp_path):
    browser = shutil.which("chromium")
    assert browser, "chromium is not installed (tools/deps)"
    with Server(tls(pair)) as server:
        page = run(browser, "--headless", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors",
                   f"--user-data-dir={tmp_path}", "--timeout=60000", "--dump-dom",
                   f"http://localhost:{server.port}/", seconds=2 * PATIENCE).stdout
        assert b"<html" in page and b"ringmain" in page, page
        assert server.metric("edge_tls_handshakes_total") >= 1 and server.metric("edge_answers_3xx_total") >= 1


# --- browsers and links --------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["Accept: text/html,application/xhtml+xml\r\n", "Upgrade-Insecure-Requests: 1\r\n",
                                    "Sec-Fetch-Dest: document\r\n"])
def test_a_browser_is_sent_to_https(pair, header):
    with Server(tls(pair)) as server:
        host = f"Host: localhost:{server.port}\r\n"
        for path in ("/", "/?x=1"):
            got = server.get(path, host + header)
            assert got.status == 302
            assert got.headers["location"] == f"https://localhost:{server.port}{path}"
        assert get(server, "/", header, pair=pair).status == 200
        # Not for a name that the certificate does not have: the browser would only warn.
        assert server.get("/", f"Host: other.example:{server.port}\r\n" + header).status == 200


def test_nobody_else_is_sent_anywhere(pair):
    browser = "Accept: text/html\r\n"
    with Server(tls(pair)) as server, Encoder(server):
        host = f"Host: localhost:{server.port}\r\n"
        assert server.get("/", host).status == 200
        assert server.get("/", host + "Accept: */*\r\nUser-Agent: VLC/3.0\r\n").status == 200
        assert server.get("/status-json.xsl", host).status == 200
        assert server.get("/metrics", host + browser + ADMIN).status == 200
        assert server.get("/api/v1/station", host + browser).status == 200
        assert server.get("/.well-known/acme-challenge/x", host + browser).status == 404
        assert server.ask(f"HEAD /live HTTP/1.0\r\n{host}{browser}\r\n").status == 200
    with Server(tls(pair, **{"tls.redirect": "no"})) as server:
        assert server.get("/", f"Host: localhost:{server.port}\r\n" + browser).status == 200


def test_a_proxy_says_how_its_client_came(pair):
    browser = "Accept: text/html\r\n"
    with Server(tls(pair, **{"http.trusted_proxies": "127.0.0.1"})) as server, Encoder(server):
        host = f"Host: localhost:{server.port}\r\n"
        assert server.get("/", host + browser).status == 200  # it does not say: it could go round for ever
        assert server.get("/", host + browser + "X-Forwarded-Proto: https\r\n").status == 200
        assert server.get("/", host + browser + "X-Forwarded-Proto: http\r\n").status == 302
        assert b"https://localhost" in server.get("/live.m3u", host + "X-Forwarded-Proto: https\r\n").body
    with Server(tls(pair)) as server, Encoder(server):
        host = f"Host: localhost:{server.port}\r\n"
        assert server.get("/", host + browser + "X-Forwarded-Proto: https\r\n").status == 302
        assert b"http://localhost" in server.get("/live.m3u", host + "X-Forwarded-Proto: https\r\n").body


def test_links_follow_the_scheme_and_hsts_is_said_when_wanted(pair):
    with Server(tls(pair, **{"tls.hsts": "365d"})) as server, Encoder(server):
        host = f"localhost:{server.port}"
        for path in ("/live.m3u", "/live.pls", "/live.xspf", "/status-json.xsl"):
            secret, plain = get(server, path, pair=pair), server.get(path, f"Host: {host}\r\n")
            assert f"https://{host}/live".encode() in secret.body.replace(b"\\/", b"/"), path
            assert f"http://{host}/live".encode() in plain.body.replace(b"\\/", b"/"), path
            assert secret.headers["strict-transport-security"] == "max-age=31536000"
            assert "strict-transport-security" not in plain.headers
    with Server(tls(pair)) as server:
        assert "strict-transport-security" not in get(server, pair=pair).headers


# --- certificates --------------------------------------------------------------------------------


def test_a_certificate_that_changed_is_shown_and_a_bad_one_is_refused(pair, tmp_path):
    first, second = pem_of(pair[0]), certificate(tmp_path, "second", kind="rsa")
    with Server(tls(pair, **{"tls.check_interval": "100ms"})) as server:
        assert shown(server) == first
        # The certificate alone: it and the key are no pair.
        shutil.copy(second[0], pair[0])
        server.await_log("certificate refused, the one before stays.*key values mismatch")
        assert shown(server) == first
        shutil.copy(second[1], pair[1])
        await_("the second is shown", lambda: shown(server) == pem_of(second[0]))
        pair[0].write_text("this is no certificate")
        server.await_log("certificate refused", 2)
        server.process.send_signal(signal.SIGHUP)
        server.await_log("not reloaded")
        assert shown(server) == pem_of(second[0])
        pair[0].unlink()
        server.await_log(r"certificate refused.*No such file")
        assert get(server).status == 200
        ends = server.metric("edge_tls_certificate_ends_seconds")
        assert abs(ends - time.time() - 30 * 86400) < 86400


def test_a_certificate_near_its_end_is_said(tmp_path):
    with Server(tls(certificate(tmp_path, "old", days=3))) as server:
        server.await_log("certificate ends soon days=[23]")


def test_a_wrong_file_at_the_start_says_which(tmp_path, pair):
    from fault_harness import run as ringmain
    for settings, word in (((tmp_path / "none.pem", pair[1]), "No such file"),
                           ((pair[0], certificate(tmp_path, "x")[1]), "key values mismatch"),
                           ((pair[0], pair[0]), "there is no private key in it")):
        got = ringmain("--data", str(tmp_path / "data"), "--set", f"http.listen=127.0.0.1:{free_port()}", "--set",
                       "admin.password=a", "--set", "radio.source_password=a", "--set", f"tls.certificate={settings[0]}",
                       "--set", f"tls.key={settings[1]}")
        assert got.returncode == 1 and re.search(f"cannot start.*({word})", got.stderr), got.stderr


def test_each_name_is_shown_its_own_certificate(tmp_path):
    pairs = [certificate(tmp_path, "a", "DNS:a.example"), certificate(tmp_path, "b", "DNS:*.b.example", kind="rsa")]
    both = tmp_path / "both.pem"
    both.write_text(pairs[1][0].read_text() + pairs[1][1].read_text())
    with Server({"tls.certificate": f"{pairs[0][0]},{both}", "tls.key": f"{pairs[0][1]},{both}"}) as server:
        assert shown(server, "a.example") == shown(server, "unknown.example") == pem_of(pairs[0][0])
        assert shown(server, "x.b.example") == pem_of(pairs[1][0])


def test_keys_are_in_no_core_dump(pair):
    with Server(tls(pair, workers=1)) as server:
        with open(f"/proc/{serving(server.process.pid)}/smaps", encoding="ascii") as f:
            maps = re.findall(r"memfd:ringmain-table.*?VmFlags: ([^\n]*)", f.read(), re.S)
        hidden = [m for m in maps if " dd" in m]
        assert len(hidden) == 3 and len(maps) > 3  # rows, slots and batch; listeners may be seen


# --- ACME ----------------------------------------------------------------------------------------


class Pebble:
    """An authority for the server's own port, with its DNS."""

    def __init__(self, room, port):
        self.room, self.port = room, free_port()
        dns, manage, challenges = free_port(), free_port(), free_port()
        ca, key = certificate(room, "ca", "DNS:ca")
        self.ca = ca
        self._sign(ca, key)
        (room / "pebble.json").write_text(json.dumps({"pebble": {
            "listenAddress": f"127.0.0.1:{self.port}", "managementListenAddress": f"127.0.0.1:{manage}",
            "certificate": str(room / "api.pem"), "privateKey": str(room / "api.key"), "httpPort": port, "tlsPort": port,
            "ocspResponderURL": "", "externalAccountBindingRequired": False}}))
        self.own = [
            self._start("pebble-challtestsrv", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-dns01", f"127.0.0.1:{dns}",
                        "-http01", "", "-https01", "", "-tlsalpn01", "", "-management", f"127.0.0.1:{challenges}"),
            self._start("pebble", "-config", room / "pebble.json", "-dnsserver", f"127.0.0.1:{dns}", "-strict"),
        ]
        await_("pebble listens", self.listens)

    def _sign(self, ca, key):
        room = self.room
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", room / "api.key",
            "-out", room / "api.csr", "-subj", "/CN=localhost")
        (room / "api.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
        made = run("openssl", "x509", "-req", "-in", room / "api.csr", "-CA", ca, "-CAkey", key, "-CAcreateserial", "-days",
                   "30", "-out", room / "api.pem", "-extfile", room / "api.ext")
        assert made.returncode == 0, made.stderr

    def _start(self, *args):
        log = open(self.room / f"{args[0]}.log", "wb")
        with log:
            return subprocess.Popen(["setpriv", "--pdeathsig=KILL", *map(str, args)], stdout=log, stderr=log,
                                    env={**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0",
                                         "PEBBLE_AUTHZREUSE": "0"})

    def listens(self):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        return False

    def settings(self, *domains, **more):
        return {"tls.acme.domains": ",".join(domains), "tls.acme.email": "ops@radio.test",
                "tls.acme.directory": f"https://127.0.0.1:{self.port}/dir", "tls.acme.ca_file": self.ca,
                "tls.acme.retry": "1s", **more}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.own:
            process.kill()
            process.wait()


def issuer(server, name):
    got = run("openssl", "x509", "-noout", "-issuer", "-ext", "subjectAltName", input=shown(server, name).encode())
    return got.stdout.decode()


@pytest.mark.parametrize("challenge", ["http-01", "tls-alpn-01"])
def test_a_certificate_is_obtained_and_renewed_by_itself(tmp_path, challenge):
    port = free_port()
    with Pebble(tmp_path, port) as pebble:
        settings = pebble.settings("radio.test", "live.radio.test", **{"tls.acme.challenge": challenge,
                                                                      "tls.acme.check": "1s"})
        with Server(settings, port=port, data=str(tmp_path / "data")) as server, Encoder(server) as encoder:
            server.await_log("certificate obtained name=radio.test", seconds=60)
            await_("it is shown", lambda: "Pebble" in issuer(server, "radio.test"))
            assert "DNS:live.radio.test" in issuer(server, "live.radio.test")
            # It is due as soon as somebody takes the certificate away; nobody hears of it.
            swarm = swarm_tls(server, listeners=50, check=True, seconds=600)
            await_("they listen", lambda: server.metric("radio_listeners") == 50)
            before = shown(server, "radio.test")
            os.unlink(tmp_path / "data" / "acme" / "radio.test" / "cert.pem")
            await_("another is shown", lambda: "Pebble" in issuer(server, "radio.test") and
                   shown(server, "radio.test") != before, 60)
            swarm.terminate()
            assert_whole(swarm_report(swarm))
            assert server.metric("edge_tls_acme_failures_total") == 0
            assert encoder.process.poll() is None
        key = tmp_path / "data" / "acme" / "private" / "radio.test" / "key.pem"
        assert key.stat().st_mode & 0o077 == 0
        # What was obtained is there at the next start, without the authority.
        for process in pebble.own:
            process.kill()
        with Server(settings, port=port, data=str(tmp_path / "data")) as server:
            assert "Pebble" in issuer(server, "radio.test")


def test_an_authority_that_is_not_there_is_asked_later_and_later(tmp_path):
    settings = {"tls.acme.domains": "radio.test", "tls.acme.directory": f"https://127.0.0.1:{free_port()}/dir",
                "tls.acme.retry": "1s"}
    with Server(settings) as server:
        # Until then, a certificate of our own.
        assert "self-signed" in issuer(server, "radio.test")
        server.await_log("certificate not obtained name=radio.test.*again=1.000s")
        server.await_log("certificate not obtained name=radio.test.*again=2.000s")
        server.process.send_signal(signal.SIGHUP)
        server.await_log("reloaded")
        server.await_log("certificate not obtained name=radio.test.*again=4.000s", seconds=30)
        assert server.metric("edge_tls_acme_failures_total") >= 3
        # Browsers are sent to https by a name that the certificate has; here it would only be a warning.
        assert server.get("/", f"Host: localhost:{server.port}\r\nAccept: text/html\r\n").status == 200
        assert get(server).status == 200


def test_a_server_without_the_program_for_certificates_says_so_at_once(tmp_path):
    """A copy, with nothing beside it."""
    alone = shutil.copy(SERVER, tmp_path / "ringmain")
    args = [alone, "--no-keeper", "--data", tmp_path / "data"]
    for setting in (f"http.listen=127.0.0.1:{free_port()}", "tls.acme.domains=radio.test",
                    f"tls.acme.directory=https://127.0.0.1:{free_port()}/dir"):
        args += ["--set", setting]
    with open(tmp_path / "log", "wb") as log, subprocess.Popen(args, stderr=log, stdout=log) as server:
        await_("it says so", lambda: b"program=ringmain-acme-hook" in (tmp_path / "log").read_bytes())
        server.kill()


def test_the_welcome_names_addresses_that_need_no_redirect(tmp_path):
    for settings, scheme in (({}, "http"), (tls(certificate(tmp_path, "one")), "https")):
        with Server(settings) as server:
            await_("it welcomes", lambda s=server: "--help lists" in s.out())
            for word in ("Look:", "Control:", "Then hear:", "State:"):
                line, = [l for l in server.out().splitlines() if word in l]
                assert f" {scheme}://localhost:{server.port}/" in line, line



def test_an_end_while_the_authority_is_asked_is_an_orderly_one():
    for i in range(24):
        with Server({"tls.acme.domains": "radio.test", "tls.acme.directory":
                     f"https://127.0.0.1:{free_port()}/dir"}):
            time.sleep(0.002 * i)  # any of these moments: uacme lives for some thirty milliseconds


def test_a_program_that_is_missing_is_named():
    with Server({"tls.acme.domains": "radio.test", "tls.acme.program": "/no/such/uacme"}) as server:
        server.await_log("certificate not obtained.*no/such/uacme: no such file")


@pytest.mark.parametrize("name", ["-h", "a b/../c", "radio..test", "*.radio.test", "/etc"])
def test_a_name_that_is_none_is_refused(name):
    from fault_harness import run as ringmain
    with open("/dev/null", encoding="ascii"):
        got = ringmain("--check", "--set", f'tls.acme.domains={name}')
    assert got.returncode != 0 and "tls.acme.domains" in got.stderr
