#include "core/conf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <yaml.h>

/* What is open at one depth: a group waits for a key and a value in turns. */
struct level {
	struct conf_node *node;
	struct conf_node **tail;
	struct conf_node *keyed; /* GROUP: made by its key, waits for its value */
};

struct parse {
	yaml_parser_t yaml;
	const char *name;
	struct bytes text;
	struct conf_kept **kept;
	struct conf_errors *errors;
	struct conf_node *root;
	yaml_mark_t end; /* of the text */
	bool root_seen;
	unsigned depth; /* levels in use */
	struct level levels[CONF_FILE_DEPTH];
};

/* Length of the line break at the front, as libyaml counts lines: CR LF, CR, LF, U+0085, U+2028,
 * U+2029 (YAML 1.1 section 4.2); 0 when there is none. */
static size_t line_break(struct bytes in)
{
	if (bytes_start_with(in, BYTES("\r\n")) || bytes_start_with(in, BYTES("\xc2\x85")))
		return 2;
	if (bytes_start_with(in, BYTES("\xe2\x80\xa8")) ||
	    bytes_start_with(in, BYTES("\xe2\x80\xa9")))
		return 3;
	return in.len && (in.at[0] == '\n' || in.at[0] == '\r');
}

/* The place of a byte of the text; past the end, that of the end. */
static yaml_mark_t mark_of(struct bytes text, size_t offset)
{
	yaml_mark_t mark = {0};
	struct bytes rest = bytes_first(text, offset);

	while (rest.len) {
		size_t len = line_break(rest);

		if (len) {
			mark.line++;
			mark.column = 0;
		} else {
			mark.column += (rest.at[0] & 0xc0) != 0x80;
			len = 1;
		}
		rest = bytes_skip(rest, len);
	}
	return mark;
}

/* libyaml adds a line break to a last line without one and then tells of a line that is not there. */
static yaml_mark_t inside(const struct parse *p, yaml_mark_t mark)
{
	return mark.line > p->end.line ? p->end : mark;
}

__attribute__((format(printf, 3, 4))) static bool fault(struct parse *p, const yaml_mark_t *mark,
							const char *format, ...)
{
	yaml_mark_t at = inside(p, *mark);
	struct conf_place place = {p->name, (unsigned)at.line + 1, (unsigned)at.column + 1};
	va_list args;

	va_start(args, format);
	conf_error_vadd(p->errors, place, format, args);
	va_end(args);
	return false;
}

static bool no_memory(struct parse *p)
{
	p->errors->no_memory = true;
	return false;
}

/* Here libyaml gives only the offset of the byte. */
static void fault_bytes(struct parse *p)
{
	yaml_mark_t mark = mark_of(p->text, p->yaml.problem_offset);

	fault(p, &mark, "expected UTF-8 text, found a byte or character that is none (%s)",
	      p->yaml.problem);
}

/* The line with this mark, up to it. */
static struct bytes line_before(const struct parse *p, const yaml_mark_t *mark)
{
	struct bytes rest = p->text;

	for (size_t line = 0; line < mark->line && rest.len; rest = bytes_skip(rest, 1))
		line += rest.at[0] == '\n';
	return bytes_first(rest, mark->column);
}

/* What libyaml's words come from most often, and what to do; "" where they say it themselves. */
static const char *remedy(const struct parse *p)
{
	static const char quote[] = ": a value with this in it stands in quotes: \"...\"";
	static const char indent[] = ": here is an indentation that differs from its neighbours', "
				     "or a name without its colon";
	struct bytes line = line_before(p, &p->yaml.problem_mark), rest;
	const char *problem = p->yaml.problem;

	rest = bytes_skip(p->text, (size_t)(line.at - p->text.at) + line.len);
	if (strstr(problem, "cannot start any token"))
		return rest.len && rest.at[0] == '\t' ? ": it is indented by blanks, not tabs"
						      : quote;
	if (strstr(problem, "mapping values are not allowed"))
		return bytes_find(line, ':') < line.len ? quote : indent;
	if (strstr(problem, "unexpected end of stream"))
		return ": the quote that ends it is missing";
	if (strstr(problem, "expected node content") && rest.len)
		return quote;
	if (strstr(problem, "expected key") || strstr(problem, "expected ':'"))
		return indent;
	return "";
}

