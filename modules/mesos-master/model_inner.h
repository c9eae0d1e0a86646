/* SPDX-License-Identifier: Apache-2.0 */
/* model_inner - what the files of the model share. */
#ifndef MODEL_INNER_H
#define MODEL_INNER_H

#include "model.h"

/* Flags of a task's state: it has ended; nobody knows, and it uses nothing; an operator gave its agent up. */
enum { WORD_ENDS = 1, WORD_LOST = 2, WORD_EXPELS = 4 };

/* The number of a word, most often the one that is guessed; 0 where it is "", or there are too many. */
uint8_t model_word_of(struct model *m, const char *text, uint8_t guess);
/* A text in place of what is there; false: out of memory. */
bool model_set(struct model *m, const char **at, const char *text, bool *changed);
/* name: whatever there is to recognise it by, "" if nothing is. */
void model_leave_out(struct model *m, enum model_left what, const char *name);
/* By an id that is kept. */
struct model_agent *model_agent_of(const struct model *m, const char *id);
struct model_framework *model_framework_of(const struct model *m, const char *id);
uint32_t model_task_hash(const char *framework, const char *id);
bool model_uses(const struct model *m, const struct model_task *t);	/* resources, now */
/* To the sums of its agent and framework, or from them. */
void model_account(struct model *m, const struct model_task *t, int sign);
void model_count(struct model *m, struct model_task *t);	/* one that a state had */
/* Where it is not as it was told; what cannot be told is untold. */
void model_tell_agent(struct model *m, struct model_agent *a);
void model_tell_framework(struct model *m, struct model_framework *f);
void model_tell_task(struct model *m, struct model_task *t);
void model_agent_gone(struct model *m, struct model_agent *a);
void model_agent_park(struct model *m, struct model_agent *a);	/* it may come back to another leader */
void model_agent_free(struct model *m, struct model_agent *a);
void model_keep_gone(struct model *m, struct model_agent *a);	/* it is in no table, and not told of */
void model_came_back(struct model *m, const struct model_agent *a);	/* or its host did, as another */
void model_framework_silent(struct model_framework *f);		/* as it is now it is no news */
void model_framework_gone(struct model *m, struct model_framework *f);
void model_task_gone(struct model *m, struct model_task *t);
void model_task_park(struct model_task *t);		/* with its agent */

#endif
