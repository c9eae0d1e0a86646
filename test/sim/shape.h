/* SPDX-License-Identifier: Apache-2.0 */
/* shape - JSON answers as tables of fields, written a piece at a time. */
#ifndef SIM_SHAPE_H
#define SIM_SHAPE_H

#include "buf.h"
#include "cluster.h"
#include "http.h"

/* One Mesos master, as answers need to know it. */
struct master_info {
	char id[40];
	const char *host;
	int port;
	double start_time, elected_time;
};

/* What is shown, by whom, in the manner of which version. */
struct view {
	const struct cluster *c;	/* its settings; the rest from s */
	const struct snapshot *s;	/* empty where the master does not lead */
	const struct master_info *me, *leader;		/* leader may be NULL */
	int version;
};

struct out {
	struct buf *b;
	const struct view *v;
};

/* An object's field: a leaf writes its value; `of` without item is an object
 * about the same thing, with item a list of them. */
struct field {
	const char *name;
	int since, until;		/* versions, 0: no bound */
	void (*leaf)(struct out *o, const void *about);
	struct shape *of;
	const void *(*item)(const struct view *v, const void *about, size_t i);
	bool (*has)(const struct view *v, const void *about);	/* NULL: yes */
	bool sparse;			/* an empty list is left out */
};

enum { MAX_FIELDS = 48 };

struct shape {
	const struct field *fields;
	size_t n;
	/* Made by shape_prepare(): the fields of this version, in its order. */
	const struct field *live[MAX_FIELDS];
	size_t n_live;
	bool ready;
};

#define SHARED_SHAPE(name, ...) \
	static const struct field name##_fields[] = { __VA_ARGS__ }; \
	struct shape name = { .fields = name##_fields, \
		.n = sizeof(name##_fields) / sizeof(name##_fields[0]) }
#define SHAPE(name, ...) \
	static const struct field name##_fields[] = { __VA_ARGS__ }; \
	static struct shape name = { .fields = name##_fields, \
		.n = sizeof(name##_fields) / sizeof(name##_fields[0]) }

/* Choose fields and their order; once, before shapes are written. */
void shape_prepare(struct shape *shape, int version);
/* Write it all at once. */
void shape_put(struct out *o, struct shape *shape, const void *about);
/* Write it as a body; the view is copied, its snapshot given up at the end.
 * With `record`, as one record of RecordIO, and then->next() goes on.  It is
 * by so many bytes longer than it has to be. */
struct http_source shape_source(const struct view *v, struct shape *shape,
				const void *about, bool record,
				struct http_source then, uint64_t pad);

/* Values, in the manner of the version. */
void out_text(struct out *o, const char *s);
void out_fmt(struct out *o, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));	/* a string, escaped */
void out_number(struct out *o, double x);
void out_time(struct out *o, double t);
void out_bool(struct out *o, bool x);
void out_raw(struct out *o, const char *json);

#endif
