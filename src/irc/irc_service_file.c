/* BouncerServ: files that one has uploaded. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "irc/irc_service.h"
#include "irc/irc_upload.h"

#define FILES_MAX 500u /* that are listed */

struct file {
	char name[IRC_UPLOAD_NAME];
	uint64_t size;
	int64_t at_ms;
};

struct errand {
	uv_work_t work;
	struct irc_order *order;
	char directory[4200];
	char place[IRC_UPLOAD_PLACE];
	char name[IRC_UPLOAD_NAME]; /* to be deleted; "": all are listed */
	unsigned count, more;       /* of them there are 2 * FILES_MAX places */
	int error;
	struct file *files;
};

static int newest_first(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	return x->at_ms < y->at_ms ? 1 : x->at_ms > y->at_ms ? -1 : strcmp(x->name, y->name);
}

/* The newest stay. */
static void sort(struct errand *errand)
{
	qsort(errand->files, errand->count, sizeof *errand->files, newest_first);
	if (errand->count > FILES_MAX) {
		errand->more += errand->count - FILES_MAX;
		errand->count = FILES_MAX;
	}
}

static void look(struct errand *errand, DIR *listed)
{
	const struct dirent *entry;
	struct stat about;

	while ((entry = readdir(listed))) {
		struct file *file;

		if (entry->d_name[0] == '.' || strlen(entry->d_name) >= IRC_UPLOAD_NAME ||
		    fstatat(dirfd(listed), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (errand->count == 2 * FILES_MAX)
			sort(errand);
		file = &errand->files[errand->count];
		strcpy(file->name, entry->d_name);
		file->size = (uint64_t)about.st_size;
		file->at_ms =
			(int64_t)about.st_mtim.tv_sec * 1000 + about.st_mtim.tv_nsec / 1000000;
		errand->count++;
	}
	sort(errand);
}

static void on_pool(uv_work_t *work)
{
	struct errand *errand = container_of(work, struct errand, work);
	DIR *listed = opendir(errand->directory);

	if (!listed) {
		errand->error = errno;
	} else if (errand->name[0]) {
		if (unlinkat(dirfd(listed), errand->name, 0) != 0)
			errand->error = errno;
	} else {
		look(errand, listed);
	}
	if (listed)
		closedir(listed);
}

static void say_files(const struct errand *errand)
{
	for (unsigned i = 0; i < errand->count; i++) {
		const struct file *file = &errand->files[i];
		char when[IRC_TIME_LEN + 1];
		struct writer w = writer_of(when, sizeof when - 1);

		irc_time_write(&w, file->at_ms);
		when[w.len] = '\0';
		irc_order_say(errand->order, "%s%s (%llu bytes, %s)", errand->place, file->name,
			      (unsigned long long)file->size, when);
	}
	if (errand->more)
		irc_order_say(errand->order, "and %u more", errand->more);
	if (!errand->count)
		irc_order_say(errand->order, "there is none");
}

static void on_looked(uv_work_t *work, int status)
{
	struct errand *errand = container_of(work, struct errand, work);
	struct irc_order *order = errand->order;
	bool there = irc_order_back(order), good = true;

	enter_worker();
	if (there && errand->name[0]) {
		good = !status && !errand->error;
		irc_order_say(order, good ? "%s is deleted" : "there is no file %s", errand->name);
	} else if (there) {
		say_files(errand);
	}
	free(errand->files);
	free(errand);
	irc_order_end(order, good);
}

static bool send_errand(struct irc_words *words, const char *name)
{
	struct errand *errand = calloc(1, sizeof *errand);

	if (errand)
		errand->files = calloc(2 * FILES_MAX, sizeof *errand->files);
	if (!errand || !errand->files) {
		free(errand);
		return irc_refuse(words, "out of memory");
	}
	errand->order = words->order;
	irc_upload_place(words->order->user->name, errand->directory, sizeof errand->directory,
			 errand->place);
	snprintf(errand->name, sizeof errand->name, "%s", name);
	if (uv_queue_work(&irc_here.worker->loop, &errand->work, on_pool, on_looked)) {
		free(errand->files);
		free(errand);
		return irc_refuse(words, "too much is under way");
	}
	irc_order_wait(words->order);
	return true;
}

bool service_file_list(struct irc_words *words, unsigned from)
{
	return irc_words_end(words, from) && send_errand(words, "");
}

/* Its address will do. */
bool service_file_delete(struct irc_words *words, unsigned from)
{
	const char *name = from < words->count ? words->at[from] : "";
	const char *slash = strrchr(name, '/');

	if (slash)
		name = slash + 1;
	if (from + 1 != words->count || !name[0] || name[0] == '.' ||
	    strlen(name) >= IRC_UPLOAD_NAME)
		return irc_refuse(words, "file delete NAME, as file list has it");
	return send_errand(words, name);
}
