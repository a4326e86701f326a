"""Debian's mumble-server as a peer: what ringmain's clients must get along with, and what its
voice rooms are held against."""
import os
import pathlib
import pwd
import re
import shutil

from stage import await_true, free_ports

USER = "mumble-server"


class MumbleServer:
    """One on a port of its own, with an empty database."""

    def __init__(self, crew, settings=None):
        self.port = free_ports()
        self.room = pathlib.Path(crew.directory) / f"murmur-{self.port}"
        self.room.mkdir()
        if os.getuid() == 0:  # it gives up root by itself
            entry = pwd.getpwnam(USER)
            os.chown(self.room, entry.pw_uid, entry.pw_gid)
            for parent in self.room.parents:
                if parent.stat().st_uid == 0 and not parent.stat().st_mode & 1:
                    parent.chmod(parent.stat().st_mode | 0o011)
        lines = {"database": self.room / "murmur.sqlite", "port": self.port, "host": "127.0.0.1",
                 "logfile": "", "pidfile": self.room / "pid", "bandwidth": 200000, "users": 300, "timeout": 600,
                 "autobanAttempts": 0, **(settings or {})}
        ini = self.room / "murmur.ini"
        ini.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
        self.process = crew.start([shutil.which("murmurd") or "/usr/sbin/murmurd", "-ini", ini, "-fg"])
        await_true(lambda: re.search(r"Not registering server", self.process.said()), 20,
                   self.process.said)
