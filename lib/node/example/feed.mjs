// Feeds ffmpeg from a slot: node feed.mjs studio1 out.mkv
import { spawn } from "node:child_process";
import framecache from "../index.js";

const [id, out] = process.argv.slice(2);
if (!out) {
	console.error("usage: node feed.mjs SLOT OUTPUT");
	process.exit(2);
}
const slot = await framecache.openWait(id);
const { width, height, fpsNum, fpsDen, pixelFormat } = slot.info();
// ffmpeg's names; its v210 is no pixel format but a codec.
const pixels = pixelFormat === "v210" ? ["-f", "v210"] : ["-f", "rawvideo", "-pixel_format", pixelFormat === "p010" ? "p010le" : pixelFormat];
const ffmpeg = spawn("ffmpeg", ["-loglevel", "warning", ...pixels, "-video_size", `${width}x${height}`, "-framerate", `${fpsNum}/${fpsDen}`, "-i", "pipe:0", "-y", out],
{ stdio: ["pipe", "inherit", "inherit"] });
// The pixels never come through JavaScript: a thread writes them into the pipe.
const pump = slot.pump({ fd: ffmpeg.stdin._handle.fd });
pump.on("stats", ({ frames, lost, lag, state }) => console.log(`${frames} frames, ${lost} lost, ${lag} behind, ${state}`));
pump.on("state", (state) => state === "closed" && pump.stop());
process.once("SIGINT", () => pump.stop());
pump.on("end", () => ffmpeg.stdin.end());
ffmpeg.on("exit", () => slot.close());
