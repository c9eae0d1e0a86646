/* SPDX-License-Identifier: Apache-2.0 */
/* push - one input on its way through the graph, depth first, to its end. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "node.h"
#include "query.h"
#include "slow.h"

enum { DEPTH = 256, KEYS = 8 };

static struct arena scratch;		/* until the push ends */
static unsigned depth;			/* of passing; 0: no push */
static uint32_t hops;			/* of the input */
static char said[256];			/* by sat_fail(), empty: nothing */
static int top_rc;			/* of the first top-level node that failed */
static char top_error[256];
static stream_show *show;
static stream_reinject *reinject;
static int64_t fired = INT64_MIN;	/* when the timer that is firing was due */

void streams_show(stream_show *s)
{
	show = s;
}

void streams_reinject(stream_reinject *r)
{
	reinject = r;
}

const char *streams_error(void)
{
	return top_error;
}

/* [any thread] While the node is there: see slow.h. */
void streams_describe(const void *node, char *text, size_t size)
{
	const struct node *n = node;

	snprintf(text, size, "%s: operator %s", n->handle->path, n->op->name);
}

bool streams_pushing(void)
{
	return depth != 0;
}

/* ---- Errors ------------------------------------------------------------- */

int sat_fail(const struct sat_at *at, int rc, const char *fmt, ...)
{
	va_list ap;

	(void)at;
	va_start(ap, fmt);
	vsnprintf(said, sizeof(said), fmt, ap);
	va_end(ap);
	return rc;
}

static struct event *exception(const struct sat_item *item, int rc, const char *text)
{
	struct event *ev = event_loan(&scratch, NULL);
	const char **tags = arena_get(&scratch, 2 * sizeof(*tags));
	char *words = arena_text(&scratch, text, strlen(text));

	if (ev == NULL || tags == NULL || words == NULL)
		return NULL;
	tags[0] = "exception";
	tags[1] = strerrorname_np(-rc);
	ev->pub.host = item->n != 0 ? item->evs[0]->host : NULL;
	ev->pub.service = "satellite exception";
	ev->pub.state = "error";
	ev->pub.description = words;
	ev->pub.tags = tags;
	ev->pub.n_tags = tags[1] != NULL ? 2 : 1;
	ev->pub.time = clock_wall();
	ev->pub.has = SAT_HAS_TIME | SAT_HAS_STAMP | SAT_HAS_TAGS;
	return ev;
}

/* What fails below its second branch is not its own to catch. */
static bool catcher(const struct sat_at *at, struct sat_at *to)
{
	for (; at->up != NULL; at = at->up)
		if ((at->up->node->op->flags & SAT_CATCHES) && at->branch == 0) {
			*to = *at->up;
			return true;
		}
	/* Nobody passed it to the node of a timer, which stands where it was built. */
	if (!at->timer || at->node->guard == NULL)
		return false;
	*to = (struct sat_at){ .node = at->node->guard, .fork = at->fork, .timer = true };
	while (to->fork->scope != to->node->scope)
		to->fork = to->fork->parent;
	return true;
}

/* A node failed: count it, tell the nearest exception-stream, or the log. */
static void failed(const struct sat_at *at, int rc, const struct sat_item *item)
{
	struct sat_at to;
	bool caught = catcher(at, &to);
	bool top = at->up == NULL && !at->timer;
	char text[sizeof(said)];

	snprintf(text, sizeof(text), "%s", said[0] != '\0' ? said : strerror(-rc));
	said[0] = '\0';
	at->node->errors++;
	self_add(SELF_ERRORS, 1);
	if (top && top_rc == 0) {
		top_rc = rc;
		snprintf(top_error, sizeof(top_error), "%s", text);
	}
	if (show != NULL)
		show(at->node->handle->path, "error", NULL, item, text, top);
	if (caught) {
		struct event *ev = exception(item, rc, text);

		if (ev != NULL)
			sat_pass_event(&to, 1, &ev->pub);
	} else if (show == NULL && sat_log_allowed(NULL, &at->node->limit, 1, 10 * SAT_SECOND)) {
		log_line(LOG_WARNING, at->node->handle->path, "%s: %s", at->node->op->name, text);
	}
}

