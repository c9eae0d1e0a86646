/* SPDX-License-Identifier: Apache-2.0 */
/*
 * df - whether all file systems that df would list answer, and in time.
 *
 * Each is asked on a thread, a few at a time.  One that hangs keeps its thread
 * and is not asked again until it has come back; so it delays no other, and a
 * run has to wait for it no second time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"

#define AT_A_TIME	4u	/* of the host's threads, which others need, too */
#define HANGING_MAX	64u	/* threads that may be lost to file systems */
#define NAMES		384	/* bytes of the description for names */

struct place {			/* what is asked: one file system */
	struct job *job;	/* under way, or hanging */
	struct df *df;
	char *path;
	unsigned id;		/* of its mount; 0: of the setting */
	bool old;		/* no longer there, but its thread still is */
	int64_t since;		/* when it was asked */
	enum { NOT_ASKED, ASKED, ANSWERED, HANGS } state;
	int rc;
};

struct df {
	struct check check;
	const char *const *paths;	/* NULL: all mounts */
	size_t n_paths;
	struct place **places;
	size_t n, next;			/* the next one to ask */
	unsigned asked;			/* of this run, under way */
};

/* ---- What there is to ask ----------------------------------------------- */

static void place_free(struct place *p)
{
	job_forget(&p->job);
	free(p->path);
	free(p);
}

static int add(struct df *d, const char *path, unsigned id)
{
	struct place **more = realloc(d->places, (d->n + 1) * sizeof(*more)), *p;

	if (more == NULL)
		return -ENOMEM;
	d->places = more;
	p = calloc(1, sizeof(*p));
	if (p != NULL)
		p->path = strdup(path);
	if (p == NULL || p->path == NULL) {
		free(p);
		return -ENOMEM;
	}
	p->df = d;
	p->id = id;
	d->places[d->n++] = p;
	return 0;
}

/* Only those that hang are still of interest. */
static void forget_answered(struct df *d)
{
	size_t left = 0;

	for (size_t i = 0; i < d->n; i++) {
		struct place *p = d->places[i];

		if (p->job == NULL) {
			place_free(p);
			continue;
		}
		p->old = true;
		d->places[left++] = p;
	}
	d->n = left;
}

/* A mount that hangs is the same as long as its id is: the kernel gives that to no other. */
static int want(struct df *d, const char *path, unsigned id)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->places[i]->old && d->places[i]->id == id && strcmp(d->places[i]->path, path) == 0) {
			d->places[i]->old = false;
			return 0;
		}
	return add(d, path, id);
}

/* Whether another mount of the same file system, before this one, is asked already. */
static bool is_asked(const struct mounts *all, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!all->list[k].covered && !all->list[k].hidden && strcmp(all->list[k].device, all->list[i].device) == 0)
			return true;
	return false;
}

static int want_mounts(struct df *d)
{
	struct mounts all;
	int rc = mounts_read(&all, d->check.path);

	if (rc != 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < all.n; i++) {
		const struct mount *m = &all.list[i];

		if (!m->covered && !m->hidden && !mount_is_pseudo(m) && !is_asked(&all, i))
			rc = want(d, m->path, m->id);
	}
	mounts_free(&all);
	return rc;
}

/* ---- What came of it ---------------------------------------------------- */

struct words { char text[NAMES]; unsigned more; };

static void say(struct words *w, const char *path, const char *what)
{
	size_t n = strlen(w->text);

	if (n + strlen(path) + strlen(what) + 5 > sizeof(w->text) && n > 0)
		w->more++;
	else
		snprintf(w->text + n, sizeof(w->text) - n, "%s%s: %s", n > 0 ? "; " : "", path, what);
}

/* Nobody but root may look below some folders, such as another user's FUSE mount: that is no fault. */
static bool is_none_of_ours(const struct df *d, const struct place *p)
{
	return d->paths == NULL && (p->rc == -EACCES || p->rc == -EPERM);
}

static const char *fault_of(const struct df *d, const struct place *p, char *text, size_t size)
{
	if (p->state == HANGS) {
		snprintf(text, size, "no answer in %g s", (double)sat_probe_timeout(d->check.probe) / SAT_SECOND);
		return text;
	}
	return p->state == ANSWERED && p->rc != 0 && !is_none_of_ours(d, p) ? strerror(-p->rc) : NULL;
}

static void report(struct df *d)
{
	struct words w = { 0 };
	char text[NAMES + 100], hangs[64];
	unsigned well = 0, left = 0;
	int first = 0;

	for (size_t i = 0; i < d->n; i++) {
		const struct place *p = d->places[i];
		const char *fault = fault_of(d, p, hangs, sizeof(hangs));

		if (p->old)
			continue;
		left += p->state == NOT_ASKED || p->state == ASKED;
		well += p->state == ANSWERED && fault == NULL;
		if (fault != NULL && first == 0)
			first = p->state == HANGS ? ETIMEDOUT : -p->rc;
		if (fault != NULL)
			say(&w, p->path, fault);
	}
	first = first == 0 && left > 0 ? ETIMEDOUT : first;
	if (first == 0)
		snprintf(text, sizeof(text), "%u file system%s", well, well == 1 ? " answers" : "s answer");
	else
		snprintf(text, sizeof(text), "%s%s", w.text, w.more > 0 ? "; and more" : "");
	if (left > 0)
		snprintf(text + strlen(text), 64, "%s%u wait for their turn", *text != '\0' ? "; " : "", left);
	report_as(&d->check, first == 0 ? "ok" : "critical", first, text);
}

