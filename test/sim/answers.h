/* SPDX-License-Identifier: Apache-2.0 */
/* answers - what the endpoints of a master and an agent say. */
#ifndef SIM_ANSWERS_H
#define SIM_ANSWERS_H

#include "shape.h"

/* The master's large answers, to be given to shape_source(). */
extern struct shape *const answer_state, *const answer_slaves,
	*const answer_frameworks, *const answer_summary;
/* The v1 API's: GET_STATE, SUBSCRIBED, GET_AGENTS, GET_FRAMEWORKS, GET_TASKS
 * by name; NULL if there is none such. */
struct shape *answer_call(const char *type);

/* Make all shapes ready for this version. */
void answers_prepare(int version);
void calls_prepare(int version);
void agent_prepare(int version);

/* Small answers. */
void answer_version(struct out *o);
void answer_flags(struct out *o);
void answer_metrics(struct out *o, bool legacy);	/* legacy: stats.json */
void answer_call_metrics(struct out *o);		/* v1: name and value */
void answer_event(struct out *o, enum cluster_event ev, const void *about);

void agent_metrics(struct out *o, const struct agent *a);
void agent_state(struct out *o, const struct agent *a);
void agent_statistics(struct out *o, const struct agent *a);

/* Names and numbers that several answers show. */
void id_of_agent(struct out *o, uint32_t index);
void id_of_framework(struct out *o, uint16_t index);
void id_of_task(struct out *o, const struct task *t);
/* "app.<uuid that ends in the serial>". */
void task_id_text(const struct task *t, char id[128]);
uint64_t task_id_serial(const char *id);	/* 0: no task's */
void agent_pid(char pid[64], const struct agent *a);
bool agent_has_gpus(const struct agent *a);
const char *agent_reserved_role(const struct agent *a);		/* or NULL */
struct resources agent_total(const struct view *v, const struct agent *a);
const char *framework_role(const struct framework *f);
void uuid_text(char uuid[40], uint64_t a, uint64_t b);

#endif
