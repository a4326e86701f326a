"""The Debian package builds and what is in it serves; systemd, fail2ban, Grafana and Prometheus are given
nothing that they or the server do not know."""

import json
import os
import re
import subprocess
import urllib.parse

import pytest

from fault_harness import Encoder, Listener, Server, await_, basic, free_port
from stage import need

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PACKAGING = os.path.join(ROOT, "packaging")
# All of it is compiled, and nothing is kept from other builds: one of them waits for that.
BUILDS = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """What the package puts into a machine."""
    need("dpkg-buildpackage", "dh")
    out = tmp_path_factory.mktemp("package")
    done = subprocess.run([os.path.join(PACKAGING, "build-deb"), str(out / "build")],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    deb = next(f for f in (out / "build").glob("ringmain_*.deb"))
    subprocess.run(["dpkg", "-x", str(deb), str(out / "tree")], check=True)
    return out / "tree"


@BUILDS
def test_the_server_of_the_package_plays_its_demo_by_the_file_of_the_package(tree, tmp_path):
    port = free_port()
    file = tree / "etc/ringmain/ringmain.yaml"
    program = str(tree / "usr/bin/ringmain")
    assert subprocess.run([program, "--check", "--config", str(file)], check=False).returncode == 0
    server = subprocess.Popen(
        [program, "--config", str(file), "--set", f"http.listen=127.0.0.1:{port}", "--set",
         "radio.demo=yes"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        env={**os.environ, "STATE_DIRECTORY": str(tmp_path)})
    try:
        # The demo is a program of its own, found where the package puts it.
        for line in server.stderr:
            if "source live mount=/demo" in line:
                break
        else:
            pytest.fail("no demo")
        assert (tmp_path / "passwords").stat().st_mode & 0o777 == 0o600
    finally:
        server.terminate()
        server.communicate(timeout=60)


@BUILDS
def test_documents_of_the_package_lead_where_they_say(tree):
    """As they lie there, uncompressed: README's links to docs/why and its pictures too."""
    docs = tree / "usr/share/doc/ringmain"
    pages = list(docs.rglob("*.md"))
    assert {"README.md", "CHANGELOG.md", "docs/quirks.md", "docs/why/keeper.md", "packaging/README.md"} <= \
        {str(page.relative_to(docs)) for page in pages}
    links = [(page, link) for page in pages
             for link in re.findall(r"\]\(([^)#\s]+)", page.read_text()) if not re.match("[a-z]+:", link)]
    assert len(links) > 30
    assert [f"{page.relative_to(docs)} -> {link}" for page, link in links
            if not (page.parent / link).resolve().is_relative_to(docs) or not (page.parent / link).exists()] == []
    # What packaging/README.md names is beside it.
    for name in ("grafana/ringmain.json", "prometheus/alerts.yml", "prometheus/scrape.yml",
                 "fail2ban/filter.conf", "fail2ban/jail.conf", "compose.yaml", "Containerfile"):
        assert (docs / "packaging" / name).is_file(), name


@BUILDS
def test_systemd_takes_the_unit(tree, tmp_path):
    need("systemd-analyze")
    unit = (tree / "lib/systemd/system/ringmain.service").read_text()
    copy = tmp_path / "ringmain.service"
    copy.write_text(unit.replace("/usr/bin/ringmain", str(tree / "usr/bin/ringmain")))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(copy)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "ringmain.service" not in done.stderr, done.stderr
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", str(copy)],
                          capture_output=True, text=True, check=False)
    exposure = float(re.search(r"exposure level for ringmain.service: ([\d.]+)", done.stdout)[1])
    assert exposure < 3, done.stdout


@BUILDS
def test_systemd_takes_the_units_of_the_frame_cache(tree, tmp_path):
    need("systemd-analyze")
    for name, program in (("ingest", "net_ingest"), ("capture", "capture-manager")):
        assert (tree / f"usr/share/man/man1/{program}.1.gz").exists()
        unit = (tree / f"lib/systemd/system/ringmain-{name}@.service").read_text()
        copy = tmp_path / f"ringmain-{name}@studio1.service"
        copy.write_text(unit.replace(f"/usr/bin/{program}", str(tree / "usr/bin" / program)))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(copy)],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0 and f"ringmain-{name}" not in done.stderr, done.stderr


