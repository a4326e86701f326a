#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sfu/proto/rtcp.h"
#include "sfu/proto/rtp.h"
#include "sfu_link.h"
#include "sfu_stream.h"
#include "sfuload.h"

#define SSRC     0x10203040u
#define RTX_SSRC 0x10203041u
#define KEPT     4096u     /* packets, for what is asked for again */
#define NUMBER   0xfe0000u /* its address: far from the viewers' */

struct publisher {
	const struct load_options *options;
	struct link link;
	int fd;
	bool plain, key_wanted;
	uint64_t number, rtx_number;
	uint32_t frame, since_key;
	uint64_t resent, not_kept, keys, plis;
	struct kept {
		uint64_t number;
		size_t len;
		uint32_t ts;
		bool marker;
		uint8_t payload[STREAM_MOST];
	} * kept;
};

static void send_packet(struct publisher *p, const struct rtp *rtp, struct bytes payload,
			uint32_t roc)
{
	uint8_t head[RTP_HEADER], out[STREAM_MOST + 64];
	struct writer w = writer_of(head, sizeof head);

	rtp_write_header(&w, rtp, false);
	if (p->plain) {
		memcpy(out, head, sizeof head);
		memcpy(out + sizeof head, payload.at, payload.len);
		link_send(&p->link, bytes_of(out, sizeof head + payload.len));
	} else {
		link_send(&p->link, bytes_of(out, lock_seal_rtp(p->link.lock, writer_done(&w),
								payload, roc, out)));
	}
}

static void send_kept(struct publisher *p, const struct kept *kept)
{
	struct rtp rtp = {.pt = SIGNAL_PT,
			  .marker = kept->marker,
			  .seq = (uint16_t)kept->number,
			  .ts = kept->ts,
			  .ssrc = SSRC};

	send_packet(p, &rtp, bytes_of(kept->payload, kept->len), (uint32_t)(kept->number >> 16));
}

/* RFC 4588 4: the original number, then the payload. */
static void send_again(struct publisher *p, const struct kept *kept)
{
	uint8_t buf[STREAM_MOST + 2];
	struct rtp rtp = {.pt = SIGNAL_RTX_PT,
			  .marker = kept->marker,
			  .seq = (uint16_t)p->rtx_number,
			  .ts = kept->ts,
			  .ssrc = RTX_SSRC};

	p->resent++;
	if (!p->options->rtx) {
		send_kept(p, kept);
		return;
	}
	buf[0] = (uint8_t)(kept->number >> 8);
	buf[1] = (uint8_t)kept->number;
	memcpy(buf + 2, kept->payload, kept->len);
	send_packet(p, &rtp, bytes_of(buf, kept->len + 2), (uint32_t)(p->rtx_number++ >> 16));
}

static void send_frame(struct publisher *p, mono_t now)
{
	const struct load_options *o = p->options;
	bool key = p->since_key == 0 || (p->key_wanted && !o->deaf);
	unsigned count = key ? o->key_packets : o->packets;

	p->since_key = key ? 0 : p->since_key;
	p->key_wanted = p->key_wanted && !key;
	p->keys += key;
	for (unsigned i = 0; i < count; i++, p->number++) {
		struct kept *kept = &p->kept[p->number % KEPT];
		struct stream_packet packet = {.h264 = o->h264,
					       .key = key,
					       .number = p->number,
					       .sent_us = now.us,
					       .frame = p->frame,
					       .place = (uint16_t)i,
					       .count = (uint16_t)count};

		kept->number = p->number;
		kept->len = o->size;
		kept->ts = (uint32_t)((double)p->frame * 90000 / o->fps);
		kept->marker = i + 1 == count;
		stream_write(&packet, kept->payload, kept->len);
		send_kept(p, kept);
	}
	p->frame++;
	if (++p->since_key >= o->gop)
		p->since_key = 0;
}

static void on_nack(struct publisher *p, uint16_t seq)
{
	const struct kept *kept = &p->kept[seq % KEPT];

	if (kept->len && (uint16_t)kept->number == seq && kept->number < p->number)
		send_again(p, kept);
	else
		p->not_kept++;
}

static void on_rtcp(struct publisher *p, struct bytes in)
{
	struct rtcp rtcp;
	struct bytes entries;
	uint32_t media;
	uint16_t seq, behind;
	bool broken;

	while (rtcp_next(&in, &rtcp, &broken)) {
		if (rtcp.type == RTCP_PSFB && (rtcp.count == PSFB_PLI || rtcp.count == PSFB_FIR)) {
			p->plis++;
			p->key_wanted = true;
		}
		if (rtcp.type != RTCP_RTPFB || rtcp.count != RTPFB_NACK ||
		    !rtcp_read_feedback(&rtcp, &media, &entries))
			continue;
		while (rtcp_next_nack(&entries, &seq, &behind))
			for (unsigned i = 0; i <= 16; i++)
				if (i == 0 || behind >> (i - 1) & 1)
					on_nack(p, (uint16_t)(seq + i));
	}
}

