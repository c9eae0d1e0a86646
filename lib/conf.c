/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf - the settings: libconfig's tree, judged by options that are data.
 *
 * libconfig parses; then its tree is copied into nodes of our own, which know
 * their file, and it is gone.  Includes are put in place by conf_text.c before.
 */
#include <ctype.h>
#include <errno.h>
#include <libconfig.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "conf_text.h"
#include "log.h"

#define DEPTH_MAX	64		/* of groups and lists in one another */
#define SECONDS_MAX	3155760000.0	/* a hundred years: times stay far from overflow */

enum shape { SCALAR, LIST, GROUP };

struct sat_conf {
	struct conf *conf;		/* whose it is */
	struct sat_conf *parent;	/* NULL: the root */
	const char *name;		/* NULL: in a list, or the root */
	const char *file;
	unsigned line;			/* 0: not written anywhere */
	enum shape shape;
	struct sat_value value;		/* of a scalar */
	struct sat_conf *kids;		/* an array of n */
	unsigned n;
	/* After it was judged: */
	const struct sat_option *const *table, *const *more;
	struct sat_conf *defaults, *next;	/* what was not given and falls back, a list */
	const char **strings;			/* of SAT_STRINGS, NULL-ended */
	bool judged;
	int verdict;
};

struct piece { struct piece *next; max_align_t data[]; };

struct conf {
	unsigned refs;
	struct piece *pieces;		/* all memory of the nodes */
	struct sat_conf *root;
};

static unsigned mistakes;

/* ---- Memory ------------------------------------------------------------- */

static void *get(struct conf *c, size_t size)
{
	struct piece *p = calloc(1, sizeof(*p) + size);

	if (p == NULL)
		return NULL;
	p->next = c->pieces;
	c->pieces = p;
	return p->data;
}

static char *get_text(struct conf *c, const char *s)
{
	size_t size = strlen(s) + 1;
	char *copy = get(c, size);

	return copy != NULL ? memcpy(copy, s, size) : NULL;
}

struct conf *conf_ref(struct conf *c)
{
	c->refs++;
	return c;
}

void conf_unref(struct conf *c)
{
	struct piece *p;

	if (c == NULL || --c->refs > 0)
		return;
	while ((p = c->pieces) != NULL) {
		c->pieces = p->next;
		free(p);
	}
	free(c);
}

const struct sat_conf *conf_root(const struct conf *c)
{
	return c->root;
}

struct conf *conf_of(const struct sat_conf *s)
{
	return s->conf;
}

/* ---- Mistakes ----------------------------------------------------------- */

unsigned conf_mistakes(void)
{
	return mistakes;
}

void conf_forgive(void)
{
	mistakes = 0;
}

const char *conf_where(const struct sat_conf *s, char *buf, size_t size)
{
	if (s->line == 0)
		snprintf(buf, size, "%s", s->file);
	else
		snprintf(buf, size, "%s:%u", s->file, s->line);
	return buf;
}

/* whitelist.guard.max-off, streams[0].do[1]; empty for the root. */
static void path_of(const struct sat_conf *s, char *buf, size_t size)
{
	size_t n;

	buf[0] = '\0';
	if (s->parent == NULL) {
		if (s->name != NULL)
			snprintf(buf, size, "%s", s->name);
		return;
	}
	path_of(s->parent, buf, size);
	n = strlen(buf);
	if (s->name != NULL)
		snprintf(buf + n, size - n, "%s%s", n > 0 ? "." : "", s->name);
	else
		snprintf(buf + n, size - n, "[%td]", s - s->parent->kids);
}

static void __attribute__((format(printf, 3, 0)))
report(const struct sat_conf *s, const char *name, const char *fmt, va_list ap)
{
	char where[512], path[512], reason[1024];
	size_t n;

	conf_where(s, where, sizeof(where));
	path_of(s, path, sizeof(path));
	n = strlen(path);
	if (name != NULL)
		snprintf(path + n, sizeof(path) - n, "%s%s", n > 0 ? "." : "", name);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	mistakes++;
	if (path[0] != '\0')
		log_line(LOG_ERR, NULL, "%s: %s: %s", where, path, reason);
	else
		log_line(LOG_ERR, NULL, "%s: %s", where, reason);
}