static void fault_syntax(struct parse *p)
{
	const yaml_parser_t *yaml = &p->yaml;

	switch (yaml->error) {
	case YAML_MEMORY_ERROR: no_memory(p); return;
	case YAML_READER_ERROR: fault_bytes(p); return;
	case YAML_SCANNER_ERROR:
	case YAML_PARSER_ERROR: break;
	case YAML_NO_ERROR:
	case YAML_COMPOSER_ERROR:
	case YAML_WRITER_ERROR:
	case YAML_EMITTER_ERROR: return;
	}
	if (yaml->context)
		fault(p, &yaml->problem_mark, "cannot be read: %s, %s that begins at line %zu%s",
		      yaml->problem, yaml->context, inside(p, yaml->context_mark).line + 1,
		      remedy(p));
	else
		fault(p, &yaml->problem_mark, "cannot be read: %s%s", yaml->problem, remedy(p));
}

/* The node that the next value fills: the root, a new one in a list, or the one whose key came. */
static struct conf_node *place_value(struct parse *p, const yaml_mark_t *mark)
{
	struct conf_node *node = NULL;

	if (p->depth == 0) {
		node = p->root;
	} else {
		struct level *level = &p->levels[p->depth - 1];

		node = level->keyed;
		level->keyed = NULL;
		if (!node && level->node->kind == CONF_NODE_LIST) {
			node = conf_keep(p->kept, sizeof *node);
			if (node) {
				*level->tail = node;
				level->tail = &node->next;
			}
		}
	}
	if (node) {
		yaml_mark_t at = inside(p, *mark);

		node->line = (unsigned)at.line + 1;
		node->column = (unsigned)at.column + 1;
	}
	return node;
}

static bool awaits_key(const struct parse *p)
{
	const struct level *level = p->depth ? &p->levels[p->depth - 1] : NULL;

	return level && level->node->kind == CONF_NODE_GROUP && !level->keyed;
}

static const char *keep_scalar(struct parse *p, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;

	if (strlen(text) != len) {
		fault(p, &event->start_mark, "expected text, found a NUL character in it");
		return NULL;
	}
	const char *copy = conf_keep_text(p->kept, text, len);

	if (!copy)
		no_memory(p);
	return copy;
}

static bool add_key(struct parse *p, const yaml_event_t *event)
{
	struct level *level = &p->levels[p->depth - 1];
	const char *key = keep_scalar(p, event);
	struct conf_node *node = key ? conf_keep(p->kept, sizeof *node) : NULL;

	if (!node)
		return key ? no_memory(p) : false;
	node->key = key;
	yaml_mark_t at = inside(p, event->start_mark);

	node->key_line = node->line = (unsigned)at.line + 1;
	node->key_column = node->column = (unsigned)at.column + 1;
	*level->tail = node;
	level->tail = &node->next;
	level->keyed = node;
	return true;
}

/* What a text without quotes can begin by mistake; false: reported. */
static bool check_plain(struct parse *p, const yaml_event_t *event, const yaml_char_t *anchor,
			const yaml_char_t *tag)
{
	if (anchor)
		return fault(p, &event->start_mark, "a text that begins with & must be in quotes");
	if (tag)
		return fault(p, &event->start_mark, "a text that begins with ! must be in quotes");
	return true;
}

static bool add_text(struct parse *p, const yaml_event_t *event)
{
	bool fine = check_plain(p, event, event->data.scalar.anchor, event->data.scalar.tag);

	if (awaits_key(p))
		return fine && add_key(p, event);
	struct conf_node *node = place_value(p, &event->start_mark);

	if (!node)
		return no_memory(p);
	if (p->depth == 0 && !(event->data.scalar.length == 0))
		return fault(p, &event->start_mark,
			     "expected settings such as \"http:\" or "
			     "\"workers: 2\", found a text");
	const char *text = fine ? keep_scalar(p, event) : NULL;

	if (!text || p->depth == 0)
		return !p->errors->no_memory;
	node->kind = CONF_NODE_TEXT;
	node->text = text;
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return true;
}

