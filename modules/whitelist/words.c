/* SPDX-License-Identifier: Apache-2.0 */
/* words - what people and events say, and times, as a person reads them. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "members.h"
#include "why.h"

void text_print(const char *text, struct sat_buf *out)
{
	for (; *text != '\0'; text++)
		sat_buf_add(out, (unsigned char)*text < ' ' || *text == 0x7f ? " " : text, 1);
}

static int told_member(void *arg, const struct member *m)
{
	struct told *t = arg;
	const struct { const char *key; char **to; } texts[] = {
		{ "description", &t->description }, { "by", &t->by }, { "flag", &t->flag }, { "cause", &t->cause },
	};

	if (m->key == NULL)
		return -EBADMSG;
	if (strcmp(m->key, "time") == 0)
		t->time = member_micros(m);
	if (strcmp(m->key, "metric") == 0 && m->kind == M_NUMBER && t->metric == NULL)
		t->metric = strndup(m->raw, m->raw_len);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (m->kind == M_STRING && strcmp(m->key, texts[i].key) == 0 && *texts[i].to == NULL)
			*texts[i].to = member_text(m);
	return 0;
}

struct told told_read(const char *json)
{
	struct told t = { 0 };

	members_read(json, strlen(json), told_member, &t);
	return t;
}

void told_free(struct told *t)
{
	free(t->description);
	free(t->by);
	free(t->flag);
	free(t->cause);
	free(t->metric);
}

static void time_text(int64_t t, const char *format, struct sat_buf *out)
{
	time_t seconds = (time_t)(t / SAT_SECOND);
	struct tm tm;
	char text[64];

	if (gmtime_r(&seconds, &tm) != NULL && strftime(text, sizeof(text), format, &tm) > 0)
		sat_buf_printf(out, "%s", text);
}

void until_print(int64_t until, struct sat_buf *out)
{
	if (until == 0)
		return;
	sat_buf_printf(out, ", until ");
	time_text(until, "%Y-%m-%d %H:%MZ", out);
}

void when_print(int64_t t, struct sat_buf *out)
{
	time_text(t, "%Y-%m-%d %H:%M:%SZ", out);
}

void span_print(int64_t us, struct sat_buf *out)
{
	int64_t s = us < 0 ? 0 : us / SAT_SECOND;

	if (s < 120)
		sat_buf_printf(out, "%" PRId64 " s", s);
	else if (s < 7200)
		sat_buf_printf(out, "%" PRId64 " min", s / 60);
	else if (s < 172800)
		sat_buf_printf(out, "%" PRId64 " h", s / 3600);
	else
		sat_buf_printf(out, "%" PRId64 " d", s / 86400);
}

void word_print(const struct record *rec, struct sat_buf *out)
{
	const struct rec_event *e = record_word(rec);
	struct told t;

	sat_buf_printf(out, "a person said so");
	if (e == NULL)
		return;
	t = told_read(e->text);
	if (t.by != NULL) {
		sat_buf_printf(out, ", ");
		text_print(t.by, out);
	}
	until_print(e->until, out);
	if (t.description != NULL) {
		sat_buf_printf(out, ": ");
		text_print(t.description, out);
	}
	told_free(&t);
}

bool check_fails(const struct rec_event *e)
{
	return strcmp(e->state, "critical") == 0 || strcmp(e->state, "expired") == 0;
}
