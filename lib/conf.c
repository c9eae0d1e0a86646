/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf - the settings as a tree, and what is wrong with them.
 *
 * libconfig parses; then its tree is copied into nodes of our own, which know
 * their file, and it is gone.  Includes are put in place by conf_text.c before.
 */
#include <errno.h>
#include <libconfig.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_node.h"
#include "conf_text.h"
#include "log.h"

#define DEPTH_MAX	64		/* of groups and lists in one another */

static unsigned mistakes;

/* ---- Memory ------------------------------------------------------------- */

void *conf_alloc(struct conf *c, size_t size)
{
	struct piece *p = calloc(1, sizeof(*p) + size);

	if (p == NULL)
		return NULL;
	p->next = c->pieces;
	c->pieces = p;
	return p->data;
}

char *conf_strdup(struct conf *c, const char *s)
{
	size_t size = strlen(s) + 1;
	char *copy = conf_alloc(c, size);

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
void conf_path(const struct sat_conf *s, char *buf, size_t size)
{
	size_t n;

	buf[0] = '\0';
	if (s->parent == NULL) {
		if (s->name != NULL)
			snprintf(buf, size, "%s", s->name);
		return;
	}
	conf_path(s->parent, buf, size);
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
	conf_path(s, path, sizeof(path));
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
	to->kids = conf_alloc(to->conf, (size_t)n * sizeof(*to->kids));
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

int conf_set_text(struct sat_conf *to, const char *s)
{
	to->value.kind = SAT_TEXT;
	to->value.text = conf_strdup(to->conf, s);
	return to->value.text != NULL ? 0 : -ENOMEM;
}

static int copy_node(struct sat_conf *to, config_setting_t *from, const struct conf_text *text, unsigned depth)
{
	const char *name = config_setting_name(from);

	to->line = conf_text_line(text, config_setting_source_line(from), &to->file);
	to->file = conf_strdup(to->conf, to->file);
	if (name != NULL)
		to->name = conf_strdup(to->conf, name);
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
		return conf_set_text(to, config_setting_get_string(from));
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
	c->root = conf_alloc(c, sizeof(*c->root));
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
	struct sat_conf *s = conf_alloc(c, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->conf = c;
	s->parent = c->root;
	s->name = conf_strdup(c, name);
	s->file = c->root->file;
	s->shape = GROUP;
	return s->name != NULL ? s : NULL;
}

/* ---- Raw settings ------------------------------------------------------- */

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
