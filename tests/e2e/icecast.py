"""Debian's icecast2, as the one who knows what Icecast answers."""
import os
import pwd
import signal

from encoders import open_to_nobody
from stage import (ADMIN_PASSWORD, SOURCE_PASSWORD, Crew, await_true, free_ports, http_get, need)


class Icecast:
    """Its answers are read by the same means as stage.Server's."""

    def __init__(self, crew: Crew, room, mounts=""):
        need("icecast2")
        self.port = free_ports()
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        room = open_to_nobody(room / "icecast")
        config = room / "icecast.xml"
        config.write_text(f"""<icecast>
  <location>Earth</location><admin>mail@example.org</admin><hostname>localhost</hostname>
  <limits><clients>100</clients><sources>10</sources><burst-size>65536</burst-size></limits>
  <authentication><source-password>{SOURCE_PASSWORD}</source-password>
    <relay-password>x</relay-password><admin-user>admin</admin-user>
    <admin-password>{ADMIN_PASSWORD}</admin-password></authentication>
  <listen-socket><port>{self.port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
  <fileserve>0</fileserve>
  <paths><basedir>/usr/share/icecast2</basedir><logdir>{room}</logdir>
    <webroot>/usr/share/icecast2/web</webroot>
    <adminroot>/usr/share/icecast2/admin</adminroot></paths>
  <logging><accesslog>-</accesslog><errorlog>-</errorlog><loglevel>2</loglevel></logging>
  <security><chroot>0</chroot></security>
{mounts}</icecast>
""")
        config.chmod(0o644)
        self.config = config
        args = ["icecast2", "-c", config]
        if os.getuid() == 0:  # it refuses to run as root
            user = pwd.getpwnam("icecast2")
            args = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}",
                    "--clear-groups", "--pdeathsig=KILL", *args]
        self.process = crew.start(args)
        starts = 1

        def up():
            nonlocal starts
            if not self.process.running():
                # Asked before it has its numbers, it may crash (a segmentation fault in strcmp).
                assert self.process.wait(0) == -signal.SIGSEGV and starts < 5, self.process.said()
                self.process = crew.start(args)
                starts += 1
            try:
                # It listens before it has all its numbers, and its JSON is none until then.
                return '"admin":' in self.get("/status-json.xsl").text
            except OSError:
                return False
        await_true(up, 20, self.process.said)

    def get(self, path, headers=None, auth=None, **options):
        return http_get(self.port, path, headers, auth, **options)

    def admin(self, path, **options):
        return self.get(f"/admin/{path}", auth=("admin", ADMIN_PASSWORD), **options)
