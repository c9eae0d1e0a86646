/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf - the settings as a tree.
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

#define DEPTH_MAX	64		/* of groups and lists in one another */

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

	to->at = config_setting_source_line(from);
	to->line = conf_text_line(text, to->at, &to->file);
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
		if (!isfinite(to->value.d)) {
			sat_conf_error(to, NULL, "is too large a number");
			to->bad = true;
		}
		return 0;
	default:
		to->value = (struct sat_value){ .kind = SAT_INT, .i = config_setting_get_int64(from) };
		to->bad = conf_text_cut(text, to->at);
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
		conf_mistake(config_error_line(&tree) > 0 ? (unsigned)config_error_line(&tree) : 0, "%s:%u: %s",
			     file, line, config_error_text(&tree));
		rc = -EINVAL;
	} else {
		c->root->conf = c;
		rc = copy_node(c->root, config_root_setting(&tree), text, 0);
		c->root->line = c->root->at = 0;
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
	if (rc == -ENOMEM)
		conf_mistake(0, "%s: %s", name, strerror(ENOMEM));
	conf_unref(c);
	conf_text_free(text);
	return NULL;
}

struct conf *conf_read(const char *path)
{
	struct conf_text *text = conf_text_read(path);

	return text != NULL ? read_text(text, path) : NULL;
}

struct conf *conf_text(const char *string, const char *name)
{
	struct conf_text *text = conf_text_given(string, name);

	return text != NULL ? read_text(text, name) : NULL;
}

const struct sat_conf *conf_empty(struct conf *c, const char *name, const struct sat_conf *where)
{
	struct sat_conf *s = conf_alloc(c, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->conf = c;
	s->parent = c->root;
	s->name = conf_strdup(c, name);
	s->file = where != NULL ? where->file : c->root->file;
	s->line = where != NULL ? where->line : 0;
	s->at = where != NULL ? where->at : 0;
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

const struct sat_conf *sat_conf_find(const struct sat_conf *group, const char *name)
{
	return group != NULL ? conf_find(group, name) : NULL;
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
	if (i < conf->n)
		return &conf->kids[i];
	return i == 0 && conf->shape == SCALAR ? conf : NULL;
}

struct sat_value sat_conf_value(const struct sat_conf *conf)
{
	return conf->value;
}
