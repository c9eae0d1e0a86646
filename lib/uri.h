/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uri - paths and queries as they come over the wire: taken apart first, then
 * decoded, so that an encoded `/` cannot move a border.
 */
#ifndef URI_H
#define URI_H

#include <stdbool.h>
#include <stddef.h>

#define URI_SEGMENTS 32		/* of a path */
#define URI_PARAMS 64		/* of a query */

struct uri_param { const char *name, *value; };

/* A raw path into decoded segments, written to room (as large as the path, and
 * one more).  How many there are; -EINVAL: no path, too many segments, a broken
 * %XX, a control character, an encoded `/`. */
int uri_path(const char *raw, char *room, const char **segments);
/* A raw query into decoded pairs; room is as large as the query, uri_params() and
 * one more.  -EINVAL: too many pairs, a broken %XX, a NUL. */
int uri_query(const char *raw, char *room, struct uri_param *params);
size_t uri_params(const char *raw);	/* how many pairs it has at most */
/*
 * Whether the segments fit a pattern such as "/whitelist/{flag}": how many
 * names it has, with values[i] the segment that the ith stands for; -1: no.
 */
int uri_match(const char *pattern, const char *const *segments, int n, const char **values);
/* The ith {name} of a pattern is `name`: which one; -1: none. */
int uri_name(const char *pattern, const char *name);
/* Encode all but unreserved characters; out has 3 * strlen(s) + 1 bytes. */
void uri_encode(const char *s, char *out);

#endif
