"""Another server's settings become a file that ringmain takes, and what has no equal is named."""

import json
import os
import re
import subprocess

import pytest

from fault_harness import BUILD, run

CONTROL = os.environ.get("RINGMAIN_CLIENTS", os.path.join(BUILD, "clients")) + "/ringmainctl"

ICECAST = """<icecast>
  <location>Bremen &amp; umzu</location>
  <admin>ops@example.org</admin>
  <limits><clients>250</clients><sources>9</sources><queue-size>524288</queue-size>
    <client-timeout>30</client-timeout><header-timeout>20</header-timeout>
    <source-timeout>12</source-timeout><burst-on-connect>1</burst-on-connect>
    <burst-size>262144</burst-size></limits>
  <authentication><source-password>hack "me"</source-password>
    <relay-user>mirror</relay-user><relay-password>x</relay-password><admin-user>root</admin-user>
    <admin-password>p:w</admin-password></authentication>
  <hostname>radio.example.org</hostname>
  <listen-socket><port>8010</port></listen-socket>
  <listen-socket><port>8020</port><bind-address>127.0.0.1</bind-address></listen-socket>
  <listen-socket><port>8030</port><bind-address>::1</bind-address></listen-socket>
  <listen-socket><port>8011</port><shoutcast-compat>1</shoutcast-compat></listen-socket>
  <mount type="default"><max-listeners>50</max-listeners></mount>
  <mount type="normal">
    <mount-name>/live.ogg</mount-name><username>dj</username><password>secret</password>
    <fallback-mount>/auto</fallback-mount><fallback-override>1</fallback-override>
    <fallback-when-full>0</fallback-when-full><max-listener-duration>3600</max-listener-duration>
    <hidden>1</hidden><public>0</public><charset>ISO8859-1</charset>
    <stream-name>Über &lt;Radio&gt;</stream-name><mp3-metadata-interval>4096</mp3-metadata-interval>
    <authentication type="url">
      <option name="listener_add" value="http://auth.example.org/add"/>
      <option name="frobnicate" value="1"/>
    </authentication>
    <no-such-thing>7</no-such-thing>
  </mount>
  <mount type="normal">
    <mount-name>/members</mount-name>
    <authentication type="htpasswd"><option name="filename" value="/etc/icecast2/members"/>
      <option name="allow_duplicate_users" value="0"/></authentication>
  </mount>
  <relay><server>up.example.org</server><port>8001</port><mount>/a</mount>
    <local-mount>/b</local-mount><on-demand>1</on-demand></relay>
  <directory><yp-url-timeout>15</yp-url-timeout><yp-url>http://dir.example.org/yp</yp-url></directory>
  <paths><logdir>/var/log/icecast2</logdir><webroot>/usr/share/icecast2/web</webroot>
    <alias source="/" destination="/status.xsl"/></paths>
  <logging><errorlog>error.log</errorlog><loglevel>2</loglevel></logging>
  <security><chroot>0</chroot></security>
</icecast>
"""

TINYICE = {
    "bind_host": "0.0.0.0", "port": 8000, "hostname": "radio.example.org", "location": "Bremen",
    "max_listeners": 100, "default_source_password": "$2a$12$abcdefghijklmnopqrstuv",
    "advanced_mounts": {"/live": {"password": "plain", "burst_size": 262144,
                                  "name_override": "Live"}},
    "fallback_mounts": {"/live": "/auto"}, "visible_mounts": {"/auto": False},
    "relays": [{"url": "http://up.example.org/a", "mount": "/r", "enabled": False}],
    "transcoders": [{"name": "x"}], "banned_ips": ["192.0.2.7"], "low_latency_mode": True,
}


def imported(path):
    return subprocess.run([CONTROL, "import", str(path)], capture_output=True, text=True,
                          check=False)


def settings_of(done, tmp_path):
    """The values that differ from the defaults, as ringmain itself reads them."""
    file = tmp_path / "ringmain.yaml"
    file.write_text(done.stdout)
    checked = run("--check", "--config", str(file))
    assert checked.returncode == 0, checked.stderr + done.stdout
    dumped = run("--dump", "--config", str(file))
    assert dumped.returncode == 0
    return dumped.stdout


