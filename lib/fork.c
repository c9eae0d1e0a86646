/* SPDX-License-Identifier: Apache-2.0 */
/* fork - the states of a scope, one block for each key, made and freed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "clock.h"
#include "hash.h"
#include "node.h"

int fork_open_state(struct fork *f, struct node *n)
{
	struct sat_at at = { .node = n, .fork = f };

	return n->op->open != NULL ? n->op->open(&at, n->def, fork_state(f, n)) : 0;
}

static void close_state(struct fork *f, const struct node *n)
{
	if (n->op->close != NULL)
		n->op->close(n->def, fork_state(f, n));
}

/* ---- Keys --------------------------------------------------------------- */

enum { HEAD = 5 };	/* bytes: the kind, and how many texts */

/* Of each value its kind, its length or count, and what it is. */
uint32_t fork_key(unsigned char *to, size_t room, const struct sat_value *v)
{
	const char *const *texts = v->kind == SAT_TEXTS ? v->texts : &v->text;
	uint32_t n = v->kind == SAT_TEXTS ? v->n : v->kind == SAT_TEXT, at = HEAD;

	if (room < at + sizeof(v->i))
		return 0;
	to[0] = (unsigned char)v->kind;
	memcpy(to + 1, &n, sizeof(n));
	if (v->kind == SAT_BOOL)
		to[at++] = v->b;
	if (v->kind == SAT_INT || v->kind == SAT_DOUBLE) {
		memcpy(to + at, &v->i, sizeof(v->i));
		at += sizeof(v->i);
	}
	for (uint32_t i = 0; i < n; i++) {
		size_t len = strlen(texts[i]) + 1;

		if (len > room - at)
			return 0;
		memcpy(to + at, texts[i], len);
		at += (uint32_t)len;
	}
	return at;
}

/* Most forks are of one text, by which they are looked up without making a key of it. */
static const char *key_text(const unsigned char *key, uint32_t len)
{
	if (len <= HEAD || key[0] != SAT_TEXT || memchr(key + HEAD, '\0', len - HEAD) != key + len - 1)
		return NULL;
	return (const char *)key + HEAD;
}

static uint32_t key_hash(const unsigned char *key, uint32_t len)
{
	const char *text = key_text(key, len);

	return text != NULL ? hash_bytes(text, len - HEAD - 1) : hash_bytes(key, len);
}

/* ---- Making one --------------------------------------------------------- */

/* With its place in a table, which is up to half empty. */
static int64_t weight(const struct scope *scope, uint32_t key_len)
{
	return (int64_t)(sizeof(struct fork) + scope->bytes + key_len + 2 * sizeof(struct fork *) + ACCOUNT_CHUNK);
}

/* A fork in no table yet, its states all zero. */
struct fork *fork_make(struct scope *scope, struct fork *parent, const void *key, uint32_t len)
{
	struct streams *s = scope->set;
	struct fork *f = calloc(1, sizeof(*f) + scope->bytes + len);

	if (f == NULL) {
		self_add(SELF_NO_MEMORY, 1);
		return NULL;
	}
	f->scope = scope;
	f->parent = parent;
	f->saved = keep_round;
	f->key_len = len;
	f->key = f->block + scope->bytes;
	if (len != 0)
		memcpy(f->block + scope->bytes, key, len);
	f->text = key_text(f->key, len);
	f->hash = key_hash(f->key, len);
	f->last = f->until = clock_steady();
	f->prev = s->last;
	*(s->last != NULL ? &s->last->next : &s->first) = f;
	s->last = f;
	s->n_forks++;
	account_add(ACCOUNT_FORKS, weight(scope, len));
	return f;
}

static int open_all(struct fork *f)
{
	const struct scope *scope = f->scope;

	for (uint32_t i = 0; i < scope->nodes.n; i++) {
		struct node *n = scope->nodes.v[i];

		if (fork_open_state(f, n) != 0) {
			/* It left nothing behind; close() is to find nothing either. */
			memset(fork_state(f, n), 0, n->op->state_size);
			return -ENOMEM;
		}
	}
	return 0;
}

static void leave_set(struct fork *f)
{
	struct streams *s = f->scope->set;

	if (s->cursor == f)
		s->cursor = f->next;
	if (s->unsaved == f)
		s->unsaved = f->next;
	*(f->prev != NULL ? &f->prev->next : &s->first) = f->next;
	*(f->next != NULL ? &f->next->prev : &s->last) = f->prev;
	s->n_forks--;
}

/* ---- Tables ------------------------------------------------------------- */

static void unchain_age(struct forks *t, struct fork *f)
{
	*(f->older != NULL ? &f->older->newer : &t->oldest) = f->newer;
	*(f->newer != NULL ? &f->newer->older : &t->newest) = f->older;
	f->older = f->newer = NULL;
}

static void chain_age(struct forks *t, struct fork *f)
{
	f->older = t->newest;
	f->newer = NULL;
	*(t->newest != NULL ? &t->newest->newer : &t->oldest) = f;
	t->newest = f;
}

