/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf - the settings: libconfig's tree, judged by options that are data.
 *
 * Everything here reports mistakes as "file:line: setting: reason" and goes on,
 * so that one run shows them all: what is wrong is taken as not given, and what
 * follows of that is not told.  sat_conf_*() of module.h live here too.
 */
#ifndef CONF_H
#define CONF_H

#include <satellite/module.h>

struct conf;		/* one file with its includes, read as a whole; counted */

/* NULL: reported.  @include is relative to the file it stands in; an integer over
 * 2^31-1 without L is reported here, since libconfig wraps it silently, and the rest
 * is read all the same: conf_mistakes() is what counts. */
struct conf *conf_read(const char *path);
struct conf *conf_text(const char *text, const char *name);	/* the same from memory */
struct conf *conf_ref(struct conf *c);
void conf_unref(struct conf *c);
const struct sat_conf *conf_root(const struct conf *c);
struct conf *conf_of(const struct sat_conf *s);		/* the file a setting belongs to */
/* An empty group of that name, owned by c; where: what made it needed, or NULL. */
const struct sat_conf *conf_empty(struct conf *c, const char *name, const struct sat_conf *where);

/* Judge a group by a table, and by `more` (the host's own, or NULL): types,
 * ranges, missing, unknown, twice.  Attaches both, so that sat_conf_string()
 * and the like work on it.  0, or -EINVAL, all mistakes reported. */
int conf_judge(const struct sat_conf *group, const struct sat_option *const *table,
	       const struct sat_option *const *more);
/* Whether a judged group may be read, whatever was reported of it. */
bool conf_usable(const struct sat_conf *group);
/* The setting of that name, judged or not; NULL: not given. */
const struct sat_conf *conf_find(const struct sat_conf *group, const char *name);
const char *conf_where(const struct sat_conf *s, char *buf, size_t size);	/* "file:line" */

/* Mistakes reported since conf_forgive(); logged as LOG_ERR. */
unsigned conf_mistakes(void);
void conf_forgive(void);
/* From none on, hold them back until they are told, in the order of the lines. */
void conf_collect(void);
void conf_tell(void);

/* The same settings give the same text: keys sorted, defaults of the attached
 * tables filled in.  skip: names left out at the top, NULL-ended, or NULL. */
void conf_canonical(const struct sat_conf *s, const char *const *skip, struct sat_buf *out);
/* A setting as it was given, so that conf_text() reads the same; but for `without` in a group, or NULL. */
void conf_write(const struct sat_conf *s, const char *without, struct sat_buf *out);

#endif
