/* SPDX-License-Identifier: Apache-2.0 */
/*
 * look - what another store has under a task's id; for send, and for questions.
 *
 * Where a key has siblings, a Riak names them, and each is asked for: that counts in
 * which the task ended last.  The clock that comes first is of all of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "riak.h"

enum { TAG_MAX = 64, CLOCK_MAX = 16384 };

static int step(struct look *l);

void look_free(struct look *l)
{
	sat_buf_free(&l->body);
	free(l->stored);
	free(l->siblings);
	free(l->clock);
	l->stored = NULL;
	l->siblings = NULL;
	l->clock = NULL;
	l->next = NULL;
	l->found = l->odd = false;
}

/* ---- Siblings ----------------------------------------------------------- */

/* "Siblings:\n16vic4eU9ny46o4KPiDz1f\n…"; a tag is of letters and digits, and other lines are not asked for. */
static int read_siblings(struct look *l, const char *text)
{
	static const char legal[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	unsigned n = 0;
	char *to = malloc(SIBLINGS_MAX * (TAG_MAX + 1) + 1);

	if (to == NULL)
		return -ENOMEM;
	l->siblings = to;
	l->next = to;
	while (*text != '\0' && n < SIBLINGS_MAX) {
		size_t len = strcspn(text, "\r\n");

		if (len > 0 && len <= TAG_MAX && strspn(text, legal) == len) {
			to = (char *)mempcpy(to, text, len) + 1;
			to[-1] = '\0';
			n++;
		}
		text += len + strspn(text + len, "\r\n");
	}
	*to = '\0';
	return 0;
}

/* ---- What it has -------------------------------------------------------- */

/* Whether that is what counts, so far. */
static bool is_last(const struct look *l, const struct stored *s)
{
	return !l->found || (s != NULL && (l->stored == NULL || s->time > l->stored->time));
}

/* What is no JSON is none of ours, and hides no sibling that is. */
static int take(struct look *l, const struct sat_answer *answer)
{
	struct stored *s = NULL;
	int rc = stored_read(answer->body, answer->len, l->id, &s);

	l->odd |= rc == -EBADMSG || rc == -E2BIG;
	if (rc == -EBADMSG || rc == -E2BIG)
		return 0;
	if (rc != 0 && rc != -ENOENT)
		return rc;
	if (!is_last(l, s)) {
		free(s);
		return 0;
	}
	free(l->stored);
	l->stored = s;
	l->found = true;
	l->body.len = 0;
	sat_buf_add(&l->body, answer->body, answer->len);
	return l->body.full ? -ENOMEM : 0;
}

/* The first answer's: where there are siblings, theirs together. */
static int take_clock(struct look *l, const struct sat_answer *answer)
{
	if (answer->kept == NULL || l->clock != NULL || l->next != NULL || strlen(answer->kept) > CLOCK_MAX)
		return 0;
	l->clock = malloc(sizeof(CLOCK ": ") + strlen(answer->kept));
	if (l->clock == NULL)
		return -ENOMEM;
	sprintf(l->clock, CLOCK ": %s", answer->kept);
	return 0;
}

static int hear(struct look *l, const struct sat_answer *answer, char *why, size_t size)
{
	int rc;

	if (answer->rc != 0) {
		snprintf(why, size, "%s", answer->error != NULL ? answer->error : strerror(-answer->rc));
		return answer->rc;
	}
	rc = take_clock(l, answer);
	if (answer->status == 404 || rc != 0)
		return rc;
	if (answer->status == 300 && l->next == NULL)
		rc = read_siblings(l, answer->body);
	else if (answer->status == 200)
		rc = take(l, answer);
	else
		rc = -EIO;
	if (rc == -EIO)
		snprintf(why, size, "it answers %d%s", answer->status, riak_advice(l->r, answer->status));
	else if (rc != 0)
		snprintf(why, size, "out of memory");
	return rc;
}

static void heard(void *arg, const struct sat_answer *answer)
{
	struct look *l = arg;
	char why[256] = "";
	int rc = hear(l, answer, why, sizeof(why));

	l->call = NULL;
	if (rc == 0 && l->next != NULL && *l->next != '\0') {
		rc = step(l);
		if (rc == 0)
			return;
		snprintf(why, sizeof(why), "out of memory");
	}
	if (rc == 0 && !l->found)
		rc = l->odd ? -EBADMSG : -ENOENT;
	l->done(l, rc, rc == -EBADMSG ? "what it has is no JSON" : why);
}

static int step(struct look *l)
{
	struct sat_fetch what = l->r->how;
	char more[TAG_MAX + 8] = "";

	what.keep = CLOCK;
	what.done = heard;
	if (l->next != NULL) {
		snprintf(more, sizeof(more), "?vtag=%s", l->next);
		l->next += strlen(l->next) + 1;
	}
	l->call = riak_ask(l->r, l->url, &what, l->id, more, l);
	return l->call != NULL ? 0 : -ENOMEM;
}

int look_begin(struct look *l)
{
	l->body = (struct sat_buf){ .max = (size_t)2 << 20 };
	return step(l);
}

/* ---- Questions ---------------------------------------------------------- */

static void seek_free(struct seek *s)
{
	*s->link = s->next;
	if (s->next != NULL)
		s->next->link = s->link;
	s->look.r->n_seeks--;
	look_free(&s->look);
	free(s);
}

/* As it is stored, or what we make of it. */
static int show(struct ask *a, struct look *l)
{
	if (a->form == FORM_STATE) {
		a->out = l->body;
		l->body = (struct sat_buf){ 0 };
	} else if (l->stored == NULL) {
		return -EPROTO;
	} else {
		record_print(&a->out, a->form, l->stored->f, l->stored->time);
	}
	a->found = 1;
	return 0;
}

/* That one does not answer; another may. */
static bool ask_another(struct seek *s, int rc)
{
	struct look *l = &s->look;

	if (rc == 0 || rc == -ENOENT || rc == -EBADMSG || l->r->stopping || ++s->tries >= l->r->n_urls)
		return false;
	look_free(l);
	l->url = (l->url + 1) % l->r->n_urls;
	return look_begin(l) == 0;
}

static void sought(struct look *l, int rc, const char *why)
{
	struct seek *s = SAT_OWNER(l, struct seek, look);
	struct riak *r = l->r;
	char text[1536];

	if (ask_another(s, rc))
		return;
	if (rc == 0)
		rc = show(s->ask, l);
	snprintf(text, sizeof(text), "%s%s%s", r->urls[l->url], rc == -ENOENT || rc == -EPROTO ? " " : ": ",
		 rc == -ENOENT ? "does not have it, and the file cannot be read" :
		 rc == -EPROTO ? "has something under that id, but no such task" : why);
	ask_done(s->ask, rc == -ENOENT ? s->rc : rc, text);
	seek_free(s);
	keep_idle(r->t);
}

/* One more than may wait is told so. */
static void refuse(struct ask *a)
{
	ask_done(a, -EBUSY, "too many ask the other store at once");
}

bool riak_seek(struct riak *r, struct ask *a, int rc)
{
	struct seek *s;

	if (r == NULL || !a->single || !riak_legal(a->is[TASK]))
		return false;
	s = r->n_seeks < SEEKS_MAX && !r->stopping ? calloc(1, sizeof(*s)) : NULL;
	if (s == NULL) {
		refuse(a);
		return true;
	}
	s->look = (struct look){ .r = r, .url = r->url, .id = a->is[TASK], .done = sought };
	s->ask = a;
	s->rc = rc;
	if (look_begin(&s->look) != 0) {
		look_free(&s->look);
		free(s);
		ask_done(a, -ENOMEM, "out of memory");
		return true;
	}
	s->next = r->seeks;
	s->link = &r->seeks;
	if (s->next != NULL)
		s->next->link = &s->next;
	r->seeks = s;
	r->n_seeks++;
	return true;
}

void seek_stop(struct riak *r)
{
	for (struct seek *s = r->seeks; s != NULL; s = s->next)
		sat_fetch_cancel(s->look.call);
}
