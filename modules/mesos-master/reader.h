/* SPDX-License-Identifier: Apache-2.0 */
/* reader - a Mesos master's state, and what it says of changes, into a model as it streams in. */
#ifndef READER_H
#define READER_H

#include <satellite/module.h>

#include "model.h"

/* Whether the master that gave this state leads. */
enum reader_rank {
	READER_UNKNOWN,		/* it does not say, */
	READER_ALONE,		/* or knows of none who leads: unless it does, */
	READER_FOLLOWS,		/* what it holds is its own empty memory */
	READER_LEADS,
};

enum { READER_DEPTH = 64 };

struct reader {
	struct model *model;
	struct sat_json *json;
	int rc;				/* of the last piece */
	struct {
		char pid[128], leader[128], type[64];
		bool elected, slaves, subscribed;
		double heartbeat;	/* seconds; 0: not said */
	} top;
	bool known_only;		/* of agents that are not in the model it is silent */
	bool put;			/* something of it is in the model */
	bool gap;			/* an update of a task that is not known: something was missed */
	uint8_t where[READER_DEPTH + 2];	/* what each container is; by level */
	/* What is being read. */
	struct model_agent_news agent;
	struct model_framework_news framework;
	struct model_task_news task, status;
	char resource[32];
	double scalar;
	uint32_t range;			/* ports */
	int64_t begin, end;		/* of one of them; -1: not said */
	bool reserved, revocable, has_resources;
	char gone[MODEL_NAME_MAX + 1];	/* the id of an agent that went */
	char attribute[MODEL_NAME_MAX + 1];
	char *text_to;			/* of {"value": …} */
	int64_t *time_to;		/* of {"nanoseconds": …} */
	struct model_resources *sum, *unreserved;
};

int reader_expect(struct reader *r, struct model *model);	/* zeroes r first; -ENOMEM */
int reader_feed(struct reader *r, const void *p, size_t n);
/* A whole one, in place of the three: a record of a stream.  Not 0: why is in words. */
int reader_record(struct reader *r, struct model *model, const char *text, size_t n, char *why, size_t size);
/* It has ended: 0, or why it is no whole JSON, in words. */
int reader_end(struct reader *r, char *why, size_t size);
/* The same of one that has to be a state of /state or /slaves. */
int reader_end_state(struct reader *r, char *why, size_t size);
enum reader_rank reader_rank(const struct reader *r);
void reader_explain(const struct reader *r, int rc, char *why, size_t size);
void reader_free(struct reader *r);

#endif
