"""A bouncer and its orders, for the tests of BouncerServ."""
import json

from irc import PATIENT, Client
from stage import ADMIN_PASSWORD, free_ports

ADMIN = ("admin", ADMIN_PASSWORD)


class Bouncer:
    def __init__(self, serve, settings=None):
        self.port = free_ports()
        self.server = serve({"irc.listen": f"127.0.0.1:{self.port}", **PATIENT, "workers": "2",
                             "radio.shoutcast_port": "no", **(settings or {})})

    def client(self, login="admin", **options):
        return Client(self.port, login, **options)

    def order(self, text, user="admin"):
        """(good, lines) of an order over the API."""
        answer = self.server.get(f"/api/v1/irc/users/{user}/command", auth=ADMIN, method="POST",
                                 headers={"Content-Type": "application/json"}, body=json.dumps({"command": text}))
        assert answer.status == 200, answer.body
        return answer.json["good"], answer.json["lines"]

    def good(self, text, user="admin"):
        good, lines = self.order(text, user)
        assert good, lines
        return lines

    def bad(self, text, user="admin"):
        good, lines = self.order(text, user)
        assert not good, lines
        return lines[0]

    def on_channel(self, server, channel="#ring", caps=None, client_caps=""):
        """(client, the server's end), the user in a channel with bob."""
        self.good(f"network create -addr {server.address()} -name net -nick ann")
        up = server.accept()
        up.register(caps)
        client = self.client("admin/net@one", caps=client_caps)
        client.send(f"JOIN {channel}")
        up.joins(channel, "bob")
        client.expect("366")
        return client, up