static bool open_level(struct parse *p, const yaml_event_t *event, enum conf_node_kind kind,
		       const yaml_char_t *anchor, const yaml_char_t *tag)
{
	check_plain(p, event, anchor, tag);
	if (awaits_key(p))
		return fault(p, &event->start_mark, "expected the name of a setting, found %s",
			     kind == CONF_NODE_LIST ? "a list" : "a group");
	if (p->depth == CONF_FILE_DEPTH)
		return fault(p, &event->start_mark, "groups or lists in one another too deep");
	if (p->depth == 0 && kind != CONF_NODE_GROUP)
		return fault(p, &event->start_mark, "expected settings, found a list");
	struct conf_node *node = place_value(p, &event->start_mark);

	if (!node)
		return no_memory(p);
	node->kind = kind;
	p->levels[p->depth++] = (struct level){.node = node, .tail = &node->first};
	return true;
}

static bool add_alias(struct parse *p, const yaml_event_t *event)
{
	fault(p, &event->start_mark, "a text that begins with * must be in quotes");
	return !awaits_key(p) && (p->depth == 0 || place_value(p, &event->start_mark));
}

/* false: stop, the reason is in errors. */
static bool take_event(struct parse *p, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT: return add_text(p, event);
	case YAML_ALIAS_EVENT: return add_alias(p, event);
	case YAML_SEQUENCE_START_EVENT:
		return open_level(p, event, CONF_NODE_LIST, event->data.sequence_start.anchor,
				  event->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		return open_level(p, event, CONF_NODE_GROUP, event->data.mapping_start.anchor,
				  event->data.mapping_start.tag);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT: p->depth--; return true;
	case YAML_DOCUMENT_START_EVENT:
		if (p->root_seen)
			return fault(p, &event->start_mark,
				     "expected the end of the file, found a second document");
		p->root_seen = true;
		return true;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT: return true;
	}
	return true;
}

void conf_file_parse(struct bytes text, const char *name, struct conf_node *root,
		     struct conf_kept **kept, struct conf_errors *errors)
{
	struct parse p = {.name = name, .text = text, .kept = kept, .errors = errors, .root = root};
	bool more = true;

	p.end = mark_of(text, text.len);
	*root = (struct conf_node){.kind = CONF_NODE_GROUP, .line = 1, .column = 1};
	if (!yaml_parser_initialize(&p.yaml)) {
		no_memory(&p);
		return;
	}
	yaml_parser_set_encoding(&p.yaml, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p.yaml, text.at, text.len);
	while (more) {
		yaml_event_t event;

		if (!yaml_parser_parse(&p.yaml, &event)) {
			fault_syntax(&p);
			break;
		}
		more = take_event(&p, &event) && event.type != YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&p.yaml);
}

/* Reads until the end or one byte more than a file may have; -1 with errno. */
static ssize_t read_all(int fd, char *data, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t got = read(fd, data + len, size - len);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return -1;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	return (ssize_t)len;
}

bool conf_file_read(const char *path, char **data, size_t *len, struct conf_errors *errors)
{
	struct conf_place place = {.source = path};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = -1;

	*data = NULL;
	if (fd == -1) {
		conf_error_add(errors, place, "cannot be opened: %s%s", strerrordesc_np(errno),
			       errno == ENOENT   ? "; --example prints one to start from"
			       : errno == EACCES ? "; the user that runs ringmain may not read it"
						 : "");
		return false;
	}
	*data = malloc(CONF_FILE_MAX + 1);
	if (!*data)
		errors->no_memory = true;
	else if ((got = read_all(fd, *data, CONF_FILE_MAX + 1)) == -1)
		conf_error_add(errors, place, "cannot be read: %s", strerrordesc_np(errno));
	else if ((size_t)got > CONF_FILE_MAX)
		conf_error_add(errors, place, "is larger than %u bytes", CONF_FILE_MAX);
	close(fd);
	if (got == -1 || (size_t)got > CONF_FILE_MAX) {
		free(*data);
		*data = NULL;
		return false;
	}
	*len = (size_t)got;
	return true;
}