static void on_datagram(void *owner, uint32_t number, struct bytes in, mono_t now)
{
	struct publisher *p = owner;
	uint8_t open[2048];

	if (number != NUMBER)
		return;
	link_take(&p->link, in, now);
	if (p->link.state == LINK_UP && rtp_is_rtcp(in) && in.len <= sizeof open)
		on_rtcp(p, bytes_of(open, lock_open_rtcp(p->link.lock, in, open)));
}

static void wait_until(struct publisher *p, mono_t then)
{
	for (int64_t left; (left = mono_since_us(then, wire_now())) > 0 && !load_stopped;) {
		struct pollfd wait = {p->fd, POLLIN, 0};
		struct timespec ts = {0, 1000 * (left < 20000 ? left : 20000)};

		if (ppoll(&wait, 1, &ts, NULL) == 1)
			while (link_receive(p->fd, on_datagram, p))
				;
		if (!p->plain)
			link_tick(&p->link, wire_now());
	}
}

/* 0, or the exit status. */
static int begin(struct publisher *p, struct signal_line *line)
{
	const struct load_options *o = p->options;

	if (o->rtp) {
		char host[64] = "";
		unsigned port = 0;

		/* NOLINTNEXTLINE(cert-err34-c): five digits are in range */
		if (sscanf(o->rtp, "%63[0-9.]:%5u", host, &port) != 2 ||
		    inet_pton(AF_INET, host, &p->link.peer.at.sin_addr) != 1)
			return 2;
		p->plain = true;
		p->link.peer.at.sin_family = AF_INET;
		p->link.peer.at.sin_port = htons((uint16_t)port);
		p->link.fd = p->fd;
		p->link.local = link_local(NUMBER);
		return 0;
	}
	snprintf(p->link.peer.names.ufrag, sizeof p->link.peer.names.ufrag, "sfuload");
	snprintf(p->link.peer.names.pwd, sizeof p->link.peer.names.pwd, "sfuloadsfuloadsfuload00");
	if (wire_lookup(&o->url, &line->to) != 0 ||
	    !signal_offer(line, o->h264, o->rtx, SSRC, o->rtx ? RTX_SSRC : 0, &p->link.peer)) {
		printf("{\"event\":\"refused\",\"status\":%u}\n", p->link.peer.status);
		return 1;
	}
	link_begin(&p->link, p->fd, NUMBER, true, wire_now());
	for (int i = 0; i < 1000 && p->link.state < LINK_UP && !load_stopped; i++)
		wait_until(p, mono_add_ms(wire_now(), 10));
	if (p->link.state == LINK_UP)
		return 0;
	puts("{\"event\":\"unconnected\"}");
	return 1;
}

int load_publish(const struct load_options *o)
{
	struct publisher p = {
		.options = o, .fd = link_socket(), .kept = calloc(KEPT, sizeof(struct kept))};
	struct signal_line line = {.url = &o->url, .token = o->token, .fd = -1};
	mono_t start;
	int status;

	if (p.fd < 0 || !p.kept)
		return 2;
	status = begin(&p, &line);
	if (status)
		return status;
	puts("{\"event\":\"connected\"}");
	start = wire_now();
	for (uint64_t i = 0; !load_stopped && p.link.state != LINK_BROKEN; i++) {
		mono_t at = mono_add_us(start, (int64_t)((double)i * 1e6 / o->fps));

		if (mono_since_us(at, start) > (int64_t)(o->seconds * 1e6))
			break;
		wait_until(&p, at);
		send_frame(&p, wire_now());
	}
	printf("{\"event\":\"report\",\"packets\":%llu,\"frames\":%u,\"keys\":%llu,\"key_"
	       "requests\":%llu,"
	       "\"resent\":%llu,\"not_kept\":%llu,\"cpu_s\":%.3f}\n",
	       (unsigned long long)p.number, p.frame, (unsigned long long)p.keys,
	       (unsigned long long)p.plis, (unsigned long long)p.resent,
	       (unsigned long long)p.not_kept, (double)wire_cpu_us() / 1e6);
	if (!p.plain)
		(void)signal_delete(&line, &p.link.peer);
	signal_close(&line);
	link_end(&p.link);
	close(p.fd);
	free(p.kept);
	return 0;
}
