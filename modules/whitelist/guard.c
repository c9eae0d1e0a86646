/* SPDX-License-Identifier: Apache-2.0 */
/* guard - what stands between every stream and every host. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "whitelist.h"

const struct sat_option *const guard_options[] = {
	SAT_OPTION("mode", SAT_STRING, .fallback = "enforce",
		   .help = "\"observe\" decides everything and changes nothing; \"off\" lets all through"),
	SAT_OPTION("max-off", SAT_NUMBER, .fallback = "0.10", .min = 0, .max = 1,
		   .help = "fraction of the inventory that automation may hold off"),
	SAT_OPTION("min-on", SAT_INTEGER, .fallback = "2", .min = 0, .max = 1e6,
		   .help = "hosts that stay on whatever happens"),
	SAT_OPTION("rate", SAT_NUMBER, .fallback = "0.01", .min = 0, .max = 1,
		   .help = "at most this fraction of hosts, but at least one, off per rate-per"),
	SAT_OPTION("rate-per", SAT_SECONDS, .fallback = "600", .min = 1, .max = 1e7,
		   .help = "the seconds that rate speaks of"),
	SAT_OPTION("min-on-time", SAT_SECONDS, .fallback = "300", .min = 0, .max = 1e7,
		   .help = "seconds on before automation turns a host off again"),
	SAT_OPTION("min-off-time", SAT_SECONDS, .fallback = "600", .min = 0, .max = 1e7,
		   .help = "seconds off before automation turns a host on again"),
	SAT_OPTION("breaker", SAT_NUMBER, .fallback = "0.20", .min = 0, .max = 1,
		   .help = "more than this fraction, and 3 hosts, wished off together: turn nothing more off"),
	SAT_OPTION("min-fresh", SAT_NUMBER, .fallback = "0.9", .min = 0, .max = 1,
		   .help = "of the hosts ever heard from, the fraction heard lately below which it freezes"),
	SAT_OPTION("protected", SAT_STRINGS, .help = "hosts that automation never turns off; % is any text"),
	NULL
};

static int mode_judge(struct guard_conf *conf, const struct sat_conf *group)
{
	const char *mode = sat_conf_string(group, "mode");

	if (strcmp(mode, "off") == 0)
		conf->mode = GUARD_OFF;
	else if (strcmp(mode, "observe") == 0)
		conf->mode = GUARD_OBSERVE;
	else if (strcmp(mode, "enforce") == 0)
		conf->mode = GUARD_ENFORCE;
	else
		return sat_conf_error(group, "mode", "\"%s\" is none of enforce, observe, off", mode);
	return 0;
}

static int protected_judge(struct guard_conf *conf, const struct sat_conf *group)
{
	size_t n = 0;
	const char *const *given = sat_conf_strings(group, "protected", &n);

	conf->protected = calloc(n + 1, sizeof(char *));
	if (conf->protected == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		conf->protected[i] = strdup(given[i]);
		if (conf->protected[i] == NULL)
			return -ENOMEM;
	}
	return 0;
}

int guard_judge(struct guard_conf *conf, const struct sat_conf *group)
{
	int rc, more;

	if (group == NULL) {
		*conf = (struct guard_conf){ .mode = GUARD_ENFORCE, .max_off = 0.10, .min_on = 2, .rate = 0.01,
			.rate_per = 600 * SAT_SECOND, .min_on_time = 300 * SAT_SECOND,
			.min_off_time = 600 * SAT_SECOND, .breaker = 0.20, .min_fresh = 0.9 };
		return 0;
	}
	conf->max_off = sat_conf_number(group, "max-off");
	conf->min_on = sat_conf_integer(group, "min-on");
	conf->rate = sat_conf_number(group, "rate");
	conf->rate_per = sat_conf_time(group, "rate-per");
	conf->min_on_time = sat_conf_time(group, "min-on-time");
	conf->min_off_time = sat_conf_time(group, "min-off-time");
	conf->breaker = sat_conf_number(group, "breaker");
	conf->min_fresh = sat_conf_number(group, "min-fresh");
	rc = mode_judge(conf, group);
	more = protected_judge(conf, group);
	return rc != 0 ? rc : more;
}

void guard_free(struct guard_conf *conf)
{
	for (char **p = conf->protected; p != NULL && *p != NULL; p++)
		free(*p);
	free(conf->protected);
	conf->protected = NULL;
}

struct tally {
	size_t on, off, recent;			/* hosts */
	size_t max_off, max_rate;
};

