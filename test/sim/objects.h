/* SPDX-License-Identifier: Apache-2.0 */
/* objects - agents, frameworks and tasks, as unversioned endpoints show them. */
#ifndef SIM_OBJECTS_H
#define SIM_OBJECTS_H

#include "parts.h"

extern struct shape state_task, state_framework, state_slave, state_slave_full;

void put_none(struct out *o, const void *about);
void slave_used(struct out *o, const void *about);
void slave_resources(struct out *o, const void *about);
void slave_unreserved(struct out *o, const void *about);
void slave_reserved(struct out *o, const void *about);
void task_framework(struct out *o, const void *about);
void task_amounts(struct out *o, const void *about);
void framework_id(struct out *o, const void *about);
void framework_name(struct out *o, const void *about);
void framework_pid(struct out *o, const void *about);
void framework_used(struct out *o, const void *about);
void framework_capabilities(struct out *o, const void *about);
void framework_hostname(struct out *o, const void *about);
void framework_webui(struct out *o, const void *about);
void framework_failover(struct out *o, const void *about);
void slave_id(struct out *o, const void *about);
void slave_hostname(struct out *o, const void *about);
void slave_port(struct out *o, const void *about);
void slave_attributes(struct out *o, const void *about);
void slave_domain(struct out *o, const void *about);
void slave_registered(struct out *o, const void *about);
void slave_reregistered(struct out *o, const void *about);
void slave_drain_time(struct out *o, const void *about);
void slave_capabilities(struct out *o, const void *about);

/* Of an agent, wherever it is shown. */
#define SLAVE_FIELDS \
	{ "id", .leaf = slave_id }, \
	{ "hostname", .leaf = slave_hostname }, \
	{ "port", 102, .leaf = slave_port }, \
	{ "attributes", .leaf = slave_attributes }, \
	{ "domain", 105, .leaf = slave_domain }, \
	{ "pid", .leaf = put_agent_pid }, \
	{ "registered_time", .leaf = slave_registered }, \
	{ "reregistered_time", .leaf = slave_reregistered, \
		.has = agent_was_reregistered }, \
	{ "resources", .leaf = slave_resources }, \
	{ "used_resources", 23, .leaf = slave_used }, \
	{ "offered_resources", 23, .leaf = put_none }, \
	{ "reserved_resources", 23, .leaf = slave_reserved }, \
	{ "unreserved_resources", 23, .leaf = slave_unreserved }, \
	{ "active", 20, .leaf = put_agent_active }, \
	{ "deactivated", 109, .leaf = put_agent_deactivated }, \
	{ "version", 27, .leaf = put_version }, \
	{ "capabilities", 102, .leaf = slave_capabilities }, \
	{ "drain_info", 109, .leaf = put_drain_info, .has = agent_drains }, \
	{ "estimated_drain_start_time_seconds", 109, \
		.leaf = slave_drain_time, .has = agent_drains }

#endif
