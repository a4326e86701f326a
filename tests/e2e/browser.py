"""Pages in headless Chromium that publish and watch over WebRTC, driven from a test.

    with Pages(crew, url) as pages:
        page = pages.open()
        page.run("await publish('/whip/a', {video: true})")
        page.run("return await stats()")

Each page asks this process for what to do next and brings back what came of it, so no driver is
needed but the browser itself.
"""
import http.server
import json
import queue
import threading

from stage import free_ports, need

ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--mute-audio", "--no-first-run",
             "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
             "--autoplay-policy=no-user-gesture-required", "--disable-background-networking",
             "--disable-features=WebRtcHideLocalIpsWithMdns", "--allow-loopback-in-peer-connection", "--disable-dev-shm-usage",
             "--disable-renderer-backgrounding", "--disable-background-timer-throttling",
             "--disable-backgrounding-occluded-windows", "--disable-web-security"]

PAGE = r"""<!doctype html><meta charset="utf-8"><title>test</title><body><script>
const me = location.hash.slice(1);
let pc = null, resource = null, video = null, via = 0;

// Without NACK and RTX in it.
function deaf(sdp) {
	const rtx = [...sdp.matchAll(/a=rtpmap:(\d+) rtx\//g)].map((m) => m[1]);

	for (const pt of rtx)
		sdp = sdp.replace(new RegExp(`a=(rtpmap|fmtp|rtcp-fb):${pt} .*\\r\\n`, "g"), "")
			.replace(new RegExp(`(m=video .*) ${pt}(?= |\\r)`, "g"), "$1");
	return sdp.replace(/a=rtcp-fb:\d+ nack\r\n/g, "");
}

async function negotiate(pc, path, headers = {}, resend = true) {
	const offer = await pc.createOffer();
	await pc.setLocalDescription({type: "offer", sdp: resend ? offer.sdp : deaf(offer.sdp)});
	if (pc.iceGatheringState !== "complete")
		await new Promise((done) => pc.addEventListener("icegatheringstatechange",
			() => pc.iceGatheringState === "complete" && done()));
	const reply = await fetch(SERVER + path, {method: "POST", body: pc.localDescription.sdp,
		headers: {"Content-Type": "application/sdp", ...headers}});
	if (reply.status !== 201)
		throw new Error(reply.status + " " + await reply.text());
	resource = reply.headers.get("Location");
	let answer = await reply.text();
	// Through a relay: its port in place of the server's.
	if (via)
		answer = answer.replace(/(a=candidate:.* udp .* 127\.0\.0\.1 )\d+/g, "$1" + via);
	await pc.setRemoteDescription({type: "answer", sdp: answer});
	return {resource, etag: reply.headers.get("ETag"), answer: pc.remoteDescription.sdp};
}

function prefer(transceiver, kind, codec) {
	if (!codec)
		return;
	const all = RTCRtpSender.getCapabilities(kind).codecs;
	const rank = (c) => c.mimeType.toLowerCase() === kind + "/" + codec.toLowerCase() ? 0
		: /rtx|red|ulpfec/i.test(c.mimeType) ? 1 : 2;
	transceiver.setCodecPreferences(all.filter((c) => rank(c) < 2).sort((a, b) => rank(a) - rank(b)));
}

async function publish(path, {codec = null, audio = true, width = 640, height = 360, layers = null,
		videos = 1, headers = {}} = {}) {
	pc = new RTCPeerConnection({bundlePolicy: "max-bundle"});
	const stream = await navigator.mediaDevices.getUserMedia(
		{audio, video: {width, height, frameRate: 30}});
	for (const track of stream.getTracks()) {
		const t = pc.addTransceiver(track, {direction: "sendonly", streams: [stream],
			...(track.kind === "video" && layers ? {sendEncodings: layers} : {})});
		if (track.kind === "video")
			prefer(t, "video", codec);
	}
	for (let i = 1; i < videos; i++)
		prefer(pc.addTransceiver(stream.getVideoTracks()[0].clone(), {direction: "sendonly"}), "video", codec);
	return await negotiate(pc, path, headers);
}

async function watch(path, {audio = true, videos = 1, codec = null, headers = {}, resend = true} = {}) {
	pc = new RTCPeerConnection({bundlePolicy: "max-bundle"});
	video = document.createElement("video");
	video.autoplay = video.muted = video.playsInline = true;
	video.srcObject = new MediaStream();
	document.body.append(video);
	pc.ontrack = (event) => video.srcObject.addTrack(event.track);
	if (audio)
		pc.addTransceiver("audio", {direction: "recvonly"});
	for (let i = 0; i < videos; i++)
		prefer(pc.addTransceiver("video", {direction: "recvonly"}), "video", codec);
	return await negotiate(pc, path, headers, resend);
}

async function stats() {
	const out = {state: pc.connectionState, list: []};
	const codecs = {};
	(await pc.getStats()).forEach((s) => {
		if (s.type === "codec")
			codecs[s.id] = s.mimeType;
		if (["inbound-rtp", "outbound-rtp", "remote-inbound-rtp", "transport", "candidate-pair"]
				.includes(s.type))
			out.list.push(s);
	});
	for (const s of out.list)
		if (s.codecId)
			s.codec = codecs[s.codecId];
	return out;
}

async function leave(headers = {}) {
	const status = resource && (await fetch(SERVER + resource, {method: "DELETE", headers})).status;

	pc.close();
	return status;
}

(async () => {
	const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor;
	for (let last = null;;) {
		const reply = await fetch("/next?page=" + me, {method: "POST", body: JSON.stringify(last)});
		const job = await reply.json();
		if (job === null) {
			last = {idle: true};
			continue;
		}
		try {
			last = {value: await new AsyncFunction(job)()};
			if (last.value === undefined)
				last.value = null;
		} catch (error) {
			last = {error: String(error && error.stack || error)};
		}
	}
})();
</script>
"""


class Page:
    def __init__(self, name):
        self.name = name
        self.jobs = queue.Queue()
        self.results = queue.Queue()

    def run(self, script, seconds=120):
        """What the script returns; it may await."""
        self.jobs.put(script)
        try:
            result = self.results.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"page {self.name}: no result in {seconds} s: {script}") from None
        if "error" in result:
            raise AssertionError(f"page {self.name}: {script}: {result['error']}")
        return result["value"]

    def stats(self, kind="inbound-rtp", media="video"):
        """The first of its statistics of that type and kind; {} when there is none."""
        found = [s for s in self.run("return await stats()")["list"]
                 if s["type"] == kind and s.get("kind", media) == media]
        return found[0] if found else {}


class Pages:
    def __init__(self, crew, server_url):
        need("chromium")
        self.crew = crew
        self.pages = {}
        pages = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, kind, body):
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                self.answer("text/html", PAGE.replace(
                    "const me", f"let SERVER = {json.dumps(server_url)};\nconst me").encode())

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                page = pages.pages[self.path.split("=")[1]]
                if body and "idle" not in body:
                    page.results.put(body)
                try:
                    job = page.jobs.get(timeout=20)
                except queue.Empty:
                    job = None
                self.answer("application/json", json.dumps(job).encode())

            def handle_one_request(self):
                # Browsers that are killed at the end leave in the middle of a word.
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", free_ports()), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def open(self):
        """A page in a browser of its own."""
        name = str(len(self.pages))
        page = self.pages[name] = Page(name)
        profile = self.crew.directory / f"chromium-{name}"
        self.crew.start(["chromium", *ARGUMENTS, f"--user-data-dir={profile}",
                         f"http://127.0.0.1:{self.server.server_address[1]}/#{name}"],
                        name=f"chromium-{name}")
        return page
