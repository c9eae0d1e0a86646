/* SPDX-License-Identifier: Apache-2.0 */
/* parts - values and lists that several answers show, for the fields of shapes. */
#ifndef SIM_PARTS_H
#define SIM_PARTS_H

#include "answers.h"

/* Values. */
void put_true(struct out *o, const void *x);
void put_false(struct out *o, const void *x);
void put_zero(struct out *o, const void *x);
void put_empty(struct out *o, const void *x);
void put_list(struct out *o, const void *x);
void put_object(struct out *o, const void *x);
void put_user(struct out *o, const void *x);
void put_version(struct out *o, const void *about);
void put_git_sha(struct out *o, const void *x);
void put_build_date(struct out *o, const void *x);
void put_build_time(struct out *o, const void *x);
void put_cluster(struct out *o, const void *x);
void put_log_dir(struct out *o, const void *x);
void put_hostname(struct out *o, const void *about);
void put_agent_pid(struct out *o, const void *about);
void put_agent_active(struct out *o, const void *about);
void put_agent_deactivated(struct out *o, const void *about);
void put_drain_info(struct out *o, const void *about);

/* Whether an agent has a field. */
bool agent_was_reregistered(const struct view *v, const void *about);
bool agent_drains(const struct view *v, const void *about);

/* The i-th of those that are registered, and of those that no longer are. */
const void *each_agent(const struct view *v, const void *about, size_t i);
const void *each_framework(const struct view *v, const void *about, size_t i);
const void *each_completed_framework(const struct view *v, const void *about, size_t i);

#endif