int sat_conf_error(const struct sat_conf *conf, const char *name, const char *fmt, ...)
{
	const struct sat_conf *at = name != NULL ? conf_find(conf, name) : NULL;
	va_list ap;

	va_start(ap, fmt);
	if (at != NULL)
		report(at, NULL, fmt, ap);
	else
		report(conf, name, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* ---- From libconfig's tree to ours -------------------------------------- */

static int copy_node(struct sat_conf *to, config_setting_t *from, const struct conf_text *text, unsigned depth);

static int copy_kids(struct sat_conf *to, config_setting_t *from, const struct conf_text *text, unsigned depth)
{
	int n = config_setting_length(from), rc = 0;

	if (n == 0)
		return 0;
	if (depth >= DEPTH_MAX)
		return sat_conf_error(to, NULL, "is nested more than %d deep", DEPTH_MAX);
	to->kids = get(to->conf, (size_t)n * sizeof(*to->kids));
	if (to->kids == NULL)
		return -ENOMEM;
	for (; rc == 0 && to->n < (unsigned)n; ) {
		struct sat_conf *kid = &to->kids[to->n++];

		kid->conf = to->conf;
		kid->parent = to;
		rc = copy_node(kid, config_setting_get_elem(from, to->n - 1), text, depth + 1);
	}
	return rc;
}

static int copy_text(struct sat_conf *to, const char *s)
{
	to->value.kind = SAT_TEXT;
	to->value.text = get_text(to->conf, s);
	return to->value.text != NULL ? 0 : -ENOMEM;
}

static int copy_node(struct sat_conf *to, config_setting_t *from, const struct conf_text *text, unsigned depth)
{
	const char *name = config_setting_name(from);

	to->line = conf_text_line(text, config_setting_source_line(from), &to->file);
	to->file = get_text(to->conf, to->file);
	if (name != NULL)
		to->name = get_text(to->conf, name);
	if (to->file == NULL || (name != NULL && to->name == NULL))
		return -ENOMEM;
	switch (config_setting_type(from)) {
	case CONFIG_TYPE_GROUP:
		to->shape = GROUP;
		return copy_kids(to, from, text, depth);
	case CONFIG_TYPE_LIST:
	case CONFIG_TYPE_ARRAY:
		to->shape = LIST;
		return copy_kids(to, from, text, depth);
	case CONFIG_TYPE_STRING:
		return copy_text(to, config_setting_get_string(from));
	case CONFIG_TYPE_BOOL:
		to->value = (struct sat_value){ .kind = SAT_BOOL, .b = config_setting_get_bool(from) };
		return 0;
	case CONFIG_TYPE_FLOAT:
		to->value = (struct sat_value){ .kind = SAT_DOUBLE, .d = config_setting_get_float(from) };
		return isfinite(to->value.d) ? 0 : sat_conf_error(to, NULL, "is too large a number");
	default:
		to->value = (struct sat_value){ .kind = SAT_INT, .i = config_setting_get_int64(from) };
		return 0;
	}
}

static int parse(struct conf *c, const struct conf_text *text)
{
	const char *file;
	config_t tree;
	unsigned line;
	int rc;

	config_init(&tree);
	if (config_read_string(&tree, conf_text_string(text)) != CONFIG_TRUE) {
		line = conf_text_line(text, (unsigned)config_error_line(&tree), &file);
		log_line(LOG_ERR, NULL, "%s:%u: %s", file, line, config_error_text(&tree));
		mistakes++;
		rc = -EINVAL;
	} else {
		c->root->conf = c;
		rc = copy_node(c->root, config_root_setting(&tree), text, 0);
		c->root->line = 0;
	}
	config_destroy(&tree);
	return rc;
}

static struct conf *read_text(struct conf_text *text, const char *name)
{
	struct conf *c = calloc(1, sizeof(*c));
	int rc = -ENOMEM;

	if (c == NULL)
		goto fail;
	c->refs = 1;
	c->root = get(c, sizeof(*c->root));
	if (c->root == NULL)
		goto fail;
	rc = parse(c, text);
	if (rc != 0)
		goto fail;
	conf_text_free(text);
	return c;
fail:
	if (rc == -ENOMEM) {
		log_line(LOG_ERR, NULL, "%s: %s", name, strerror(ENOMEM));
		mistakes++;
	}
	conf_unref(c);
	conf_text_free(text);
	return NULL;
}

struct conf *conf_read(const char *path)
{
	struct conf_text *text = conf_text_read(path, &mistakes);

	return text != NULL ? read_text(text, path) : NULL;
}

struct conf *conf_text(const char *string, const char *name)
{
	struct conf_text *text = conf_text_given(string, name, &mistakes);

	return text != NULL ? read_text(text, name) : NULL;
}

const struct sat_conf *conf_empty(struct conf *c, const char *name)
{
	struct sat_conf *s = get(c, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->conf = c;
	s->parent = c->root;
	s->name = get_text(c, name);
	s->file = c->root->file;
	s->shape = GROUP;
	return s->name != NULL ? s : NULL;
}

/* ---- Judging ------------------------------------------------------------ */

const struct sat_conf *conf_find(const struct sat_conf *group, const char *name)
{
	if (group->shape != GROUP)
		return NULL;
	for (unsigned i = 0; i < group->n; i++) {
		if (strcmp(group->kids[i].name, name) == 0)
			return &group->kids[i];
	}
	return NULL;
}

static const struct sat_option *option_in(const struct sat_option *const *table, const char *name)
{
	for (; table != NULL && *table != NULL; table++) {
		if (strcmp((*table)->name, name) == 0)
			return *table;
	}
	return NULL;
}

static const struct sat_option *option_of(const struct sat_conf *group, const char *name)
{
	const struct sat_option *o = option_in(group->table, name);

	return o != NULL ? o : option_in(group->more, name);
}

/* Edits it takes to make b of a (Levenshtein); at most 31 characters of each count. */
static unsigned distance(const char *a, const char *b)
{
	size_t n = strnlen(a, 31), m = strnlen(b, 31);
	unsigned row[32], corner, up;

	for (size_t j = 0; j <= m; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		corner = row[0]++;
		for (size_t j = 1; j <= m; j++) {
			up = row[j];
			corner += a[i - 1] != b[j - 1];
			if (up + 1 < corner)
				corner = up + 1;
			if (row[j - 1] + 1 < corner)
				corner = row[j - 1] + 1;
			row[j] = corner;
			corner = up;
		}
	}
	return row[m];
}

static void nearest(const struct sat_option *const *table, const char *name, unsigned *best, const char **found)
{
	for (; table != NULL && *table != NULL; table++) {
		unsigned d = distance((*table)->name, name);

		if (d < *best) {
			*best = d;
			*found = (*table)->name;
		}
	}
}

static int judge_unknown(const struct sat_conf *group, const struct sat_conf *kid)
{
	unsigned best = 1 + (strlen(kid->name) + 2) / 3;
	const char *found = NULL;

	nearest(group->table, kid->name, &best, &found);
	nearest(group->more, kid->name, &best, &found);
	if (found != NULL)
		return sat_conf_error(kid, NULL, "is unknown; did you mean \"%s\"?", found);
	return sat_conf_error(kid, NULL, "is unknown");
}

static bool is_number(const struct sat_conf *s)
{
	return s->shape == SCALAR && (s->value.kind == SAT_INT || s->value.kind == SAT_DOUBLE);
}

static bool is_text(const struct sat_conf *s)
{
	return s->shape == SCALAR && s->value.kind == SAT_TEXT;
}

static double as_double(const struct sat_conf *s)
{
	return s->value.kind == SAT_INT ? (double)s->value.i : s->value.d;
}

static int judge_range(const struct sat_conf *s, const struct sat_option *o)
{
	double v = as_double(s);

	if (o->type == SAT_SECONDS && v < 0)
		return sat_conf_error(s, NULL, "must be a number of seconds, 0 or more");
	if (o->type == SAT_SECONDS && v > SECONDS_MAX)
		return sat_conf_error(s, NULL, "must be at most %.0f seconds", SECONDS_MAX);
	if (o->min == 0 && o->max == 0)
		return 0;
	if (v < o->min && o->max < o->min)
		return sat_conf_error(s, NULL, "must be at least %.10g", o->min);
	if (v < o->min || (v > o->max && o->max >= o->min))
		return sat_conf_error(s, NULL, "must be from %.10g to %.10g", o->min, o->max);
	return 0;
}

static int judge_number(const struct sat_conf *s, const struct sat_option *o)
{
	if (!is_number(s))
		return sat_conf_error(s, NULL, o->type == SAT_SECONDS ? "must be a number of seconds"
				      : o->type == SAT_INTEGER ? "must be an integer" : "must be a number");
	if (o->type == SAT_INTEGER && s->value.kind != SAT_INT)
		return sat_conf_error(s, NULL, "must be an integer");
	return judge_range(s, o);
}

static int judge_strings(struct sat_conf *s)
{
	unsigned n = s->shape == LIST ? s->n : 1;

	if (s->shape == GROUP || (s->shape == SCALAR && !is_text(s)))
		return sat_conf_error(s, NULL, "must be a string or a list of strings");
	for (unsigned i = 0; i < s->n; i++) {
		if (!is_text(&s->kids[i]))
			return sat_conf_error(&s->kids[i], NULL, "must be a string");
	}
	if (s->strings != NULL)
		return 0;
	s->strings = get(s->conf, (n + 1) * sizeof(*s->strings));
	if (s->strings == NULL)
		return sat_conf_error(s, NULL, "%s", strerror(ENOMEM));
	for (unsigned i = 0; i < n; i++)
		s->strings[i] = s->shape == LIST ? s->kids[i].value.text : s->value.text;
	return 0;
}

static int judge_query(const struct sat_conf *s)
{
	struct sat_query *q;
	char error[256];

	if (!is_text(s))
		return sat_conf_error(s, NULL, "must be a query, as a string");
	q = sat_query_parse(s->value.text, error, sizeof(error));
	if (q == NULL)
		return sat_conf_error(s, NULL, "%s", error);
	sat_query_free(q);
	return 0;
}

static int judge_one(struct sat_conf *s, const struct sat_option *o)
{
	switch (o->type) {
	case SAT_STRING:
		return is_text(s) ? 0 : sat_conf_error(s, NULL, "must be a string");
	case SAT_INTEGER:
	case SAT_NUMBER:
	case SAT_SECONDS:
		return judge_number(s, o);
	case SAT_BOOLEAN:
		return s->shape == SCALAR && s->value.kind == SAT_BOOL ? 0 :
			sat_conf_error(s, NULL, "must be true or false");
	case SAT_STRINGS:
		return judge_strings(s);
	case SAT_QUERY:
		return judge_query(s);
	case SAT_GROUP:
		if (s->shape != GROUP)
			return sat_conf_error(s, NULL, "must be a group, { … }");
		return o->inner != NULL ? conf_judge(s, o->inner, NULL) : 0;
	case SAT_NODES:
		return s->shape != SCALAR || is_text(s) ? 0 :
			sat_conf_error(s, NULL, "must be a stream: a string, a group or a list of them");
	case SAT_ANY:
		return 0;
	}
	return sat_conf_error(s, NULL, "is of a type that this satellite does not know");
}

/* ---- What is not given, but falls back ---------------------------------- */

static int split_fallback(struct sat_conf *s, const char *text)
{
	static const char blanks[] = " \t";
	size_t words = 0;
	char *copy = get_text(s->conf, text), *rest = NULL;

	s->shape = LIST;
	for (const char *p = text; *(p += strspn(p, blanks)) != '\0'; p += strcspn(p, blanks))
		words++;
	if (words > 0)
		s->kids = get(s->conf, words * sizeof(*s->kids));
	if (copy == NULL || (words > 0 && s->kids == NULL))
		return -ENOMEM;
	for (char *w = strtok_r(copy, blanks, &rest); w != NULL; w = strtok_r(NULL, blanks, &rest)) {
		s->kids[s->n] = (struct sat_conf){ .conf = s->conf, .parent = s, .file = s->file,
			.value = { .kind = SAT_TEXT, .text = w } };
		s->n++;
	}
	return 0;
}

/* A word as it stands in the file: a number, true, false; anything else is a string. */
static int scan_fallback(struct sat_conf *s, const char *text)
{
	char *end = NULL;

	s->value = (struct sat_value){ .kind = SAT_INT, .i = strtoll(text, &end, 0) };
	if (end != text && *end == '\0')
		return 0;
	s->value = (struct sat_value){ .kind = SAT_DOUBLE, .d = strtod(text, &end) };
	if (end != text && *end == '\0')
		return 0;
	s->value = (struct sat_value){ .kind = SAT_BOOL, .b = strcmp(text, "true") == 0 };
	if (s->value.b || strcmp(text, "false") == 0)
		return 0;
	return copy_text(s, text);
}

static int add_fallback(struct sat_conf *group, const struct sat_option *o)
{
	struct sat_conf *s = get(group->conf, sizeof(*s));
	int rc;

	if (s == NULL)
		return -ENOMEM;
	s->conf = group->conf;
	s->parent = group;
	s->name = o->name;
	s->file = group->file;
	s->line = group->line;
	switch (o->type) {
	case SAT_INTEGER:
	case SAT_NUMBER:
	case SAT_SECONDS:
	case SAT_BOOLEAN:
	case SAT_ANY:
		rc = scan_fallback(s, o->fallback);
		break;
	case SAT_STRINGS:
		rc = split_fallback(s, o->fallback);
		break;
	case SAT_GROUP:		/* "{}": one in which all falls back */
		s->shape = GROUP;
		rc = 0;
		break;
	default:
		rc = copy_text(s, o->fallback);
	}
	if (rc == 0)
		rc = judge_one(s, o);
	s->next = group->defaults;
	group->defaults = s;
	return rc;
}

static struct sat_conf *default_of(const struct sat_conf *group, const char *name)
{
	struct sat_conf *s = group->defaults;

	while (s != NULL && strcmp(s->name, name) != 0)
		s = s->next;
	return s;
}

static int judge_missing(struct sat_conf *group, const struct sat_option *const *table)
{
	int rc = 0;

	for (; table != NULL && *table != NULL; table++) {
		const struct sat_option *o = *table;
		int bad = 0;

		if (conf_find(group, o->name) != NULL || default_of(group, o->name) != NULL)
			continue;
		if (o->required)
			bad = sat_conf_error(group, o->name, "is missing");
		else if (o->fallback != NULL)
			bad = add_fallback(group, o);
		if (bad == -ENOMEM)
			sat_conf_error(group, o->name, "%s", strerror(ENOMEM));
		if (bad != 0)
			rc = -EINVAL;
	}
	return rc;
}

int conf_judge(const struct sat_conf *judged, const struct sat_option *const *table,
	       const struct sat_option *const *more)
{
	/* Nodes are ours; const is for those who only read settings. */
	struct sat_conf *group = (struct sat_conf *)(uintptr_t)judged;
	int rc = 0;

	if (group->shape != GROUP)
		return sat_conf_error(group, NULL, "must be a group, { … }");
	if (group->judged && group->table == table && group->more == more)
		return group->verdict;
	group->table = table;
	group->more = more;
	for (unsigned i = 0; i < group->n; i++) {
		struct sat_conf *kid = &group->kids[i];
		const struct sat_option *o = option_of(group, kid->name);

		if ((o != NULL ? judge_one(kid, o) : judge_unknown(group, kid)) != 0)
			rc = -EINVAL;
	}
	if (judge_missing(group, table) != 0)
		rc = -EINVAL;
	if (judge_missing(group, more) != 0)
		rc = -EINVAL;
	group->judged = true;
	group->verdict = rc;
	return rc;
}

/* ---- Reading what was judged -------------------------------------------- */

/* NULL: neither given nor falling back. */
static const struct sat_conf *setting(const struct sat_conf *conf, const char *name)
{
	const struct sat_conf *s;

	if (option_of(conf, name) == NULL) {
		char path[256];

		path_of(conf, path, sizeof(path));
		fprintf(stderr, "satellite: a module asks for \"%s\" of \"%s\", which its table lacks\n", name, path);
		abort();
	}
	s = conf_find(conf, name);
	return s != NULL ? s : default_of(conf, name);
}

bool sat_conf_has(const struct sat_conf *conf, const char *name)
{
	return setting(conf, name) != NULL;
}

const char *sat_conf_string(const struct sat_conf *conf, const char *name)
{
	const struct sat_conf *s = setting(conf, name);

	return s != NULL && is_text(s) ? s->value.text : NULL;
}

int64_t sat_conf_integer(const struct sat_conf *conf, const char *name)
{
	const struct sat_conf *s = setting(conf, name);

	return s == NULL || !is_number(s) ? 0 : s->value.kind == SAT_INT ? s->value.i : (int64_t)s->value.d;
}

double sat_conf_number(const struct sat_conf *conf, const char *name)
{
	const struct sat_conf *s = setting(conf, name);

	return s != NULL && is_number(s) ? as_double(s) : 0;
}

bool sat_conf_boolean(const struct sat_conf *conf, const char *name)
{
	const struct sat_conf *s = setting(conf, name);

	return s != NULL && s->shape == SCALAR && s->value.kind == SAT_BOOL && s->value.b;
}

int64_t sat_conf_time(const struct sat_conf *conf, const char *name)
{
	return llround(sat_conf_number(conf, name) * (double)SAT_SECOND);
}

const char *const *sat_conf_strings(const struct sat_conf *conf, const char *name, size_t *n)
{
	static const char *const none[] = { NULL };
	const struct sat_conf *s = setting(conf, name);
	const char *const *strings = s != NULL && s->strings != NULL ? s->strings : none;

	if (n != NULL) {
		for (*n = 0; strings[*n] != NULL; )
			++*n;
	}
	return strings;
}

struct sat_query *sat_conf_query(const struct sat_conf *conf, const char *name)
{
	const char *text = sat_conf_string(conf, name);
	char error[256];

	return text != NULL ? sat_query_parse(text, error, sizeof(error)) : NULL;
}

const struct sat_conf *sat_conf_get(const struct sat_conf *conf, const char *name)
{
	return setting(conf, name);
}

/* ---- Raw settings ------------------------------------------------------- */

const char *sat_conf_name(const struct sat_conf *conf)
{
	return conf->name;
}

bool sat_conf_is_list(const struct sat_conf *conf)
{
	return conf->shape == LIST;
}

bool sat_conf_is_group(const struct sat_conf *conf)
{
	return conf->shape == GROUP;
}

size_t sat_conf_count(const struct sat_conf *conf)
{
	return conf->n;
}

const struct sat_conf *sat_conf_at(const struct sat_conf *conf, size_t i)
{
	return i < conf->n ? &conf->kids[i] : NULL;
}

struct sat_value sat_conf_value(const struct sat_conf *conf)
{
	return conf->value;
}

/* ---- The same settings, the same text ----------------------------------- */

static void write_node(const struct sat_conf *s, const struct sat_option *o, const char *const *skip,
		       struct sat_buf *out);

static int by_name(const void *a, const void *b)
{
	const struct sat_conf *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static bool listed(const char *const *names, const char *name)
{
	for (; names != NULL && *names != NULL; names++) {
		if (strcmp(*names, name) == 0)
			return true;
	}
	return false;
}

static void write_group(const struct sat_conf *s, const char *const *skip, struct sat_buf *out)
{
	const struct sat_conf **all, *d;
	size_t n = s->n;

	for (d = s->defaults; d != NULL; d = d->next)
		n++;
	all = calloc(n + 1, sizeof(const struct sat_conf *));
	if (all == NULL) {
		out->full = true;
		return;
	}
	n = 0;
	for (unsigned i = 0; i < s->n; i++)
		all[n++] = &s->kids[i];
	for (d = s->defaults; d != NULL; d = d->next)
		all[n++] = d;
	qsort(all, n, sizeof(const struct sat_conf *), by_name);
	sat_buf_printf(out, "{");
	for (size_t i = 0; i < n; i++) {
		if (listed(skip, all[i]->name))
			continue;
		sat_buf_printf(out, "%s=", all[i]->name);
		write_node(all[i], option_of(s, all[i]->name), NULL, out);
		sat_buf_printf(out, ";");
	}
	sat_buf_printf(out, "}");
	free(all);
}

static void write_scalar(const struct sat_conf *s, bool number, struct sat_buf *out)
{
	if (s->value.kind == SAT_TEXT)
		sat_buf_json(out, s->value.text);
	else if (s->value.kind == SAT_BOOL)
		sat_buf_printf(out, s->value.b ? "true" : "false");
	else if (s->value.kind == SAT_INT && !number)
		sat_buf_printf(out, "%lld", (long long)s->value.i);
	else
		sat_buf_printf(out, "%.17g%s", as_double(s), number ? "" : "f");
}

static void write_node(const struct sat_conf *s, const struct sat_option *o, const char *const *skip,
		       struct sat_buf *out)
{
	bool list = s->shape == LIST || (o != NULL && o->type == SAT_STRINGS);

	if (s->shape == GROUP) {
		write_group(s, skip, out);
		return;
	}
	if (list)
		sat_buf_printf(out, "(");
	if (s->shape == SCALAR)
		write_scalar(s, o != NULL && (o->type == SAT_NUMBER || o->type == SAT_SECONDS), out);
	for (unsigned i = 0; i < s->n; i++) {
		if (i > 0)
			sat_buf_printf(out, ",");
		write_node(&s->kids[i], NULL, NULL, out);
	}
	if (list)
		sat_buf_printf(out, ")");
}

void conf_canonical(const struct sat_conf *s, const char *const *skip, struct sat_buf *out)
{
	write_node(s, NULL, skip, out);
}
