/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setup - one judged configuration with all it made: instances of modules,
 * streams, checks; built as a whole, or refused.  life.h runs it.
 */
#ifndef SETUP_H
#define SETUP_H

#include "check.h"
#include "instance.h"
#include "stream.h"
#include "top.h"

/* What a role is, beyond its name: what the file need not say. */
struct setup_role {
	const char *name;
	const char *const *modules;	/* NULL-ended */
	const char *stream;		/* the only stream, where there is no `streams` */
	bool http;			/* served where the file has no `http` */
	int64_t tells;			/* microseconds between its own events, where the file does not say */
};

struct setup {
	struct top *top;
	struct instance **list;		/* in the order of starting */
	size_t n;
	struct streams *streams;
	struct checks *checks;
	int64_t tells;			/* of itself, every so many microseconds; 0: never */
	struct instance *http;		/* the HTTP server; NULL: none */
	const char *http_host;
	int http_port;
	enum lead_mode leader;
	bool refused, no_memory;
	struct setup *next;		/* the rest is life.c's */
	bool last;			/* it ends with the process */
	int phase;
	unsigned pending;
	uint64_t deadline;
};

/* Takes top.  running: whose instances may go on, or NULL.  NULL: mistakes
 * were reported.  Touches nothing outside. */
struct setup *setup_build(struct top *top, const struct setup_role *role, const struct setup *running);
/* Take ports and what else a reload must know to be free; -errno: reported. */
int setup_open(struct setup *s);
/* Not while something of it runs.  NULL is fine. */
void setup_free(struct setup *s);
/* The first of a store that masters share; NULL: none. */
struct sat_self *setup_shared_store(const struct setup *s);
struct instance *setup_find(const struct setup *s, const char *name);

#endif