/* A fraction of n, but at least one. */
static size_t share(double fraction, size_t n)
{
	double whole = floor(fraction * (double)n + 1e-9);

	return whole < 1 ? 1 : (size_t)whole;
}

static struct tally count(const struct guard_conf *conf, const struct guard_facts *facts,
			  const struct guard_host *hosts, size_t n)
{
	struct tally t = { .max_off = share(conf->max_off, n), .max_rate = share(conf->rate, n) };

	for (size_t i = 0; i < n; i++) {
		t.on += hosts[i].on;
		t.off += hosts[i].held;
		t.recent += hosts[i].off != 0 && facts->now - hosts[i].off < conf->rate_per;
	}
	return t;
}

size_t guard_wished(const struct guard_host *hosts, size_t n)
{
	size_t wished = 0;

	for (size_t i = 0; i < n; i++)
		wished += hosts[i].wish < 0;
	return wished;
}

static void break_off(const struct guard_conf *conf, struct guard_latch *latch, size_t wished, size_t n)
{
	if (wished < 3 || (double)wished <= conf->breaker * (double)n)
		latch->accepted = 0;
	else if (wished > latch->accepted)
		latch->set = true;
}

static bool is_protected(const struct guard_conf *conf, const char *name)
{
	for (char **p = conf->protected; p != NULL && *p != NULL; p++)
		if (name_like(*p, name))
			return true;
	return false;
}

static enum verdict judge_off(const struct guard_conf *conf, const struct guard_facts *facts, bool latch,
			      const struct tally *t, const struct guard_host *h)
{
	if (is_protected(conf, h->name))
		return GUARD_PROTECTED;
	if (latch)
		return GUARD_LATCHED;
	if (facts->late)
		return GUARD_LATE;
	if (facts->mesos_away)
		return GUARD_MESOS_AWAY;
	if (facts->fresh < conf->min_fresh)
		return GUARD_FROZEN;
	if (h->flipped != 0 && facts->now - h->flipped < conf->min_on_time)
		return GUARD_DWELL;
	if (h->on && t->on <= (size_t)conf->min_on)
		return GUARD_MIN_ON;
	if (t->off >= t->max_off)
		return GUARD_MAX_OFF;
	return t->recent >= t->max_rate ? GUARD_RATE : GUARD_PASS;
}

void guard_decide(const struct guard_conf *conf, const struct guard_facts *facts, struct guard_latch *latch,
		  const struct guard_host *hosts, size_t n, enum verdict *verdicts)
{
	struct tally t = count(conf, facts, hosts, n);

	if (conf->mode != GUARD_OFF)
		break_off(conf, latch, guard_wished(hosts, n), n);
	for (size_t i = 0; i < n; i++) {
		const struct guard_host *h = &hosts[i];
		bool off = h->wish < 0;

		verdicts[i] = GUARD_NOTHING;
		if (h->wish == 0 || off == h->managed_off)
			continue;
		if (conf->mode == GUARD_OFF)
			verdicts[i] = GUARD_PASS;
		else if (off)
			verdicts[i] = judge_off(conf, facts, latch->set, &t, h);
		else	/* turning one on endangers nothing, so only its own dwell time counts */
			verdicts[i] = h->flipped != 0 && facts->now - h->flipped < conf->min_off_time ?
				      GUARD_DWELL : GUARD_PASS;
		if (verdicts[i] == GUARD_PASS && off) {
			t.on -= h->on;
			t.off++;
			t.recent++;
		}
	}
}

const char *guard_words(enum verdict v)
{
	static const char *const words[] = {
		[GUARD_NOTHING] = "nothing to decide",
		[GUARD_PASS] = "let through",
		[GUARD_PROTECTED] = "refused: protected",
		[GUARD_LATCHED] = "refused: too many hosts are wished off together, until a person resets it",
		[GUARD_FROZEN] = "deferred: too few hosts were heard from lately",
		[GUARD_MESOS_AWAY] = "deferred: the Mesos master does not answer",
		[GUARD_LATE] = "deferred: this process stood still a short time ago",
		[GUARD_DWELL] = "deferred: the host was flipped a short time ago",
		[GUARD_MIN_ON] = "deferred: as few hosts are on as must stay on",
		[GUARD_MAX_OFF] = "deferred: as many hosts are off as automation may hold off",
		[GUARD_RATE] = "deferred: as many hosts were turned off lately as may be",
	};

	return words[v];
}
