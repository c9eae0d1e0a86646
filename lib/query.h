/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query - Riemann's query language as a flat program over an event.
 *
 * Grammar and semantics: Riemann's query.g4 and query.clj, and ours beyond
 * them: 'single quotes', any attribute name, spaces around operators optional,
 * nil in a comparison is false, metric = 1 matches 1.0.  sat_query_*() of
 * module.h live here.  Nesting, length and PCRE2 matching are bounded.
 */
#ifndef QUERY_H
#define QUERY_H

#include "event.h"

/* As sat_query_match(), for an event of the host's, whose texts may have been measured. */
bool query_match(const struct sat_query *q, const struct event *ev);
/* What every match must have, for the index's planner; NULL: nothing said. */
const char *query_host(const struct sat_query *q);
const char *query_service(const struct sat_query *q);
const char *query_text(const struct sat_query *q);	/* as it was written */
/* A compiled one out of a small cache, borrowed until the next call. */
const struct sat_query *query_cached(const char *text, char *error, size_t size);
void query_free_cache(void);

#endif
