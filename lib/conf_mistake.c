/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_mistake - what is wrong with the settings, as "file:line: setting: reason".
 *
 * A person who mends a file wants all of it at once, from the top down, and each
 * mistake once: so they are collected while a file is judged, and told together.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_node.h"
#include "log.h"

#define KEPT_MAX 1000	/* more than anybody reads */

struct mistake { struct mistake *next; unsigned at; char text[]; };

static unsigned mistakes, n_kept, untold;
static struct mistake *kept;
static bool collecting;

unsigned conf_mistakes(void)
{
	return mistakes;
}

void conf_forgive(void)
{
	mistakes = 0;
}

void conf_collect(void)
{
	conf_forgive();
	collecting = true;
}

void conf_tell(void)
{
	struct mistake *m;

	while ((m = kept) != NULL) {
		kept = m->next;
		log_line(LOG_ERR, NULL, "%s", m->text);
		free(m);
	}
	if (untold > 0)
		log_line(LOG_ERR, NULL, "and %u more", untold);
	n_kept = untold = 0;
	collecting = false;
}

/* In the order of the lines; of one line, as they were found. */
static void keep(unsigned at, const char *text)
{
	struct mistake **p = &kept, *m;
	size_t size = strlen(text) + 1;

	for (; *p != NULL && (*p)->at <= at; p = &(*p)->next)
		if ((*p)->at == at && strcmp((*p)->text, text) == 0)
			return;
	m = n_kept < KEPT_MAX ? malloc(sizeof(*m) + size) : NULL;
	if (m == NULL) {
		untold++;
		return;
	}
	m->at = at;
	memcpy(m->text, text, size);
	m->next = *p;
	*p = m;
	n_kept++;
}

void conf_mistake(unsigned at, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	mistakes++;
	if (collecting)
		keep(at, text);
	else
		log_line(LOG_ERR, NULL, "%s", text);
}

const char *conf_where(const struct sat_conf *s, char *buf, size_t size)
{
	if (s->line == 0)
		snprintf(buf, size, "%s", s->file);
	else
		snprintf(buf, size, "%s:%u", s->file, s->line);
	return buf;
}

/* whitelist.guard.max-off, streams[0].do[1]; empty for the root. */
static void write_path(const struct sat_conf *s, char *buf, size_t size)
{
	size_t n;

	buf[0] = '\0';
	if (s->parent == NULL) {
		if (s->name != NULL)
			snprintf(buf, size, "%s", s->name);
		return;
	}
	write_path(s->parent, buf, size);
	n = strlen(buf);
	if (s->name != NULL)
		snprintf(buf + n, size - n, "%s%s", n > 0 ? "." : "", s->name);
	else
		snprintf(buf + n, size - n, "[%td]", s - s->parent->kids);
}

void conf_path(const struct sat_conf *s, const char *name, char *buf, size_t size)
{
	size_t n;

	write_path(s, buf, size);
	n = strlen(buf);
	if (name != NULL)
		snprintf(buf + n, size - n, "%s%s", n > 0 ? "." : "", name);
}

int sat_conf_error(const struct sat_conf *conf, const char *name, const char *fmt, ...)
{
	const struct sat_conf *given = name != NULL ? conf_find(conf, name) : NULL;
	const struct sat_conf *stands = given == NULL && name != NULL ? conf_default(conf, name) : NULL;
	const struct sat_conf *at = given != NULL ? given : conf;
	char where[512], path[512], reason[1024];
	va_list ap;

	/* What follows of one that was told of already. */
	if (stands != NULL ? stands->bad : at->bad)
		return -EINVAL;
	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	conf_where(at, where, sizeof(where));
	conf_path(at, given != NULL ? NULL : name, path, sizeof(path));
	conf_mistake(at->at, path[0] != '\0' ? "%s: %s: %s" : "%s%s: %s", where, path, reason);
	return -EINVAL;
}
