/* SPDX-License-Identifier: Apache-2.0 */
/* adopt - a new set of streams takes the states of the old one over, by key. */
#include <stdlib.h>
#include <string.h>

#include "alert.h"
#include "clock.h"
#include "node.h"

/* Of each node of the old set, by its number there, the new one in its place. */
struct twins {
	struct streams *prev;
	struct pair { struct node *old, *new; } *v;	/* sorted by old */
	size_t n;
};

static int by_old(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	return x->old < y->old ? -1 : x->old > y->old;
}

static struct node *twin_of(const struct twins *t, struct node *old)
{
	struct pair want = { old, NULL }, *p = t->n != 0 ? bsearch(&want, t->v, t->n, sizeof(want), by_old) : NULL;

	return p != NULL ? p->new : NULL;
}

static bool fits(const struct node *a, const struct node *b)
{
	return a->key[0] == b->key[0] && a->key[1] == b->key[1] && a->key[0] != 0 && a->op == b->op &&
	       a->op->state_version == b->op->state_version;
}

/* Nodes are twins only where their scopes' owners are, too. */
static bool same_scope(const struct scope *a, const struct scope *b)
{
	for (; a->owner != NULL && b->owner != NULL; a = a->parent, b = b->parent)
		if (!fits(a->owner, b->owner))
			return false;
	return a->owner == NULL && b->owner == NULL;
}

static int by_key(const void *a, const void *b)
{
	const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;

	if (x->key[0] != y->key[0])
		return x->key[0] < y->key[0] ? -1 : 1;
	return x->key[1] < y->key[1] ? -1 : x->key[1] > y->key[1];
}

static int find_twins(struct twins *t, const struct streams *next, struct streams *prev)
{
	struct node **sorted = malloc((next->all.n + 1) * sizeof(*sorted));

	t->prev = prev;
	t->v = malloc((prev->all.n + 1) * sizeof(*t->v));
	if (t->v == NULL || sorted == NULL) {
		free(sorted);
		return -1;
	}
	if (next->all.n != 0)
		memcpy(sorted, next->all.v, next->all.n * sizeof(*sorted));
	qsort(sorted, next->all.n, sizeof(*sorted), by_key);
	for (uint32_t i = 0; i < prev->all.n; i++) {
		struct node *old = prev->all.v[i];
		struct node **p = bsearch(&old, sorted, next->all.n, sizeof(*sorted), by_key);

		if (p != NULL && fits(old, *p) && same_scope(old->scope, (*p)->scope))
			t->v[t->n++] = (struct pair){ old, *p };
	}
	qsort(t->v, t->n, sizeof(*t->v), by_old);
	free(sorted);
	return 0;
}

#define SWAP(a, b) do { __typeof__(a) swap_ = (a); (a) = (b); (b) = swap_; } while (0)

/* An output that runs, and whose settings are the same, goes on running in its
 * new place: with its def, and the settings that def may point to. */
static void keep_running(const struct twins *t)
{
	for (size_t i = 0; i < t->n; i++) {
		struct node *old = t->v[i].old, *new = t->v[i].new;

		if (!old->started || old->handle->self != new->handle->self ||
		    old->settings[0] != new->settings[0] || old->settings[1] != new->settings[1])
			continue;
		SWAP(old->def, new->def);
		SWAP(old->options, new->options);
		SWAP(old->file, new->file);
		SWAP(old->handle, new->handle);
		SWAP(old->handle->path, new->handle->path);	/* that of its own place */
		old->handle->node = old;
		new->handle->node = new;
		if (new->within != NULL) {
			new->within->def = new->def;
			old->within->def = old->def;
		}
		new->started = true;
		old->started = false;
	}
}

/* ---- Forks -------------------------------------------------------------- */

static struct fork *move_fork(const struct twins *t, struct scope *scope, struct fork *old,
			      struct fork *parent);

static void move_table(const struct twins *t, struct node *owner, struct fork *in, struct node *old_owner,
		       struct fork *old_in)
{
	struct forks *from = *fork_slot(old_in, old_owner), *to;

	for (struct fork *f = from != NULL ? from->oldest : NULL; f != NULL; f = f->newer)
		if (fork_table(owner, in, &to) == 0 && to->n < owner->inner->max) {
			struct fork *new = move_fork(t, owner->inner, f, in);

			if (new != NULL)
				fork_insert(to, new);
		}
}