/* ---- Passing ------------------------------------------------------------ */

static __attribute__((cold))
void too_deep(const struct nodes *to, const struct sat_at *at, const struct sat_item *item)
{
	struct sat_at in = *at;

	for (uint32_t i = 0; i < to->n; i++) {
		in.node = to->v[i];
		sat_fail(&in, 0, "more than %d streams deep", DEPTH);
		failed(&in, -ELOOP, item);
	}
}

static __attribute__((cold))
void failed_below(const struct sat_at *at, int rc, const struct sat_item *item)
{
	depth--;
	failed(at, rc, item);
	depth++;
}

/* What the host does in an operator's stead: nothing, where another master acts, or what it judges. */
static inline bool done_here(const struct sat_at *at, const struct sat_item *item)
{
	const struct node *n = at->node;

	if ((n->op->flags & SAT_ACTS) && !self_process.replay && !sat_acting())
		return true;
	if (!(n->op->flags & SAT_JUDGES) || item->list || item->n != 1)
		return false;
	sat_pass(at, query_match(n->def, event_of(item->evs[0])) ? 0 : 1, item);
	said[0] = '\0';
	return true;
}

/* Run an item through some nodes, in order, of a fork or of those around it. */
static inline __attribute__((always_inline))
void run(const struct nodes *to, struct fork *f, const struct sat_at *up, int branch, const struct sat_item *item)
{
	struct sat_at at = { .fork = f, .up = up, .branch = branch };
	struct node *const *v = to->v;		/* NULL where there are none */

	if (__builtin_expect(depth >= DEPTH, 0)) {
		too_deep(to, &at, item);
		return;
	}
	depth++;
	for (uint32_t left = to->n; left > 0; left--, v++) {
		struct node *n = *v;
		int rc;

		at.node = n;
		for (at.fork = f; at.fork->scope != n->scope; at.fork = at.fork->parent)
			;		/* a shared node lies further out */
		if ((n->op->flags & (SAT_ACTS | SAT_JUDGES)) && done_here(&at, item))
			continue;
		slow_at(n);
		rc = n->op->item(&at, n->def, fork_state(at.fork, n), item);
		if (__builtin_expect(rc < 0, 0))
			failed_below(&at, rc, item);
		else
			said[0] = '\0';
	}
	slow_at(up != NULL ? up->node : NULL);
	depth--;
}

void sat_pass(const struct sat_at *at, int branch, const struct sat_item *item)
{
	const struct node *n = at->node;

	if ((uint32_t)branch < n->n_branches && n->branches[branch].n != 0)
		run(&n->branches[branch], at->fork, at, branch, item);
}

void sat_pass_event(const struct sat_at *at, int branch, const struct sat_event *ev)
{
	sat_pass(at, branch, &(struct sat_item){ &ev, 1, false });
}

/* That of one text, which mostly is the event's own.  NULL: it is another key, or not there yet. */
static struct fork *fork_known(const struct sat_at *at, const struct sat_item *item,
			       const struct sat_value *keys, uint32_t n)
{
	size_t len;

	if (n != 1 || keys->kind != SAT_TEXT)
		return NULL;
	len = item->n != 0 ? event_text_len(item->evs[0], keys->text) : strlen(keys->text);
	return fork_of_text(at->node, at->fork, keys->text, len);
}

static int fork_of(const struct sat_at *at, const struct sat_value *keys, uint32_t n, struct fork **f)
{
	unsigned char key[4096];
	uint32_t len = 0;

	for (uint32_t i = 0; i < n && i < KEYS; i++) {
		uint32_t more = fork_key(key + len, sizeof(key) - len, &keys[i]);

		if (more == 0)
			return sat_fail(at, -E2BIG, "a key over %zu bytes", sizeof(key));
		len += more;
	}
	*f = fork_get(at->node, at->fork, key, len);
	return *f != NULL ? 0 : sat_fail(at, -ENOMEM, "no memory for a fork");
}