def test_containers_of_the_frame_cache_share_a_tmpfs_and_nothing_else():
    yaml = pytest.importorskip("yaml")
    with open(os.path.join(PACKAGING, "compose.yaml"), encoding="utf-8") as file:
        compose = yaml.safe_load(file)
    services = compose["services"]
    assert compose["volumes"]["slots"]["driver_opts"]["type"] == "tmpfs"
    for name, service in services.items():
        assert not {"ipc", "privileged", "network_mode", "pid"} & set(service), name
        assert service["cap_drop"] == ["ALL"] and service["read_only"] is True
        mounts = [volume for volume in service["volumes"] if volume.startswith("slots:")]
        assert bool(mounts) == (service.get("profiles") == ["framecache"]), name
        readers = service["image"] == "ringmain-capture"
        assert all(volume.endswith(":ro") == readers for volume in mounts), name
    text = open(os.path.join(PACKAGING, "Containerfile"), encoding="utf-8").read()
    uid = re.search(r"--uid (\d+)", text)[1]
    assert f"uid={uid}" in compose["volumes"]["slots"]["driver_opts"]["o"]


def test_fail2ban_finds_who_guesses_in_a_real_log(tmp_path):
    need("fail2ban-regex")
    with Server() as server:
        wrong = basic("admin", "guessed")
        for source in ("127.0.0.2", "127.0.0.3"):
            assert server.get("/admin/stats", wrong, source=source).status == 401
            assert server.get("/live", basic("source", "guessed"), source=source,
                              method="SOURCE").status == 401
        server.get("/status-json.xsl")
        log = tmp_path / "log"
        log.write_text(server.log())
    found = fail2ban(log)
    assert re.search(r"Lines: \d+ lines, \d+ ignored, 4 matched", found), found
    assert found.count("address=127.0.0.2") >= 2, found


def fail2ban(log):
    return subprocess.run(["fail2ban-regex", "-v", "--print-all-matched", str(log),
                           os.path.join(PACKAGING, "fail2ban", "filter.conf")],
                          capture_output=True, text=True, check=False).stdout


def test_nobody_makes_fail2ban_ban_another(tmp_path):
    need("fail2ban-regex")
    words = "x warning radio source login failed address=192.0.2.7 y"
    with Server() as server:
        path = "/" + urllib.parse.quote(words)
        assert server.get(path, basic("source", "guessed"), source="127.0.0.2",
                          method="SOURCE").status == 401
        assert server.get("/admin/stats", basic(words[:60], "guessed"),
                          source="127.0.0.2").status == 401
        log = tmp_path / "log"
        journal = [f"Nov 21 07:00:00 host ringmain[7]: {line}" for line in server.log().splitlines()]
        log.write_text("\n".join([*server.log().splitlines(), *journal]) + "\n")
    assert "address=192.0.2.7" in log.read_text()
    found = fail2ban(log)
    assert re.search(r"^\|\s+127\.0\.0\.2", found, re.M), found
    assert not re.search(r"^\|\s+192\.0\.2\.7", found, re.M), found


def numbers_of(text):
    return set(re.findall(r"\bringmain_[a-z0-9_]+", text))


def test_grafana_and_prometheus_ask_for_numbers_that_there_are():
    with Server() as server, Encoder(server), Listener(server) as listener:
        listener.await_bytes(1000)
        await_("the mount has numbers", lambda: "mount=" in server.get("/metrics").raw.decode())
        there = numbers_of(server.get("/metrics").raw.decode())
    with open(os.path.join(PACKAGING, "grafana", "ringmain.json"), encoding="utf-8") as file:
        page = json.load(file)
    asked = " ".join(target["expr"] for panel in page["panels"] for target in panel["targets"])
    with open(os.path.join(PACKAGING, "prometheus", "alerts.yml"), encoding="utf-8") as file:
        asked += " ".join(line for line in file if "expr:" in line)
    assert len(numbers_of(asked)) > 15
    assert not numbers_of(asked) - there
