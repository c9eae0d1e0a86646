/* SPDX-License-Identifier: Apache-2.0 */
/* keep - the states of all forks as records, and back after a restart. */
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "node.h"

#define LARGEST	((size_t)32 << 20)	/* bytes of one state */
#define LONG (INT64_C(1) << 60)		/* no age that a fork has */

/* A record: node key, number of keys, the keys of the forks from the outermost
 * in, how old the last event of this one is and what its ttl has left, then the
 * operator's version and what its save() wrote. */
static int write_keys(struct sat_writer *w, const struct fork *f)
{
	uint32_t n = f->key_len;

	if (f->parent == NULL)
		return 0;
	write_keys(w, f->parent);
	sat_write_int(w, n);
	sat_buf_add(&w->b, f->key, n);
	return 0;
}

static int64_t depth_of(const struct fork *f)
{
	int64_t n = 0;

	for (; f->parent != NULL; f = f->parent)
		n++;
	return n;
}

static int save_one(struct fork *f, const struct node *n, struct sat_writer *w)
{
	w->b.len = 0;
	sat_write_int(w, (int64_t)n->key[0]);
	sat_write_int(w, (int64_t)n->key[1]);
	sat_write_int(w, depth_of(f));
	write_keys(w, f);
	sat_write_int(w, clock_steady() - f->last);
	sat_write_int(w, f->until - clock_steady());
	sat_write_int(w, n->op->state_version);
	return n->op->save(n->def, fork_state(f, n), w);
}

/* Each state of a fork that can be saved. */
static int save_fork(struct fork *f, struct sat_writer *w, int (*record)(void *arg, const void *p, size_t n),
		     void *arg)
{
	int rc = 0;

	for (uint32_t i = 0; i < f->scope->nodes.n && rc == 0; i++) {
		const struct node *n = f->scope->nodes.v[i];

		if (n->op->save == NULL || n->op->load == NULL)
			continue;
		if (save_one(f, n, w) == 0 && !w->b.full)
			rc = record(arg, w->b.p, w->b.len);
		else
			log_line(LOG_WARNING, n->handle->path, "%s: its state is not saved: over %zu bytes, "
				 "or no memory", n->op->name, w->b.max);
		w->b.full = false;
	}
	return rc;
}

int streams_save(struct streams *s, int (*record)(void *arg, const void *p, size_t n), void *arg)
{
	struct sat_writer w = { .b = { .max = LARGEST } };
	int rc = 0;

	for (struct fork *f = s->first; f != NULL && rc == 0; f = f->next)
		rc = save_fork(f, &w, record, arg);
	sat_buf_free(&w.b);
	return rc;
}

/* ---- In slices ---------------------------------------------------------- */

bool keep_saving;
uint16_t keep_round;

static struct {
	int (*record)(void *arg, const void *p, size_t n);
	void *arg;
	struct sat_writer w;
	int64_t moment;
} saver;

void keep_before(struct fork *f)
{
	int64_t now;

	if (f->saved == keep_round)
		return;
	f->saved = keep_round;
	now = clock_pretend(saver.moment);
	save_fork(f, &saver.w, saver.record, saver.arg);
	clock_pretend(now);
}

/* A timer of the root's may fire, and its nodes take items, in any push: it is first. */
void streams_save_begin(struct streams *s, int (*record)(void *arg, const void *p, size_t n), void *arg)
{
	keep_saving = true;
	keep_round++;
	saver.record = record;
	saver.arg = arg;
	saver.w.b.max = LARGEST;
	saver.moment = clock_steady();
	s->unsaved = s->first;
	keep_before(s->root);
}

bool streams_save_turn(struct streams *s, uint32_t most)
{
	for (; s->unsaved != NULL && most > 0; most--) {
		struct fork *f = s->unsaved;

		s->unsaved = f->next;
		keep_before(f);
	}
	if (s->unsaved == NULL)
		streams_save_stop();
	return keep_saving;
}

void streams_save_stop(void)
{
	keep_saving = false;
	sat_buf_free(&saver.w.b);
}

/* What it passes on may reach the forks around its own. */
void streams_save_timer(struct sat_timer *t)
{
	for (struct fork *f = t != NULL ? t->fork : NULL; f != NULL; f = f->parent)
		keep_before(f);
}

/* ---- Back again --------------------------------------------------------- */

static struct node *node_of(const struct streams *s, const int64_t key[2])
{
	for (uint32_t i = 0; i < s->all.n; i++)
		if (s->all.v[i]->key[0] == (uint64_t)key[0] && s->all.v[i]->key[1] == (uint64_t)key[1])
			return s->all.v[i];
	return NULL;
}

/* The fork of the scope under these keys, made where it is not there yet. */
static struct fork *fork_under(struct streams *s, const struct scope *scope, int64_t depth, struct sat_reader *in)
{
	const struct scope *way[64];
	struct fork *f = s->root;
	int64_t len;
	int n = 0;

	for (; scope->owner != NULL && n < 64; scope = scope->parent)
		way[n++] = scope;
	if (n != depth)
		return NULL;
	while (n-- > 0 && f != NULL) {
		if (sat_read_int(in, &len) != 0 || len < 0 || len > in->end - in->p)
			return NULL;
		f = fork_get(way[n]->owner, f, in->p, (uint32_t)len);
		in->p += len;
	}
	return f;
}

/* A fork is as old as it was: it goes when it would have gone. */
static int read_age(struct fork *f, struct sat_reader *in)
{
	int64_t since, left;

	sat_read_int(in, &since);
	if (sat_read_int(in, &left) != 0 || since < 0 || since > LONG || left < -LONG || left > LONG)
		return -EBADMSG;
	f->last = clock_steady() - since;
	f->until = clock_steady() + left;
	return 0;
}

int streams_load(struct streams *s, const void *p, size_t n)
{
	struct sat_reader in = { p, (const unsigned char *)p + n, 0 };
	int64_t key[2], depth, version;
	struct node *node;
	struct fork *f;
	struct sat_at at;
	int rc;

	sat_read_int(&in, &key[0]);
	sat_read_int(&in, &key[1]);
	sat_read_int(&in, &depth);
	if (in.rc != 0)
		return -EBADMSG;
	node = node_of(s, key);
	if (node == NULL || node->op->load == NULL)
		return -ENOENT;
	f = fork_under(s, node->scope, depth, &in);
	if (f == NULL || read_age(f, &in) != 0 || sat_read_int(&in, &version) != 0)
		return -EBADMSG;
	at = (struct sat_at){ .node = node, .fork = f };
	rc = node->op->load(&at, node->def, fork_state(f, node), (uint32_t)version, &in);
	if (rc == 0)
		return 0;
	fork_renew(f, node);
	return -EBADMSG;
}