/* Of a new one; more slots are a part of what a fork weighs. */
#define TABLE_WEIGHT ((int64_t)(sizeof(struct forks) + 16 * sizeof(struct fork *) + ACCOUNT_CHUNK))

static int table_room(struct forks *t)
{
	size_t more = t->size != 0 ? 2 * t->size : 16;
	struct fork **p, *f;

	if (t->n < t->size)
		return 0;
	p = calloc(more, sizeof(struct fork *));
	if (p == NULL)
		return t->size != 0 ? 0 : -ENOMEM;
	for (size_t i = 0; i < t->size; i++)
		while ((f = t->slots[i]) != NULL) {
			t->slots[i] = f->chain;
			f->chain = p[f->hash & (more - 1)];
			p[f->hash & (more - 1)] = f;
		}
	free(t->slots);
	t->slots = p;
	t->size = more;
	return 0;
}

/* The table has room: fork_table() or an earlier insert saw to that. */
void fork_insert(struct forks *t, struct fork *f)
{
	f->table = t;
	f->chain = t->slots[f->hash & (t->size - 1)];
	t->slots[f->hash & (t->size - 1)] = f;
	chain_age(t, f);
	t->n++;
	f->parent->inner++;
}

static void table_remove(struct fork *f)
{
	struct forks *t = f->table;
	struct fork **at = &t->slots[f->hash & (t->size - 1)];

	while (*at != f)
		at = &(*at)->chain;
	*at = f->chain;
	unchain_age(t, f);
	t->n--;
	f->parent->inner--;
}

int fork_table(struct node *owner, struct fork *in, struct forks **table)
{
	struct forks **slot = fork_slot(in, owner);

	if (*slot == NULL && (*slot = calloc(1, sizeof(**slot))) != NULL)
		account_add(ACCOUNT_FORKS, TABLE_WEIGHT);
	*table = *slot;
	return *slot == NULL || table_room(*slot) != 0 ? -ENOMEM : 0;
}

static void free_table(struct fork *in, const struct node *owner)
{
	struct forks **slot = fork_slot(in, owner);

	if (*slot == NULL)
		return;
	while ((*slot)->oldest != NULL)
		fork_free((*slot)->oldest);
	account_add(ACCOUNT_FORKS, -TABLE_WEIGHT);
	free((*slot)->slots);
	free(*slot);
	*slot = NULL;
}

/* Of one node; NULL: of all. */
static void stop_timers(struct fork *f, const struct node *n)
{
	struct sat_timer *t, *next;

	for (t = f->timers; t != NULL; t = next) {
		next = t->next;
		if (n != NULL && t->node != n->index)
			continue;
		fork_timer_remove(f, t);
		timer_stop(t);
	}
}

void fork_free(struct fork *f)
{
	if (keep_saving)
		keep_before(f);
	stop_timers(f, NULL);
	for (uint32_t i = 0; i < f->scope->nodes.n; i++) {
		struct node *n = f->scope->nodes.v[i];

		if (n->inner != NULL)
			free_table(f, n);
		close_state(f, n);
	}
	if (f->table != NULL)
		table_remove(f);
	leave_set(f);
	account_add(ACCOUNT_FORKS, -weight(f->scope, f->key_len));
	free(f);
}

void fork_renew(struct fork *f, struct node *n)
{
	stop_timers(f, n);
	close_state(f, n);
	memset(fork_state(f, n), 0, n->op->state_size);
	if (fork_open_state(f, n) != 0)
		log_line(LOG_WARNING, n->handle->path, "no memory for its state");
}

/* ---- One key's fork ----------------------------------------------------- */

static struct fork *look_up(const struct forks *t, const void *key, uint32_t len, uint32_t hash)
{
	struct fork *f;

	if (t == NULL || t->size == 0)
		return NULL;
	for (f = t->slots[hash & (t->size - 1)]; f != NULL; f = f->chain)
		if (f->hash == hash && f->key_len == len && memcmp(f->key, key, len) == 0)
			return f;
	return NULL;
}

static bool is_of(const struct fork *f, const char *text, size_t len)
{
	return f->text != NULL && f->key_len == HEAD + len + 1 && same_bytes(f->text, text, len);
}

/* Events of one host mostly come in a row. */
struct fork *fork_of_text(const struct node *owner, struct fork *in, const char *text, size_t len)
{
	const struct forks *t = *fork_slot(in, owner);
	struct fork *f = t != NULL ? t->newest : NULL;
	uint32_t hash;

	if (f == NULL || is_of(f, text, len))
		return f;
	hash = hash_bytes(text, len);
	for (f = t->slots[hash & (t->size - 1)]; f != NULL; f = f->chain)
		if (f->hash == hash && is_of(f, text, len))
			return f;
	return NULL;
}

/* The oldest goes first, but for those that a pass is in just now. */
static void make_room(struct forks *t, uint32_t max)
{
	struct fork *f = t->oldest, *newer;

	for (; f != NULL && t->n >= max; f = newer) {
		newer = f->newer;
		if (f->busy != 0)
			continue;
		fork_free(f);
		self_add(SELF_FORKS_DROPPED, 1);
	}
}

