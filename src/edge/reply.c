#include "edge/reply.h"

#include "core/metric.h"

void reply_text(struct reply *reply, unsigned status, const char *text)
{
	reply->status = status;
	reply->type = "text/plain; charset=utf-8";
	buffer_put(&reply->body, bytes_str(text));
	buffer_put(&reply->body, BYTES("\n"));
}

void reply_header(struct reply *reply, const char *name, struct bytes value)
{
	struct writer w = writer_of(reply->headers + reply->headers_len,
				    sizeof reply->headers - reply->headers_len);

	writer_str(&w, name);
	writer_str(&w, ": ");
	for (size_t i = 0; i < value.len; i++)
		writer_u8(&w, value.at[i] < 0x20 || value.at[i] == 0x7f ? ' ' : value.at[i]);
	writer_str(&w, "\r\n");
	if (writer_ok(&w))
		reply->headers_len += w.len;
}

void reply_fini(struct reply *reply)
{
	buffer_fini(&reply->body);
	*reply = (struct reply){0};
}

void reply_count(unsigned status)
{
	metric_add(status < 300   ? METRIC_edge_answers_2xx
		   : status < 400 ? METRIC_edge_answers_3xx
		   : status < 500 ? METRIC_edge_answers_4xx
				  : METRIC_edge_answers_5xx,
		   1);
}
