/// <reference types="node" />
import { EventEmitter } from "node:events";

export type State = "init" | "live" | "no-signal" | "stalled" | "dead" | "closed" | "superseded" | "broken";
export type Start = "newest" | "next" | "oldest";

export interface SlotInfo {
	slotId: string;
	width: number;
	height: number;
	fpsNum: number;
	fpsDen: number;
	pixelFormat: "uyvy422" | "v210" | "nv12" | "p010" | "rgba";
	frameSize: number;
	rowBytes: number;
	ringDepth: number;
	audioChannels: number;
	audioRate: number;
	sourceType: string;
	generation: number;
	writeCursor: number;
	droppedFrames: number;
	state: State;
	/** The next frame that readFrameCopy() wants, how many are there from it on, and how many were lost. */
	position: number;
	lag: number;
	lost: number;
}

export interface Frame {
	/** A copy: it stays as it is. */
	data: Buffer;
	index: number;
	ptsUs: number;
	wallUs: number;
	/** FLAGS */
	flags: number;
	/** SMPTE 12M, 0xHHMMSSFF; bit 31: drop frame. */
	timecode: number;
	/** Frames that were lost before this one. */
	lost: number;
	size: number;
}

export interface Stats {
	frames: number;
	lost: number;
	/** Frames (or samples of pcm) that were written in place of lost ones. */
	repeated: number;
	bytes: number;
	position: number;
	lag: number;
	state: State;
	/** Why the other end could not be written to; "" where it could. */
	error: string;
	over: boolean;
	changed: boolean;
}

export interface PumpOptions {
	/** Duplicated; does not block from then on. */
	fd?: number;
	/** Instead of fd: a FIFO or a file. */
	path?: string;
	/** rawvideo: frames; pcm: interleaved signed 32 bit; none: only what it tells. */
	format?: "rawvideo" | "pcm" | "none";
	start?: Start;
}

export class Pump extends EventEmitter {
	constructor(slotId: string, options?: PumpOptions);
	/** What it said last. */
	readonly stats: Stats | null;
	/** Resolves when its thread has ended. */
	stop(): Promise<Stats | null>;
	on(event: "stats" | "end", listener: (stats: Stats) => void): this;
	on(event: "state", listener: (state: State, stats: Stats) => void): this;
	on(event: "lost", listener: (frames: number, stats: Stats) => void): this;
}

export class Slot extends EventEmitter {
	constructor(slotId: string);
	readonly id: string;
	info(): SlotInfo;
	/** The next frame, or null when there is none in time. Rejects with code CLOSED, SUPERSEDED or BROKEN. */
	readFrameCopy(timeoutMs?: number): Promise<Frame | null>;
	seek(where: Start | number): void;
	pump(options: PumpOptions): Pump;
	close(): void;
	on(event: "state", listener: (state: State, stats: Stats) => void): this;
	on(event: "lost", listener: (frames: number, stats: Stats) => void): this;
}

export const FLAGS: { readonly NO_SIGNAL: 1; readonly REPEATED: 2; readonly DISCONTINUITY: 4 };
export function open(slotId: string): Slot;
export function openWait(slotId: string, timeoutMs?: number): Promise<Slot>;
export function fc_open(slotId: string): Slot;
export function fc_read_frame(slot: Slot, timeoutMs?: number): Promise<Frame | null>;
export function fc_close(slot: Slot): void;
