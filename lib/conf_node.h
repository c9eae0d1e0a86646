/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_node - a setting as conf.c keeps it, for the files that judge, read and
 * print settings.  All memory of the nodes is the struct conf's, and goes with it.
 */
#ifndef CONF_NODE_H
#define CONF_NODE_H

#include "conf.h"

enum shape { SCALAR, LIST, GROUP };

struct sat_conf {
	struct conf *conf;		/* whose it is */
	struct sat_conf *parent;	/* NULL: the root */
	const char *name;		/* NULL: in a list, or the root */
	const char *file;
	unsigned line;			/* 0: not written anywhere */
	unsigned at;			/* the same, of the whole text with its includes */
	enum shape shape;
	struct sat_value value;		/* of a scalar */
	struct sat_conf *kids;		/* an array of n */
	unsigned n;
	/* After it was judged: */
	const struct sat_option *const *table, *const *more;
	struct sat_conf *defaults, *next;	/* what was not given and falls back, a list */
	const char **strings;			/* of SAT_STRINGS, NULL-ended */
	bool judged;
	bool bad;			/* complained of: something else stands for it, and no more is said */
	bool unusable;			/* a group in which nothing can stand for what is wrong */
	int verdict;
};

struct piece { struct piece *next; max_align_t data[]; };

struct conf {
	unsigned refs;
	struct piece *pieces;		/* all memory of the nodes */
	struct sat_conf *root;
};

void *conf_alloc(struct conf *c, size_t size);		/* zeroes, until c goes; or NULL */
char *conf_strdup(struct conf *c, const char *s);	/* the same */
int conf_set_text(struct sat_conf *to, const char *s);	/* 0 or -ENOMEM */
/* whitelist.guard.max-off, streams[0].do[1], and `name` in it if that is given; empty for the root. */
void conf_path(const struct sat_conf *s, const char *name, char *buf, size_t size);
/* A whole line of that, or of the text as such; at: for the order. */
void conf_mistake(unsigned at, const char *fmt, ...) SAT_PRINTF(2);
/* 0, or -EINVAL: reported. */
int conf_judge_one(struct sat_conf *s, const struct sat_option *o);
/* What was not given falls back: 0, -ENOMEM, or -EINVAL, reported. */
int conf_fall_back(struct sat_conf *group, const struct sat_option *o);
/* The same for what is wrong, or is missing (given NULL), so that the rest can be judged, too. */
void conf_stand_in(struct sat_conf *group, const struct sat_option *o, const struct sat_conf *given);
/* The option that judged the setting of that name in group, or NULL. */
const struct sat_option *conf_option(const struct sat_conf *group, const char *name);
/* What stands for a setting that was not given, or NULL. */
struct sat_conf *conf_default(const struct sat_conf *group, const char *name);

static inline bool conf_is_number(const struct sat_conf *s)
{
	return s->shape == SCALAR && (s->value.kind == SAT_INT || s->value.kind == SAT_DOUBLE);
}

static inline bool conf_is_text(const struct sat_conf *s)
{
	return s->shape == SCALAR && s->value.kind == SAT_TEXT;
}

static inline double conf_double(const struct sat_conf *s)
{
	return s->value.kind == SAT_INT ? (double)s->value.i : s->value.d;
}

#endif