static void end(struct df *d)
{
	d->check.waiting = false;
	report(d);
}

/* ---- A run -------------------------------------------------------------- */

static void go_on(struct df *d);

/* Before the end of the run it was asked in, or in a later one. */
static void answered(void *arg, struct job *j, int rc)
{
	struct place *p = arg;
	struct df *d = p->df;

	if (p->state != ASKED)
		return;
	p->state = rc == -ETIMEDOUT ? HANGS : ANSWERED;
	p->rc = rc != 0 ? rc : j->rc;
	d->asked--;
	go_on(d);
}

static void ask(struct place *p)
{
	struct df *d = p->df;
	struct job *j = job_of_path(p->path, job_statvfs);

	p->rc = -ENOMEM;
	p->state = ANSWERED;
	if (j == NULL)
		return;
	j->back = answered;
	j->arg = p;
	p->since = sat_clock();
	p->rc = job_ask(sat_probe_self(d->check.probe), j, &p->job, sat_probe_timeout(d->check.probe));
	if (p->rc != 0)
		return;
	p->state = ASKED;
	d->asked++;
}

static unsigned hanging(const struct df *d)
{
	unsigned n = 0;

	for (size_t i = 0; i < d->n; i++)
		n += d->places[i]->job != NULL;
	return n;
}

static void go_on(struct df *d)
{
	if (!d->check.waiting)
		return;
	for (; d->next < d->n && d->asked < AT_A_TIME && hanging(d) < HANGING_MAX; d->next++)
		if (d->places[d->next]->state == NOT_ASKED && !d->places[d->next]->old)
			ask(d->places[d->next]);
	if (d->asked == 0)
		end(d);
}

/* Its time is up, or nearly so. */
static bool is_overdue(const struct place *p)
{
	int64_t timeout = sat_probe_timeout(p->df->check.probe);

	return sat_clock() - p->since >= timeout - timeout / 10;
}

/* What an earlier run has left, when another begins. */
static void look_at_left(struct df *d)
{
	d->asked = 0;
	for (size_t i = 0; i < d->n; i++) {
		struct place *p = d->places[i];

		p->state = p->job == NULL ? NOT_ASKED : is_overdue(p) ? HANGS : ASKED;
		d->asked += p->state == ASKED;
	}
}

static void run(void *def)
{
	struct df *d = def;
	int rc = 0;

	forget_answered(d);
	look_at_left(d);
	for (size_t i = 0; rc == 0 && i < d->n_paths; i++)
		rc = want(d, d->paths[i], 0);
	if (rc == 0 && d->paths == NULL)
		rc = want_mounts(d);
	if (rc != 0) {
		report_failure(&d->check, d->check.path, rc);
		return;
	}
	d->next = 0;
	d->check.waiting = true;
	go_on(d);
}

/* The time is up.  One that was asked only just now is not blamed. */
static void give_up(void *def)
{
	struct df *d = def;

	if (!d->check.waiting)
		return;
	for (size_t i = 0; i < d->n; i++)
		if (d->places[i]->state == ASKED && is_overdue(d->places[i]))
			d->places[i]->state = HANGS;
	end(d);
}

/* ---- An entry ----------------------------------------------------------- */

static void undefine(void *def)
{
	struct df *d = def;

	for (size_t i = 0; i < d->n; i++)
		place_free(d->places[i]);
	free(d->places);
	free(d);
}

static int read_paths(struct df *d, const struct sat_conf *conf)
{
	if (!sat_conf_has(conf, "path"))
		return 0;
	d->paths = sat_conf_strings(conf, "path", &d->n_paths);
	for (size_t i = 0; i < d->n_paths; i++)
		if (*d->paths[i] != '/')
			return sat_conf_error(conf, "path", "\"%s\" is not absolute", d->paths[i]);
	return 0;
}

static int define(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	struct df *d = calloc(1, sizeof(*d));
	int rc;

	(void)module;
	if (d == NULL)
		return -ENOMEM;
	d->check.probe = probe;
	d->check.path = sat_conf_string(conf, "file");
	rc = read_paths(d, conf);
	rc = rc != 0 ? rc : sat_probe_service(probe, "df returns in timely fashion");
	if (rc != 0) {
		undefine(d);
		return rc;
	}
	*def = d;
	return 0;
}

TABLE(df, SAT_OPTION("path", SAT_STRINGS, .help = "folders whose file systems are asked; default: all that df lists"),
      SAT_OPTION("file", SAT_STRING, .fallback = "/proc/self/mountinfo", .help = "where those stand"));

CHECK(df_returns, "df-returns", "whether all file systems answer in time", df,
      .define = define, .run = run, .timeout = give_up, .undefine = undefine);