def test_icecasts_settings_mean_the_same(tmp_path):
    source = tmp_path / "icecast.xml"
    source.write_text(ICECAST)
    done = imported(source)
    assert done.returncode == 0, done.stderr
    said = done.stdout
    for line in ('location: "Bremen & umzu"', 'contact: "ops@example.org"', "max_listeners: 250",
                 "max_sources: 9", 'header_timeout: "20s"', 'source_timeout: "12s"',
                 "burst: 262144", "ring: 1048576", 'source_password: "hack \\"me\\""',
                 'slave_user: "mirror"', 'slave_password: "x"', 'user: "root"', 'password: "p:w"', 'hostname: "radio.example.org"',
                 'listen: ["[::]:8010", "127.0.0.1:8020", "[::1]:8030"]', "max_listeners: 50",
                 'user: "dj"', 'password: "secret"', 'fallback: "/auto"', "fallback_override: yes",
                 "fallback_when_full: no", 'max_duration: "3600s"', "hidden: yes", 'public: "no"',
                 'charset: "latin1"', 'name: "Über <Radio>"', "icy_interval: 4096",
                 'auth_listener_add: "http://auth.example.org/add"',
                 'htpasswd: "/etc/icecast2/members"', "allow_duplicate_users: no",
                 'url: ["http://up.example.org:8001/a"]', "on_demand: yes",
                 'url: ["http://dir.example.org/yp"]', 'file: "/var/log/icecast2/error.log"',
                 'level: "warning"'):
        assert line in said, (line, said)
    settings_of(done, tmp_path)
    # What has no equal is named with its line.
    for there, word in (("8011", "SHOUTcast encoders"), ("frobnicate", "frobnicate"),
                        ("no-such-thing", "no-such-thing"),
                        ("chroot", "chroot"), ("yp-url-timeout", "yp-url-timeout")):
        number = ICECAST[:ICECAST.index(there)].count("\n") + 1
        assert re.search(rf"icecast\.xml:{number}: .*{word}", done.stderr), (word, done.stderr)


def test_debians_own_icecast_file_is_taken(tmp_path):
    if not os.access("/etc/icecast2/icecast.xml", os.R_OK):
        pytest.skip("icecast2 is not installed, or its file is not readable")
    done = imported("/etc/icecast2/icecast.xml")
    assert done.returncode == 0, done.stderr
    settings_of(done, tmp_path)


def test_a_password_that_everybody_knows_is_named(tmp_path):
    source = tmp_path / "icecast.xml"
    source.write_text("<icecast>\n<authentication>\n<source-password>hackme</source-password>"
                      "\n<admin-password>mine</admin-password></authentication></icecast>")
    done = imported(source)
    assert done.returncode == 0 and 'source_password: "hackme"' in done.stdout
    assert re.findall(r"icecast\.xml:(\d+): .*hackme", done.stderr) == ["3"]


def test_tinyices_settings_mean_the_same(tmp_path):
    source = tmp_path / "tinyice.json"
    source.write_text(json.dumps(TINYICE))
    done = imported(source)
    assert done.returncode == 0, done.stderr
    for line in ('listen: ["[::]:8000"]', 'location: "Bremen"', "max_listeners: 100",
                 'password: "plain"', "burst: 262144", 'name: "Live"', 'fallback: "/auto"',
                 "hidden: yes", 'url: ["http://up.example.org/a"]', "enabled: no",
                 'deny: ["192.0.2.7"]', "low_latency: yes"):
        assert line in done.stdout, (line, done.stdout)
    settings_of(done, tmp_path)
    assert "default_source_password: the password is a bcrypt hash" in done.stderr
    assert "transcoders has no equal" in done.stderr


@pytest.mark.parametrize("text, fault", [
    ("<icecast>\n<limits>\n</icecast>", ":3: mismatched tag"), ("{", ":1: "), ("", ":1: "),
    ("[1]", ""), ("\n<html/>", ":2: <html> is no <icecast>"), ("<icecast><a" + "><a" * 40 + ">", "nested too deep"),
])
def test_what_is_no_such_file_is_refused_with_its_place(tmp_path, text, fault):
    source = tmp_path / "file"
    source.write_text(text)
    done = imported(source)
    assert done.returncode == 1 and fault in done.stderr and not done.stdout, done


def test_a_file_that_is_not_there_is_named(tmp_path):
    done = imported(tmp_path / "none")
    assert done.returncode == 1 and "none: No such file" in done.stderr


@pytest.mark.parametrize("words", [[], ["relaod"], ["reload", "now"], ["import"]],
                         ids=["nothing", "misspelt", "too-many", "no-file"])
def test_a_call_that_makes_no_sense_ends_with_2(tmp_path, words):
    done = subprocess.run([CONTROL, "--data", str(tmp_path), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.startswith("Usage: ")
