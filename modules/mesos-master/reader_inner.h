/* SPDX-License-Identifier: Apache-2.0 */
/* reader_inner - what the files of the reader share. */
#ifndef READER_INNER_H
#define READER_INNER_H

#include <string.h>

#include "reader.h"

/* What a container is, as both APIs have it. */
enum where {
	SKIPPED, ROOT, TOP, AGENTS, RECOVERED, AGENT, AGENT_INFO, FRAMEWORKS, COMPLETED, FRAMEWORK, FRAMEWORK_INFO,
	ROLES, TASKS, TASK, STATUSES, STATUS, DRAIN, ID, TIME, AMOUNTS, RESOURCES, RESOURCE, SCALAR, RANGES, RANGE_LIST,
	RANGE, RESERVED, REVOCABLE, ATTRIBUTES, ATTRIBUTE_LIST, ATTRIBUTE, ATTRIBUTE_VALUE, SUBSCRIBED, GET_STATE,
	GET_TASKS, GET_AGENTS, GET_FRAMEWORKS, TASK_ADDED, TASK_UPDATED, AGENT_ADDED, AGENT_REMOVED, FRAMEWORK_EVENT,
	FRAMEWORK_REMOVED, WHERES,
};

/* In place: as a call it was an eighth of the time that a state takes. */
static inline bool reader_is(const char *key, const char *name)
{
	for (; *key == *name; key++, name++)
		if (*key == '\0')
			return true;
	return false;
}

int reader_value(void *r, unsigned level, const char *key, const struct sat_json_value *v);
void reader_add(struct model_resources *to, const char *name, double d, uint32_t ports);

#endif