void sat_pass_fork(const struct sat_at *at, int branch, const struct sat_item *item,
		   const struct sat_value *keys, uint32_t n)
{
	struct sat_at in = *at;
	int rc;

	if (at->node->inner == NULL || at->node->inner->nodes.n == 0) {
		sat_pass(at, branch, item);
		return;
	}
	in.fork = fork_known(at, item, keys, n);
	rc = in.fork != NULL ? 0 : fork_of(at, keys, n, &in.fork);
	if (rc != 0) {
		failed(at, rc, item);
		return;
	}
	if (__builtin_expect(keep_saving, 0))
		keep_before(in.fork);
	fork_touch(in.fork, item->n != 0 ? item->evs[0] : NULL);
	in.fork->busy++;
	sat_pass(&in, branch, item);
	in.fork->busy--;
}

/* ---- The push itself ---------------------------------------------------- */

static void end(void)
{
	events_settle();
	arena_reset(&scratch);
	hops = 0;
	said[0] = '\0';
}

int streams_push(struct streams *s, struct event *ev)
{
	const struct sat_event *one = &ev->pub;
	const struct sat_item item = { &one, 1, false };

	top_rc = 0;
	hops = ev->hops;
	slow_next();
	depth = 1;
	run(&s->top, s->root, NULL, 0, &item);
	depth = 0;
	end();
	return top_rc;
}

void streams_fire(struct sat_timer *t)
{
	struct fork *f = t->fork;
	struct node *n = f->scope->nodes.v[t->node];
	struct sat_at at = { .node = n, .fork = f, .timer = true };

	fork_timer_remove(f, t);
	if (n->op->timer == NULL)
		return;
	fired = t->due;
	slow_next();
	slow_at(n);
	depth = 1;
	fork_hold(f, 1);
	n->op->timer(&at, n->def, fork_state(f, n), t);
	fork_hold(f, -1);
	slow_at(NULL);
	depth = 0;
	fired = INT64_MIN;
	end();
}

/* ---- What operators ask of a push --------------------------------------- */

struct sat_event *sat_edit(const struct sat_at *at, const struct sat_event *ev)
{
	struct event *copy = event_loan(&scratch, ev);

	(void)at;
	if (copy == NULL) {
		self_add(SELF_NO_MEMORY, 1);
		return NULL;
	}
	return &copy->pub;
}

void *sat_scratch(const struct sat_at *at, size_t size)
{
	void *p = arena_get(&scratch, size);

	(void)at;
	if (p == NULL)
		self_add(SELF_NO_MEMORY, 1);
	return p;
}

const char *sat_scratchf(const struct sat_at *at, const char *fmt, ...)
{
	va_list ap, again;
	char *p = NULL;
	int n;

	(void)at;
	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n >= 0)
		p = arena_raw(&scratch, (size_t)n + 1);
	if (p != NULL)
		vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return p;
}

int sat_reinject(const struct sat_at *at, const struct sat_event *ev)
{
	(void)at;
	return reinject(ev, hops + 1, NULL);
}

bool sat_shown(const struct sat_at *at, const char *does, const char *tap, const struct sat_item *item)
{
	if (show == NULL)
		return false;
	show(at->node->handle->path, does, tap, item, NULL, false);
	return true;
}

const char *sat_at_path(const struct sat_at *at)
{
	return at->node->handle->path;
}

void sat_timer_set(const struct sat_at *at, struct sat_timer *timer, int64_t due)
{
	sat_timer_stop(timer);
	/* One that arms itself for now or before would fire for ever. */
	if (due <= fired)
		due = fired + 1;
	timer->node = at->node->index;
	if (timer_set(timer, due) == 0)
		fork_timer_add(at->fork, timer);
	else
		self_add(SELF_NO_MEMORY, 1);
}

