/* voice_window: what has arrived of everybody in the last minutes, for those who ask how a connection is
 * now and not since it began. */
#include "voice/voice_part.h"

#define STEP_MS 30000

static struct {
	uv_timer_t timer;
	bool runs;
} window OWNED_BY(on_control);

#define NOW(field) atomic_load_explicit(&counts->field, memory_order_relaxed)

static struct voice_sample sample_of(const struct voice_user *user)
{
	const struct voice_counts *counts = &user->peer->counts;

	return (struct voice_sample){
		.at_us = mono_now().us,
		.here = {NOW(good), NOW(late), NOW(lost), NOW(resync)},
		.there = {NOW(far_good), NOW(far_late), NOW(far_lost), NOW(far_resync)},
	};
}

/* What was lost and came after all is taken back: it may be less than it was. */
static uint32_t more(uint32_t now, uint32_t before)
{
	return now > before ? now - before : 0;
}

static struct voice_quality since(const struct voice_quality *now, const struct voice_quality *then)
{
	return (struct voice_quality){more(now->good, then->good), more(now->late, then->late),
				      more(now->lost, then->lost), more(now->resync, then->resync)};
}

struct voice_sample voice_window_of(const struct voice_user *user, uint32_t *seconds)
{
	struct voice_sample now = sample_of(user);
	const struct voice_sample *oldest =
		&user->samples[user->sample_count < VOICE_SAMPLES
				       ? 0
				       : user->sample_count % VOICE_SAMPLES];

	*seconds = (uint32_t)((now.at_us - (user->sample_count ? oldest->at_us : user->came_us)) /
			      1000000);
	/* Before the first sample all of it is recent. */
	if (user->sample_count) {
		now.here = since(&now.here, &oldest->here);
		now.there = since(&now.there, &oldest->there);
	}
	return now;
}

static void on_step(uv_timer_t *timer)
{
	(void)timer;
	enter_control();
	for (struct voice_user *user = voice_hub.users; user; user = user->next)
		if (user->channel)
			user->samples[user->sample_count++ % VOICE_SAMPLES] = sample_of(user);
}

int voice_window_start(uv_loop_t *loop)
{
	int error = uv_timer_init(loop, &window.timer);

	if (error)
		return error;
	window.runs = true;
	return uv_timer_start(&window.timer, on_step, STEP_MS, STEP_MS);
}

void voice_window_stop(void)
{
	if (window.runs)
		uv_close((uv_handle_t *)&window.timer, NULL);
	window.runs = false;
}
