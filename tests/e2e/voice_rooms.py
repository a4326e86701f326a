"""ringmain's voice rooms with two workers, and ringmain-voiceswarm to fill them."""
import json
import re

from stage import CLIENTS, free_ports, run as run_program

SWARM = CLIENTS / "voice" / "ringmain-voiceswarm"
SUPERUSER = "the key of all rooms"


class Rooms:
    def __init__(self, server, port):
        self.server, self.port = server, port

    def counted(self, *names):
        """The metrics of these names, summed."""
        said = self.server.get("/metrics").text
        return sum(int(float(n)) for name in names
                   for n in re.findall(rf"^ringmain_voice_{name}(?:_total)? ([0-9.e+]+)$", said, re.M))


def rooms_of(serve, settings=None):
    port = free_ports()
    server = serve({"voice.listen": f"127.0.0.1:{port}", "voice.superuser_password": SUPERUSER,
                    "voice.timeout": "10m", "workers": "2", **(settings or {})})
    return Rooms(server, port)


def swarm(port, mode, *options, good=True, seconds=1.2):
    """Its report."""
    done = run_program([SWARM, mode, "--seconds", seconds, "--superuser", SUPERUSER, "--tick", "2",
                        "--join-seconds", "100", *options, f"127.0.0.1:{port}"], seconds=200)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["event"] == "report"
    assert report["good"] == good and done.returncode == (0 if good else 1), report
    return report