/* Let a new fork know what the old one knew. */
static void move_states(const struct twins *t, struct fork *f, struct fork *old)
{
	f->last = old->last;
	f->until = old->until;
	old->moved = f;
	for (uint32_t i = 0; i < old->scope->nodes.n; i++) {
		struct node *from = old->scope->nodes.v[i], *to = twin_of(t, from);

		if (to == NULL)
			continue;
		memcpy(fork_state(f, to), fork_state(old, from), to->op->state_size);
		if (to->inner != NULL && from->inner != NULL)
			move_table(t, to, f, from, old);
	}
}

/* A fork of the new layout in the place of the old one. */
static struct fork *move_fork(const struct twins *t, struct scope *scope, struct fork *old,
			      struct fork *parent)
{
	struct fork *f = fork_make(scope, parent, old->key, old->key_len);

	if (f != NULL)
		move_states(t, f, old);
	return f;
}

static bool has_twin(const struct twins *t, const struct node *new)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].new == new)
			return true;
	return false;
}

/* States that nobody had before are opened, in every fork. */
static void open_new(const struct twins *t, struct streams *next)
{
	for (uint32_t k = 0; k < next->all.n; k++) {
		struct node *n = next->all.v[k];

		if (n->op->open == NULL || has_twin(t, n))
			continue;
		for (struct fork *f = next->first; f != NULL; f = f->next)
			if (f->scope == n->scope && fork_open_state(f, n) != 0)
				log_line(LOG_WARNING, n->handle->path, "no memory for its state");
	}
}

/* A timer lies in the state that was copied, or in memory that the state owns. */
static struct sat_timer *place_of(struct sat_timer *timer, const struct node *from, const struct node *to,
				  struct fork *old, struct fork *f)
{
	unsigned char *state = fork_state(old, from), *p = (unsigned char *)timer;

	if (p < state || p >= state + from->op->state_size)
		return timer;
	return (struct sat_timer *)((unsigned char *)fork_state(f, to) + (p - state));
}

/* Timers know their fork, their node and their own place: all three moved. */
static void move_timers(const struct twins *t, struct fork *old)
{
	struct sat_timer *timer, *next;

	for (timer = old->timers; timer != NULL; timer = next) {
		struct node *from = old->scope->nodes.v[timer->node], *to = twin_of(t, from);

		next = timer->next;
		if (to == NULL)
			continue;
		fork_timer_remove(old, timer);
		timer = place_of(timer, from, to, old, old->moved);
		timer->node = to->index;
		fork_timer_add(old->moved, timer);
		timer_moved(timer);
	}
}

/* What was moved must not be closed: zero it, which every close() takes. */
static void forget_moved(const struct twins *t)
{
	for (struct fork *f = t->prev->first; f != NULL; f = f->next) {
		if (f->moved == NULL)
			continue;
		move_timers(t, f);
		for (uint32_t i = 0; i < f->scope->nodes.n; i++) {
			struct node *n = f->scope->nodes.v[i];

			if (twin_of(t, n) != NULL)
				memset(fork_state(f, n), 0, n->op->state_size);
		}
	}
}

static void start_outputs(struct streams *next)
{
	for (uint32_t i = 0; i < next->all.n; i++) {
		struct node *n = next->all.v[i];
		int rc;

		if (n->started || n->op->start == NULL || self_process.replay || self_process.dry_run)
			continue;
		rc = n->op->start(n->def);
		if (rc != 0)
			log_line(LOG_ERR, n->handle->path, "%s: %s", n->op->name, strerror(-rc));
		else
			n->started = true;
	}
}

void streams_adopt(struct streams *next, struct streams *prev)
{
	struct twins t = { .prev = prev };

	if (prev != NULL && find_twins(&t, next, prev) != 0) {
		log_line(LOG_ERR, "streams", "no memory to take their states over: they begin anew");
		t.n = 0;
	}
	if (prev != NULL && prev->root != NULL)
		move_states(&t, next->root, prev->root);
	else	/* it was built before; in replay by another clock */
		next->root->last = next->root->until = clock_steady();
	if (prev != NULL) {
		keep_running(&t);
		for (size_t i = 0; i < t.n; i++)
			alerts_adopt(t.v[i].new, t.v[i].old);
		forget_moved(&t);
	}
	open_new(&t, next);
	start_outputs(next);
	/* Nothing goes through the old set any more: what nobody took over ends now. */
	if (prev != NULL)
		streams_forget(prev);
	free(t.v);
}
