"""Where media go: one port or one for each worker, the addresses that peers are told; and who may wait for them."""
import re

from stage import ADMIN_PASSWORD, await_true, free_ports
from test_sfu_http import SDP, TOKEN, WATCH, ask, publish, watch
from test_sfuload import PATIENT, Load, explained
from test_sfuload import TOKEN as LOAD_TOKEN


def candidates(answer):
    assert answer.status == 201, answer.body
    return [tuple(c.split()) for c in re.findall(r"a=candidate:\S+ 1 (\S+ \d+ \S+ \d+) typ host", answer.body)]


def test_behind_a_nat_peers_are_told_the_address_outside(serve):
    udp, tcp = free_ports(), free_ports()
    server = serve({"sfu.udp": f"127.0.0.1:{udp}", "sfu.tcp": f"127.0.0.1:{tcp}", "sfu.public": "192.0.2.7,2001:db8::7"})
    told = candidates(watch(server, "nat"))
    ends = {("udp", "192.0.2.7", str(udp)), ("udp", "2001:db8::7", str(udp)), ("tcp", "192.0.2.7", str(tcp)), ("tcp", "2001:db8::7", str(tcp))}
    assert {(kind, address, port) for kind, _, address, port in told} == ends and len(told) == 4
    # RFC 8445 5.1.2: none is worth as much as another; UDP before TCP, the first address before the second.
    worth = {(kind, address): int(priority) for kind, priority, address, _ in told}
    assert sorted(worth, key=worth.get, reverse=True) == [("udp", "192.0.2.7"), ("udp", "2001:db8::7"), ("tcp", "192.0.2.7"), ("tcp", "2001:db8::7")]
    # The names of a restart come with the same.
    answer = watch(server, "nat")
    again = ask(server, "PATCH", answer.headers["Location"], b"a=ice-ufrag:abcd\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa\r\n",
                {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*"})
    assert again.status == 200 and "192.0.2.7" in again.body and "127.0.0.1" not in again.body


def test_each_worker_has_a_port_of_its_own(crew, serve):
    udp = free_ports()  # and the next one
    server = serve({"sfu.udp": f"127.0.0.1:{udp}", "sfu.ports": "each", "sfu.publish_token": LOAD_TOKEN, "workers": "2", "sfu.idle": "no", **PATIENT})
    told = {candidates(watch(server, "each"))[0][3] for _ in range(20)}
    assert told == {str(udp), str(udp + 1)}
    Load(crew, server, "show").publish()
    report = Load(crew, server, "show").watch(20, 2, least=20 * 300)
    assert report["joined"] == 20 and report["packets"] >= 20 * 300
    assert not any(report[k] for k in ("bad", "torn", "astray")) and explained(report), report
    # Who is told the right port needs no way between workers.
    metrics = server.get("/metrics").text
    assert re.search(r"^ringmain_sfu_passed_total 0$", metrics, re.M), re.findall(r"sfu_passed.*", metrics)


def test_nobody_waits_where_nobody_may(serve):
    server = serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": "publisher", "sfu.wait": "no", "sfu.connect_timeout": "10m"})
    refused = watch(server, "show")
    assert refused.status == 409 and int(refused.headers["Retry-After"]) > 0
    show = publish(server, "show").headers["Location"]
    viewer = watch(server, "show", headers={"X-deadsfu-subuuid": "me"})
    assert viewer.status == 201
    # Nor is he brought where he would have to.
    assert ask(server, "GET", "/switchRoom?room=void&subuuid=me").status == 409
    order = server.get(f"/api/v1/sfu/sessions/{viewer.headers['Location'][-32:]}/switch", auth=("admin", ADMIN_PASSWORD), method="POST",
                       body='{"room": "void"}', headers={"Content-Type": "application/json"})
    assert order.status == 409
    # Who came for a publisher stays when it goes: it may come again.
    assert ask(server, "DELETE", show, headers=TOKEN).status == 200
    await_true(lambda: watch(server, "show").status == 409, 30)
    assert ask(server, "DELETE", viewer.headers["Location"]).status == 200
    assert ask(server, "POST", "/whep/show", WATCH, SDP).status == 409
