#include "edge/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "edge/document.h"
#include "edge/files.h"
#include "edge/people.h"

#define FAMILIES_MAX 8u
#define PLACES_MAX   256u
#define LIST_MAX     2000u

static const struct kept_family *families[FAMILIES_MAX];
static unsigned family_count;

void kept_add(const struct kept_family *family)
{
	CHECK(family_count < FAMILIES_MAX);
	families[family_count++] = family;
}

void kept_is_open(json_t *set, const char *path)
{
	json_object_set_new_nocheck(set, path, json_true());
}

/* --- which file a name means ---------------------------------------------------------------- */

struct target {
	const struct kept_family *family;
	struct kept_place place;
	const char *name; /* below the place's directory */
};

/* A name that begins with a dot fits no star (FNM_PERIOD), so ".." fits nothing. */
static bool target_find(const char *path, struct target *out)
{
	const char *slash = strchr(path, '/');

	for (unsigned f = 0; slash && f < family_count; f++) {
		const struct kept_family *family = families[f];

		if (!bytes_equal(bytes_str(family->name), bytes_of(path, (size_t)(slash - path))))
			continue;
		out->family = family;
		out->name = slash + 1;
		for (unsigned i = 0; i < PLACES_MAX && family->place(i, &out->place); i++)
			if (fnmatch(out->place.pattern, out->name, FNM_PATHNAME | FNM_PERIOD) == 0)
				return true;
	}
	return false;
}

/* --- listing, on the thread pool ------------------------------------------------------------ */

struct found {
	const struct kept_family *family;
	char *path, *name; /* name: a part of path */
	int64_t size, changed_us;
};

struct listing {
	uv_work_t work;
	struct call *call;
	json_t *open; /* set of paths */
	char of[KEPT_PATTERN];
	struct found *list;
	size_t count, size;
	bool failed; /* no memory */
	unsigned place_count;
	struct {
		const struct kept_family *family;
		struct kept_place place;
	} places[];
};

/* The newest first. */
static int by_time(const void *a, const void *b)
{
	const struct found *one = a, *other = b;

	if (one->changed_us != other->changed_us)
		return one->changed_us < other->changed_us ? 1 : -1;
	return strcmp(one->path, other->path);
}

static bool is_asked_for(const struct listing *listing, const struct kept_family *family,
			 const char *name)
{
	char of[KEPT_PATTERN] = "";

	if (!listing->of[0])
		return true;
	if (family->of)
		family->of(name, of);
	return strcmp(of, listing->of) == 0;
}

static bool listing_grow(struct listing *listing)
{
	size_t size = listing->size ? 2 * listing->size : 64;
	struct found *list = realloc(listing->list, size * sizeof *list);

	if (!list)
		return false;
	listing->list = list;
	listing->size = size;
	return true;
}

/* The folder of a name, "." where it has none, and what it is called there. */
static const char *split(const char *name, char folder[API_ARG_MAX + 1])
{
	const char *slash = strrchr(name, '/');

	snprintf(folder, API_ARG_MAX + 1, "%.*s", slash ? (int)(slash - name) : 1,
		 slash ? name : ".");
	return slash ? slash + 1 : name;
}

/* Below at, without a link on the way. */
static int open_folder(int at, const char *folder)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};

	return (int)syscall(SYS_openat2, at, folder, &how, sizeof how);
}

/* 0 where it is a plain file; or -errno. */
static int file_in(int folder, const char *file, struct stat *about)
{
	if (fstatat(folder, file, about, AT_SYMLINK_NOFOLLOW) != 0)
		return -errno;
	return S_ISREG(about->st_mode) ? 0 : -ENOENT;
}

static bool is_file(int at, const char *name, struct stat *about)
{
	char folder[API_ARG_MAX + 1];
	const char *file = split(name, folder);
	int in = open_folder(at, folder);
	bool is = in >= 0 && file_in(in, file, about) == 0;

	if (in >= 0)
		close(in);
	return is;
}

/* at: the place's directory, of whose path the first root bytes are. */
static void listing_add(struct listing *listing, const struct kept_family *family, int at,
			const char *path, size_t root)
{
	const char *name = path + root;
	struct stat about;
	char *copy;

	/* Longer names have no address. */
	if (strlen(family->name) + 1 + strlen(name) >= API_ARG_MAX ||
	    !is_asked_for(listing, family, name) || !is_file(at, name, &about))
		return;
	copy = strdup(path);
	if (!copy || (listing->count == listing->size && !listing_grow(listing))) {
		listing->failed = true;
		free(copy);
		return;
	}
	listing->list[listing->count++] = (struct found){
		.family = family,
		.path = copy,
		.name = copy + root,
		.size = (int64_t)about.st_size,
		.changed_us =
			(int64_t)about.st_mtim.tv_sec * 1000000 + about.st_mtim.tv_nsec / 1000,
	};
}

void kept_put_plain(struct writer *w, const char *path)
{
	for (; *path; path++) {
		if (strchr("*?[\\", *path))
			writer_u8(w, '\\');
		writer_u8(w, (uint8_t)*path);
	}
}

