"""Clients of the bouncer that come over WebSocket, at the HTTP port."""
import socket

import pytest

from irc_web import BINARY, CLOSE, PING, PONG, TEXT, WebClient, WebWire
from test_irc import bouncer, network, on_channel, say  # noqa: F401 (fixtures)


def wire(bouncer, **options):
    return WebWire(socket.create_connection(("127.0.0.1", bouncer.server.port), timeout=60), **options)


@pytest.mark.parametrize("protocols, chosen", [
    ("text.ircv3.net", "text.ircv3.net"), ("binary.ircv3.net", "binary.ircv3.net"),
    ("binary.ircv3.net, text.ircv3.net", "text.ircv3.net"), (None, None)], ids=["text", "binary", "both", "none"])
def test_the_subprotocol_is_agreed_on(bouncer, protocols, chosen):
    client = wire(bouncer, protocols=protocols)
    assert (client.status, client.headers.get("sec-websocket-protocol")) == (101, chosen)
    client.opcode = TEXT if chosen == "text.ircv3.net" else BINARY
    client.send("CAP LS 302")
    client.expect("CAP \\* LS :")


def test_pages_of_other_sites_may_not(bouncer):
    assert wire(bouncer, origin="http://elsewhere.example").status == 403
    assert wire(bouncer, origin="http://127.0.0.1").status == 101


def test_there_is_no_door_without_irc(serve):
    server = serve({"irc.listen": ""})
    client = WebWire(socket.create_connection(("127.0.0.1", server.port), timeout=60))
    assert client.status == 404


def test_lines_are_messages_both_ways(bouncer, fake):
    plain, up = on_channel(bouncer, fake())
    # As many as it takes to be moved from one worker to the other, too.
    clients = [WebClient(bouncer.server.port, f"admin/net@web{i}") for i in range(4)]
    for client in clients:
        say(up, "grüß Gott")
        assert client.expect("PRIVMSG #ring").params[1] == "grüß Gott"
        client.send(f"PRIVMSG #ring :{'x' * 300}")
        up.expect(f"^PRIVMSG #ring :{'x' * 300}$")
        plain.expect("PRIVMSG #ring :x")


def test_what_is_not_utf_8_is_made_so_where_messages_are_text(bouncer, fake):
    _, up = on_channel(bouncer, fake())
    text = WebClient(bouncer.server.port, "admin/net@text")
    binary = WebClient(bouncer.server.port, "admin/net@binary", protocols="binary.ircv3.net")
    up.send_bytes(b":bob!b@h PRIVMSG #ring :caf\xe9 \xed\xa0\x80\r\n")
    assert text.expect("PRIVMSG #ring").params[1].startswith("café ")
    binary.expect("PRIVMSG #ring")
    assert (BINARY, b":bob!b@h PRIVMSG #ring :caf\xe9 \xed\xa0\x80") in binary.frames


def test_pieces_pings_and_several_lines_in_one(bouncer):
    client = WebClient(bouncer.server.port)
    client.send_bytes(client.frame(TEXT, b"PING :one", final=False) + client.frame(PING, b"now"))
    client.send_bytes(client.frame(0, b"-two\r\nPING three"))
    client.expect("PONG .*one-two")
    client.expect("PONG .*three")
    assert (PONG, b"now") in client.frames


def test_goodbye_is_said_both_ways(bouncer):
    client = WebClient(bouncer.server.port)
    client.send("QUIT")
    client.gone()
    assert client.frames[-1][0] == CLOSE and "ERROR" in client.said[-1]
    client = WebClient(bouncer.server.port)
    client.send_bytes(client.frame(CLOSE, b"\x03\xe8"))
    client.gone()
    assert client.frames[-1] == (CLOSE, b"\x03\xe8")


@pytest.mark.parametrize("junk", [b"\x01\x05hello", b"\xff\xff\xff\xff", b"\x81\xff" + b"\xff" * 8, b"\x81\x82mask\xff\xff"],
                         ids=["unmasked", "reserved", "huge", "no-utf8"])
def test_who_breaks_the_rules_is_let_go_and_others_stay(bouncer, junk):
    stays, goes = WebClient(bouncer.server.port), WebClient(bouncer.server.port)
    goes.send_bytes(junk)
    goes.gone()
    stays.sync()


def test_places_are_kept_over_websockets_too(bouncer, fake):
    _, up = on_channel(bouncer, fake())
    client = WebClient(bouncer.server.port, "admin/net@web")
    for i in range(5):
        say(up, f"line {i}")
    client.expect("line 4")
    client.close()
    for i in range(5, 8):
        say(up, f"line {i}")
    again = WebClient(bouncer.server.port, "admin/net@web")
    again.expect("line 5")
    again.expect("line 7")
    again.sync()
    assert not any("line 4" in line for line in again.said)
