#!/usr/bin/python3
"""GStreamer's webrtcbin as a publisher or viewer: one line of JSON a second says how many frames came.

    gst_peer.py publish URL TOKEN CODEC          gst_peer.py watch URL TOKEN CODEC
"""
import ctypes
import json
import sys
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

SENT = {
    "VP8": "vp8enc deadline=1 keyframe-max-dist=30 target-bitrate=400000 ! rtpvp8pay pt=96",
    "H264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 bitrate=400 ! "
            "video/x-h264,profile=constrained-baseline ! rtph264pay pt=96 config-interval=-1 aggregate-mode=zero-latency",
}
TAKEN = {"VP8": "rtpvp8depay ! vp8dec", "H264": "rtph264depay ! avdec_h264"}
COUNTS = {"video": 0, "audio": 0}


def post(url, token, offer):
    request = urllib.request.Request(url, offer.encode(), {"Content-Type": "application/sdp",
                                                           "Authorization": f"Bearer {token}"})
    return urllib.request.urlopen(request, timeout=60).read().decode()


def on_gathered(bin_, _state, url, token):
    """WHIP and WHEP want all candidates at once where none trickle."""
    if bin_.get_property("ice-gathering-state") != GstWebRTC.WebRTCICEGatheringState.COMPLETE:
        return
    answer = post(url, token, bin_.get_property("local-description").sdp.as_text())
    _, sdp = GstSdp.SDPMessage.new_from_text(answer)
    answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
    bin_.emit("set-remote-description", answer, Gst.Promise.new())


def on_offer(promise, bin_):
    promise.wait()
    reply = promise.get_reply() # the offer is its: keep it
    offer = reply.get_value("offer")
    bin_.emit("set-local-description", offer, Gst.Promise.new())


def stay_here(peer):
    """The loopback is all that some machines have, and all that these tests use. libnice passes over it unless it is
    told, and GStreamer does not say how: asked of both in C, as PyGObject loses a reference on the way."""
    gobject, nice = ctypes.CDLL("libgobject-2.0.so.0"), ctypes.CDLL("libnice.so.10")
    ice, agent = ctypes.c_void_p(), ctypes.c_void_p()
    gobject.g_object_get(ctypes.c_void_p(hash(peer)), b"ice-agent", ctypes.byref(ice), None)
    gobject.g_object_get(ice, b"agent", ctypes.byref(agent), None)
    nice.nice_address_new.restype = ctypes.c_void_p
    address = ctypes.c_void_p(nice.nice_address_new())
    assert nice.nice_address_set_from_string(address, b"127.0.0.1")
    assert nice.nice_agent_add_local_address(agent, address)


def count(_sink, _buffer, _pad, kind):
    COUNTS[kind] += 1


def on_pad(_bin, pad, pipeline, codec):
    """A stream has come: decoded, and counted."""
    if pad.direction != Gst.PadDirection.SRC:
        return
    kind = pad.get_current_caps().get_structure(0).get_value("media")
    decoded = TAKEN[codec] if kind == "video" else "rtpopusdepay ! opusdec"
    chain = Gst.parse_bin_from_description(f"queue ! {decoded} ! fakesink name=sink signal-handoffs=true", True)
    chain.get_by_name("sink").connect("handoff", count, kind)
    pipeline.add(chain)
    chain.sync_state_with_parent()
    pad.link(chain.get_static_pad("sink"))


def say():
    print(json.dumps(COUNTS), flush=True)
    return True


def main():
    what, url, token, codec = sys.argv[1:]
    Gst.init(None)
    if what == "publish":
        pipeline = Gst.parse_launch(
            "webrtcbin name=peer bundle-policy=max-bundle "
            "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=15/1 ! videoconvert ! "
            f"{SENT[codec]} ! application/x-rtp,media=video,encoding-name={codec},payload=96 ! peer. "
            "audiotestsrc is-live=true ! audioconvert ! audioresample ! opusenc ! rtpopuspay pt=111 ! "
            "application/x-rtp,media=audio,encoding-name=OPUS,payload=111 ! peer.")
        peer = pipeline.get_by_name("peer")
    else:
        pipeline = Gst.Pipeline.new()
        peer = Gst.ElementFactory.make("webrtcbin", "peer")
        peer.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        pipeline.add(peer)
        for caps in (f"application/x-rtp,media=video,encoding-name={codec},payload=96,clock-rate=90000",
                     "application/x-rtp,media=audio,encoding-name=OPUS,payload=111,clock-rate=48000"):
            peer.emit("add-transceiver", GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY,
                      Gst.Caps.from_string(caps))
        peer.connect("pad-added", on_pad, pipeline, codec)
    if what == "publish":
        for i in range(2):
            peer.emit("get-transceiver", i).set_property(
                "direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
    stay_here(peer)
    peer.connect("notify::ice-gathering-state", on_gathered, url, token)
    peer.connect("on-negotiation-needed", lambda bin_: bin_.emit(
        "create-offer", None, Gst.Promise.new_with_change_func(on_offer, bin_)))
    pipeline.set_state(Gst.State.PLAYING)
    GLib.timeout_add(250, say)
    loop = GLib.MainLoop()
    bus = pipeline.get_bus()
    bus.add_signal_watch()
    bus.connect("message::error", lambda _, message: (print(message.parse_error(), flush=True), loop.quit()))
    loop.run()
    pipeline.set_state(Gst.State.NULL)
    sys.exit(1)


main()