static struct fork *oldest_of(const struct forks *t)
{
	struct fork *f = t->oldest;

	while (f != NULL && f->busy != 0)
		f = f->newer;
	return f;
}

/* Of the table itself, where it has one, else of those around it, else of any. */
static struct fork *oldest_near(const struct forks *t, const struct fork *in)
{
	struct fork *f = oldest_of(t);

	for (; f == NULL && in->table != NULL; in = in->parent)
		f = oldest_of(in->table);
	if (f != NULL)
		return f;
	for (f = in->scope->set->first; f != NULL && (f->table == NULL || f->busy != 0);)
		f = f->next;
	return f != NULL ? oldest_of(f->table) : NULL;
}

void fork_hold(struct fork *f, int by)
{
	for (; f != NULL; f = f->parent)
		f->busy += (unsigned)by;
}

/* Room for one more in the forks' account: it takes the place of the oldest.  A few at a time,
 * if the account has shrunk: sweeping sees to the rest. */
static bool make_memory(const struct forks *t, struct fork *in, int64_t bytes)
{
	int64_t before = self_get(SELF_MEMORY_FORKS);
	struct fork *f;

	fork_hold(in, 1);
	for (unsigned i = 0; i < 16 && !account_has_room(ACCOUNT_FORKS, bytes, 16); i++) {
		f = oldest_near(t, in);
		if (f == NULL)
			break;
		fork_free(f);
		self_add(SELF_FORKS_DROPPED, 1);
	}
	fork_hold(in, -1);
	if (account_has_room(ACCOUNT_FORKS, bytes, 16) || before - self_get(SELF_MEMORY_FORKS) >= bytes)
		return true;
	self_add(SELF_MEMORY_REFUSED, 1);
	return false;
}

struct fork *fork_get(struct node *owner, struct fork *in, const void *key, uint32_t len)
{
	uint32_t hash = key_hash(key, len);
	struct fork *f = look_up(*fork_slot(in, owner), key, len, hash);
	struct forks *t;

	if (f != NULL)
		return f;
	if (fork_table(owner, in, &t) != 0)
		return NULL;
	make_room(t, owner->inner->max);
	if (!account_has_room(ACCOUNT_FORKS, weight(owner->inner, len), 16) &&
	    !make_memory(t, in, weight(owner->inner, len)))
		return NULL;
	f = fork_make(owner->inner, in, key, len);
	if (f == NULL)
		return NULL;
	if (open_all(f) != 0) {
		fork_free(f);
		return NULL;
	}
	fork_insert(t, f);
	return f;
}

/* An event came: it is the newest, and lives on until the event's ttl passes. */
void fork_touch(struct fork *f, const struct sat_event *ev)
{
	struct forks *t = f->table;
	double ttl = ev != NULL && (ev->has & SAT_HAS_TTL) ? ev->ttl : 60;

	if (!(ttl >= 0))
		ttl = 0;
	if (ttl > 3e9)
		ttl = 3e9;
	f->last = clock_steady();
	f->until = f->last + (int64_t)(ttl * 1e6);
	if (t != NULL && t->newest != f) {
		unchain_age(t, f);
		chain_age(t, f);
	}
}

/* ---- Sweeping ----------------------------------------------------------- */

static bool all_zero(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static bool as_new(struct fork *f)
{
	if (f->timers != NULL || f->inner != 0)
		return false;
	for (uint32_t i = 0; i < f->scope->nodes.n; i++) {
		const struct node *n = f->scope->nodes.v[i];

		if (n->op->idle != NULL ? !n->op->idle(n->def, fork_state(f, n)) :
					  !all_zero(fork_state(f, n), n->op->state_size))
			return false;
	}
	return true;
}

/* A reload may leave less memory than the forks have. */
static void shrink(struct streams *s, size_t most)
{
	struct fork *f;

	while (most-- > 0 && !account_has_room(ACCOUNT_FORKS, 0, 16)) {
		for (f = s->first; f != NULL && f->table == NULL;)
			f = f->next;
		if (f == NULL)
			return;
		fork_free(f->table->oldest);
		self_add(SELF_FORKS_DROPPED, 1);
	}
}

void streams_sweep(struct streams *s)
{
	size_t most = s->n_forks / 64 + 1000;
	int64_t now = clock_steady();

	shrink(s, s->n_forks / 8 + 1000);

	if (s->cursor == NULL)
		s->cursor = s->first;
	while (s->cursor != NULL && most-- > 0) {
		struct fork *f = s->cursor;

		s->cursor = f->next;
		if (f->table == NULL)
			continue;
		if (now - f->last > f->scope->keep) {
			/* The cursor may stand on a fork below this one. */
			s->cursor = f->prev;
			self_add(SELF_FORKS_AGED, 1);
			fork_free(f);
			s->cursor = s->cursor != NULL ? s->cursor->next : s->first;
		} else if (now > f->until && as_new(f)) {
			fork_free(f);
		}
	}
}

size_t streams_forks(const struct streams *s)
{
	return s->n_forks;
}