/* DIRECTORY/PATTERN, in which the directory stands for itself. False: it does not fit. */
static bool pattern_of(const struct kept_place *place, char *out, size_t size)
{
	struct writer w = writer_of(out, size - 1);

	kept_put_plain(&w, place->directory);
	writer_u8(&w, '/');
	writer_str(&w, place->pattern);
	if (!writer_ok(&w))
		return false;
	out[w.len] = '\0';
	return true;
}

static int by_name(const void *a, const void *b)
{
	const struct found *one = a, *other = b;
	int family = strcmp(one->family->name, other->family->name);

	return family ? family : strcmp(one->path, other->path);
}

/* What fits two places of its family is one file. */
static void listing_thin(struct listing *listing)
{
	size_t left = 0;

	if (listing->count)
		qsort(listing->list, listing->count, sizeof *listing->list, by_name);
	for (size_t i = 0; i < listing->count; i++) {
		if (left && by_name(&listing->list[left - 1], &listing->list[i]) == 0)
			free(listing->list[i].path);
		else
			listing->list[left++] = listing->list[i];
	}
	listing->count = left;
}

static void work_list(uv_work_t *work)
{
	struct listing *listing = container_of(work, struct listing, work);
	char pattern[2 * KEPT_PATH + KEPT_PATTERN];

	for (unsigned i = 0; i < listing->place_count; i++) {
		const struct kept_place *place = &listing->places[i].place;
		int at = open(place->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
		glob_t glob_found = {0};

		if (at < 0)
			continue;
		if (pattern_of(place, pattern, sizeof pattern) &&
		    glob(pattern, GLOB_NOSORT, NULL, &glob_found) == 0)
			for (size_t k = 0; k < glob_found.gl_pathc; k++)
				listing_add(listing, listing->places[i].family, at,
					    glob_found.gl_pathv[k], strlen(place->directory) + 1);
		globfree(&glob_found);
		close(at);
	}
	listing_thin(listing);
	if (listing->count)
		qsort(listing->list, listing->count, sizeof *listing->list, by_time);
}

/* --- the answer ----------------------------------------------------------------------------- */

static bool is_open(const json_t *set, const char *path)
{
	char folder[2 * KEPT_PATH];
	char *slash;

	if (json_object_get(set, path))
		return true;
	if (strlen(path) >= sizeof folder)
		return false;
	memcpy(folder, path, strlen(path) + 1);
	slash = strrchr(folder, '/');
	if (slash)
		*slash = '\0';
	return json_object_get(set, folder);
}

/* Of all families: what one writes may have a name as another's files have. NULL: no memory. */
RUNS_ON(on_control) static json_t *open_now(void)
{
	json_t *set = json_object();

	for (unsigned f = 0; set && f < family_count; f++)
		families[f]->open(set);
	return set;
}

static json_t *found_tree(const struct listing *listing, const struct found *found)
{
	json_t *tree = json_object();
	char of[KEPT_PATTERN] = "", name[API_ARG_MAX + 1];

	if (found->family->of)
		found->family->of(found->name, of);
	snprintf(name, sizeof name, "%s/%s", found->family->name, found->name);
	json_object_set_new(tree, "name", document_text(name));
	json_object_set_new(tree, "family", json_string(found->family->name));
	json_object_set_new(tree, "of", document_text(of));
	json_object_set_new(tree, "bytes", json_integer((json_int_t)found->size));
	json_object_set_new(tree, "changed_us", json_integer((json_int_t)found->changed_us));
	json_object_set_new(tree, "open", json_boolean(is_open(listing->open, found->path)));
	return tree;
}

static void listing_free(struct listing *listing)
{
	for (size_t i = 0; i < listing->count; i++)
		free(listing->list[i].path);
	free(listing->list);
	json_decref(listing->open);
	free(listing);
}

static void on_listed(uv_work_t *work, int status)
{
	struct listing *listing = container_of(work, struct listing, work);
	struct call *call = listing->call;
	json_t *list = json_array();
	size_t i = 0;

	enter_control();
	for (; i < listing->count && i < LIST_MAX; i++)
		json_array_append_new(list, found_tree(listing, &listing->list[i]));
	if (status || listing->failed) {
		json_decref(list);
		list = NULL;
	}
	api_answer(call, list ? json_pack("{s:I, s:o}", "more", (json_int_t)(listing->count - i),
					  "recordings", list)
			      : NULL);
	listing_free(listing);
}

/* NULL: no memory. */
RUNS_ON(on_control) static struct listing *listing_make(struct call *call)
{
	struct listing *listing =
		calloc(1, sizeof *listing + family_count * PLACES_MAX * sizeof listing->places[0]);
	char family[32] = "";

	if (!listing)
		return NULL;
	listing->call = call;
	listing->open = open_now();
	if (!listing->open) {
		free(listing);
		return NULL;
	}
	(void)call_param(call, "of", listing->of, sizeof listing->of);
	(void)call_param(call, "family", family, sizeof family);
	for (unsigned f = 0; f < family_count; f++) {
		unsigned *count = &listing->place_count;

		if (family[0] && strcmp(family, families[f]->name) != 0)
			continue;
		for (unsigned i = 0;
		     i < PLACES_MAX && families[f]->place(i, &listing->places[*count].place); i++)
			listing->places[(*count)++].family = families[f];
	}
	return listing;
}

RUNS_ON(on_control)
static void answer_list(struct call *call, const struct api_input *input)
{
	struct listing *listing = listing_make(call);

	(void)input;
	if (listing && uv_queue_work(people_loop(), &listing->work, work_list, on_listed) == 0)
		return;
	if (listing)
		listing_free(listing);
	api_answer(call, NULL);
}

/* --- sending -------------------------------------------------------------------------------- */

RUNS_ON(on_worker) static void none(struct conn *conn)
{
	api_refuse(conn, 404, "no_such_file", "there is no such recording");
}

RUNS_ON(on_worker) static void serve_file(struct conn *conn)
{
	struct bytes path = conn_request(conn)->path;
	char name[API_ARG_MAX + 1];
	struct target target;

	bytes_to_str(bytes_skip(path, sizeof API_ROOT "/recordings/" - 1), name, sizeof name);
	if (!target_find(name, &target)) {
		none(conn);
		return;
	}
	files_serve_kept(conn, target.place.directory,
			 bytes_skip(path, path.len - strlen(target.name) - 1), none);
}

/* --- taking away ---------------------------------------------------------------------------- */

struct removal {
	uv_work_t work;
	struct call *call;
	struct target target;
	char name[API_ARG_MAX + 1]; /* target.name lies in it */
	int error;
};

static int remove_in(int folder, const char *file)
{
	struct stat about;
	int error = file_in(folder, file, &about);

	if (!error && unlinkat(folder, file, 0) != 0)
		error = -errno;
	return error;
}

static void work_remove(uv_work_t *work)
{
	struct removal *removal = container_of(work, struct removal, work);
	const struct target *target = &removal->target;
	char folder[API_ARG_MAX + 1];
	const char *file = split(target->name, folder);
	int at = open(target->place.directory, O_PATH | O_DIRECTORY | O_CLOEXEC), in = -1;

	if (at >= 0)
		in = open_folder(at, folder);
	removal->error = in < 0 ? -errno : remove_in(in, file);
	if (!removal->error && file != target->name && target->family->folders)
		(void)unlinkat(at, folder, AT_REMOVEDIR); /* while others are there it stays */
	if (in >= 0)
		close(in);
	if (at >= 0)
		close(at);
}

static void on_removed(uv_work_t *work, int status)
{
	struct removal *removal = container_of(work, struct removal, work);
	int error = status ? status : removal->error;

	enter_control();
	if (error == -ENOENT || error == -ENOTDIR || error == -ELOOP || error == -EXDEV) {
		api_fault(removal->call, 404, "no_such_file", "there is no such recording");
	} else if (error) {
		api_fault(removal->call, 503, "cannot_delete", "%s", strerror(-error));
	} else {
		api_log_order(removal->call, removal->name);
		api_done(removal->call);
	}
	free(removal);
}

static bool is_being_written(const json_t *open, const struct target *target)
{
	char path[KEPT_PATH + API_ARG_MAX + 2];

	snprintf(path, sizeof path, "%s/%s", target->place.directory, target->name);
	return is_open(open, path);
}

RUNS_ON(on_control)
static void answer_remove(struct call *call, const struct api_input *input)
{
	struct removal *removal = calloc(1, sizeof *removal);
	json_t *open = removal ? open_now() : NULL;
	bool begun = false;

	/* Who does not know what is being written deletes nothing. */
	if (!open) {
		free(removal);
		api_answer(call, NULL);
		return;
	}
	removal->call = call;
	bytes_to_str(bytes_str(input->arg), removal->name, sizeof removal->name);
	if (!target_find(removal->name, &removal->target)) {
		api_fault(call, 404, "no_such_file", "there is no such recording");
	} else if (is_being_written(open, &removal->target)) {
		api_fault(call, 409, "is_open", "it is being written: end the recording first");
	} else if (uv_queue_work(people_loop(), &removal->work, work_remove, on_removed) == 0) {
		begun = true;
	} else {
		api_answer(call, NULL);
	}
	json_decref(open);
	if (!begun)
		free(removal);
}

const struct api_operation kept_operations[] = {
	{"GET", API_ROOT "/recordings", RANK_OPERATOR, answer_list,
	 "Recordings that are kept, of all families, the newest first; ?family=, and ?of= for "
	 "those of one room.",
	 NULL, "Recordings", NULL},
	{"GET", API_ROOT "/recordings/{file}", RANK_OPERATOR, NULL,
	 "A recording, or a part of it (Range).", NULL, "RecordingFile", serve_file},
	{"DELETE", API_ROOT "/recordings/{file}", RANK_OPERATOR, answer_remove,
	 "Deletes a recording that is not being written.", NULL, NULL, NULL},
	{0},
};
