/* rtcp: reports and feedback: RFC 3550 6, RFC 4585 (NACK, PLI), RFC 5104 (FIR), REMB
 * (draft-alvestrand-rmcat-remb-03), transport-wide congestion control
 * (draft-holmer-rmcat-transport-wide-cc-extensions-01).
 *
 *   datagram:  ┌ V P count│PT│length ┐┌ body ┐┌ V P count│PT│length ┐┌ body ┐ …
 *
 * rtcp_next takes packet after packet off a datagram, whole or reduced (RFC 5506); the functions
 * behind it read one body each. Parsed parts point into the datagram. Sans-I/O, no allocation.
 * Thread: any. */
#pragma once

#include "core/reader.h"
#include "core/writer.h"

enum rtcp_type {
	RTCP_SR = 200,
	RTCP_RR = 201,
	RTCP_SDES = 202,
	RTCP_BYE = 203,
	RTCP_RTPFB = 205, /* count is FMT */
	RTCP_PSFB = 206,
};

#define RTPFB_NACK 1u
#define RTPFB_TWCC 15u
#define PSFB_PLI   1u
#define PSFB_FIR   4u
#define PSFB_AFB   15u /* REMB among them */

struct rtcp {
	unsigned count; /* or FMT */
	unsigned type;
	uint32_t sender;   /* the first SSRC; 0 where there is none */
	struct bytes body; /* behind it, without padding */
};

/* The next packet of rest; false at the end, or with *broken at what is no RTCP. */
bool rtcp_next(struct bytes *rest, struct rtcp *out, bool *broken);

struct rtcp_report {
	uint32_t ssrc;
	uint8_t fraction_lost; /* in 256ths */
	int32_t lost;
	uint32_t highest; /* sequence number, with its cycles */
	uint32_t jitter;
	uint32_t last_sr, since_sr; /* middle 32 bits of NTP time; 65,536ths of a second */
};

struct rtcp_sender {
	uint64_t ntp;
	uint32_t rtp;
	uint32_t packets, octets;
};

/* Of an SR: what its sender sent; *reports is left at the reports behind it. */
bool rtcp_read_sender(const struct rtcp *packet, struct rtcp_sender *out, struct bytes *reports);
bool rtcp_next_report(struct bytes *reports, struct rtcp_report *out);

/* Feedback: whose media it is about, and the entries. */
bool rtcp_read_feedback(const struct rtcp *packet, uint32_t *media, struct bytes *entries);

/* Of a NACK's entries: a number and the 16 bits behind it. */
bool rtcp_next_nack(struct bytes *entries, uint16_t *seq, uint16_t *behind);

/* Of a FIR's entries. */
bool rtcp_next_fir(struct bytes *entries, uint32_t *ssrc, uint8_t *number);

/* Of an AFB's entries: bits per second, when it is a REMB. */
bool rtcp_read_remb(struct bytes entries, uint64_t *bits);

/* --- writing: each a whole packet ------------------------------------------------------------- */

void rtcp_write_sr(struct writer *w, uint32_t ssrc, const struct rtcp_sender *sender);
void rtcp_write_rr(struct writer *w, uint32_t ssrc, const struct rtcp_report *reports,
		   unsigned count);
void rtcp_write_cname(struct writer *w, uint32_t ssrc, struct bytes cname);
void rtcp_write_bye(struct writer *w, uint32_t ssrc);
void rtcp_write_pli(struct writer *w, uint32_t ssrc, uint32_t media);
void rtcp_write_fir(struct writer *w, uint32_t ssrc, uint32_t media, uint8_t number);
void rtcp_write_remb(struct writer *w, uint32_t ssrc, uint64_t bits, const uint32_t *media,
		     unsigned count);

/* Numbers in rising order (as 16 bits wrap). At most as many as fit 64 entries are written; returns
 * how many numbers that were. */
size_t rtcp_write_nack(struct writer *w, uint32_t ssrc, uint32_t media, const uint16_t *seqs,
		       size_t count);
