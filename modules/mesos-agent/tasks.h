/* SPDX-License-Identifier: Apache-2.0 */
/* tasks - which tasks run on a Mesos agent, and its attributes, out of its state as it streams in. */
#ifndef TASKS_H
#define TASKS_H

#include <satellite/module.h>

/* Which labels of tasks and attributes of the agent are wanted: NULL-ended; of either 16 at most. */
struct tasks_wanted {
	const char *const *labels, *const *attributes;
	uint32_t n_labels, n_attributes;
};
#define TASKS_WANTED	16

struct tasks_one {
	const char *source, *framework, *executor, *id, *name;
	const char *labels[TASKS_WANTED];	/* "" where it has none */
};

struct tasks;
struct tasks *tasks_new(const struct tasks_wanted *wanted);	/* borrowed.  NULL: out of memory */
int tasks_feed(struct tasks *t, const void *p, size_t n);	/* as sat_json_feed() */
int tasks_end(struct tasks *t);
void tasks_free(struct tasks *t);
void tasks_each(const struct tasks *t, void (*found)(void *arg, const struct tasks_one *one), void *arg);
const char *tasks_attribute(const struct tasks *t, uint32_t i);
size_t tasks_left_out(const struct tasks *t);		/* there were too many, or too long names */
/* A label's or attribute's name as Prometheus can have it: room for len bytes and NUL. */
void tasks_label_name(char *to, const char *name, size_t len);

#endif
