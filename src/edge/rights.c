#include "edge/rights.h"

static const char *const names[] = {"none", "dj", "operator", "admin"};

const char *rank_name(enum rank rank)
{
	return names[rank];
}

bool rank_of_name(struct bytes name, enum rank *rank)
{
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (bytes_equal(name, bytes_str(names[i]))) {
			*rank = (enum rank)i;
			return true;
		}
	return false;
}

/* A star stands for any bytes. After a star only the last one tried is worth going back to. */
static bool fits(struct bytes pattern, struct bytes name)
{
	size_t p = 0, n = 0, star = SIZE_MAX, mark = 0;

	while (n < name.len) {
		if (p < pattern.len && pattern.at[p] == '*') {
			star = p++;
			mark = n;
		} else if (p < pattern.len && pattern.at[p] == name.at[n]) {
			p++;
			n++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			n = ++mark;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.at[p] == '*')
		p++;
	return p == pattern.len;
}

static bool next_mount(struct bytes *list, struct bytes *mount)
{
	*list = bytes_trim(*list);
	*mount = bytes_cut(list, ' ');
	return mount->len > 0;
}

bool rights_hold_everywhere(const struct rights *rights)
{
	struct bytes list = bytes_str(rights->mounts), one;

	if (!rights->mounts[0])
		return rights->rank >= RANK_OPERATOR;
	while (next_mount(&list, &one))
		if (bytes_equal(one, BYTES("*")))
			return true;
	return false;
}

/* Whether they hold for this mount. */
static bool rights_hold_for(const struct rights *rights, struct bytes mount)
{
	struct bytes list = bytes_str(rights->mounts), one;

	if (rights->rank == RANK_NONE)
		return false;
	if (rights_hold_everywhere(rights))
		return true;
	while (next_mount(&list, &one))
		if (fits(one, mount))
			return true;
	return false;
}

bool rights_allow(const struct rights *rights, enum rank rank, struct bytes mount)
{
	if (rights->rank < rank)
		return false;
	if (mount.len)
		return rights_hold_for(rights, mount);
	return rank <= RANK_DJ || rights_hold_everywhere(rights);
}

bool rights_mounts_valid(struct bytes text)
{
	struct bytes one;

	if (text.len >= RIGHTS_MOUNTS_SIZE)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] < 0x20 || text.at[i] == 0x7f)
			return false;
	while (next_mount(&text, &one))
		if (one.at[0] != '/' && !bytes_equal(one, BYTES("*")))
			return false;
	return true;
}

struct rights rights_within(const struct rights *inner, const struct rights *outer)
{
	struct rights both = {.rank = inner->rank < outer->rank ? inner->rank : outer->rank};
	struct bytes list = bytes_str(inner->mounts), one;
	size_t len = 0;

	if (rights_hold_everywhere(inner)) {
		memcpy(both.mounts, outer->mounts, sizeof both.mounts);
		if (rights_hold_everywhere(outer))
			memcpy(both.mounts, "*", 2);
		return both;
	}
	while (next_mount(&list, &one)) {
		if (!rights_hold_for(outer, one))
			continue;
		if (len)
			both.mounts[len++] = ' ';
		memcpy(both.mounts + len, one.at, one.len);
		len += one.len;
	}
	/* Of those that were named nothing is left: that is no mount, and not all of them. Who never had any
	 * keeps what needs none. */
	if (!len && inner->mounts[0])
		both.rank = RANK_NONE;
	return both;
}