void sat_timer_stop(struct sat_timer *timer)
{
	if (timer->slot == 0)
		return;
	fork_timer_remove(timer->fork, timer);
	timer_stop(timer);
}

uint32_t streams_hops(void)
{
	return hops;
}

void streams_free_scratch(void)
{
	arena_free(&scratch);
}

/* ---- Setting fields ----------------------------------------------------- */

static int set_attr(struct sat_event *ev, const char *key, const char *value)
{
	struct sat_attr *v = arena_raw(&scratch, (ev->n_attrs + 1) * sizeof(*v));
	uint32_t n = 0, i = 0;

	if (v == NULL)
		return -ENOMEM;
	for (; i < ev->n_attrs && strcmp(ev->attrs[i].key, key) < 0; i++)
		v[n++] = ev->attrs[i];
	if (value != NULL)
		v[n++] = (struct sat_attr){ key, value };
	for (; i < ev->n_attrs; i++)
		if (strcmp(ev->attrs[i].key, key) != 0)
			v[n++] = ev->attrs[i];
	ev->attrs = v;
	ev->n_attrs = n;
	return 0;
}

static int set_metric(struct sat_event *ev, const struct sat_value *v)
{
	ev->has &= ~SAT_HAS_METRIC;
	if (v->kind == SAT_INT) {
		ev->has |= SAT_HAS_INT;
		ev->metric.i = v->i;
	} else if (v->kind == SAT_DOUBLE) {
		ev->has |= SAT_HAS_DOUBLE;
		ev->metric.d = v->d;
	} else if (v->kind != SAT_NIL) {
		return -EINVAL;
	}
	return 0;
}

static int set_seconds(struct sat_event *ev, uint32_t field, const struct sat_value *v)
{
	uint32_t bit = field == FIELD_TIME ? SAT_HAS_TIME : SAT_HAS_TTL;
	double d = v->kind == SAT_INT ? (double)v->i : v->d;

	ev->has &= ~(field == FIELD_TIME ? bit | SAT_HAS_STAMP : bit);
	if (v->kind == SAT_NIL)
		return 0;
	if (v->kind != SAT_INT && v->kind != SAT_DOUBLE)
		return -EINVAL;
	if (field == FIELD_TIME && !(d > -9e12 && d < 9e12))
		return -EINVAL;
	ev->has |= bit;
	if (field == FIELD_TTL)
		ev->ttl = d;
	else
		ev->time = v->kind == SAT_INT ? v->i * SAT_SECOND : (int64_t)(d * 1e6 + (d < 0 ? -.5 : .5));
	return 0;
}

int sat_set(const struct sat_at *at, struct sat_event *ev, const struct sat_field *field,
	    const struct sat_value *v)
{
	const char **text = NULL;

	(void)at;
	switch (field->id) {
	case FIELD_METRIC:
		return set_metric(ev, v);
	case FIELD_TIME:
	case FIELD_TTL:
		return set_seconds(ev, field->id, v);
	case FIELD_TAGS:
		if (v->kind != SAT_NIL && v->kind != SAT_TEXTS)
			return -EINVAL;
		ev->has = v->kind == SAT_NIL ? ev->has & ~(uint32_t)SAT_HAS_TAGS : ev->has | SAT_HAS_TAGS;
		ev->tags = v->kind == SAT_NIL ? NULL : v->texts;
		ev->n_tags = v->kind == SAT_NIL ? 0 : v->n;
		return 0;
	}
	if (v->kind != SAT_NIL && v->kind != SAT_TEXT)
		return -EINVAL;
	switch (field->id) {
	case FIELD_HOST:
		text = &ev->host;
		break;
	case FIELD_SERVICE:
		text = &ev->service;
		break;
	case FIELD_STATE:
		text = &ev->state;
		break;
	case FIELD_DESCRIPTION:
		text = &ev->description;
		break;
	default:
		return set_attr(ev, field->name, v->kind == SAT_TEXT ? v->text : NULL);
	}
	*text = v->kind == SAT_TEXT ? v->text : NULL;
	return 0;
}
