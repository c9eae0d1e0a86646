/* SPDX-License-Identifier: Apache-2.0 */
/*
 * perfdata - the figures that a Nagios plugin prints behind a |.
 *
 * They stand behind the first | of the first line, and behind the first | of
 * all other lines up to the end (Monitoring Plugins Development Guidelines):
 * 'label'=value[unit];[warning];[critical];[min];[max], with blanks between.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "perfdata.h"

#define LONGEST	255	/* of a label, and of what is behind its = */

/* Copy what holds figures: of the first line, a line feed, of the others. */
static void gather(const char *text, char *room)
{
	size_t line;
	const char *bar;

	text += strspn(text, " \t\r\n");
	line = strcspn(text, "\n");
	bar = memchr(text, '|', line);
	if (bar != NULL) {
		size_t n = (size_t)(text + line - bar - 1);

		memcpy(room, bar + 1, n);
		room += n;
		*room++ = '\n';
	}
	bar = strchr(text + line, '|');
	strcpy(room, bar != NULL ? bar + 1 : "");
}

static bool blank(char c)
{
	return c != '\0' && strchr(" \t\r\n", c) != NULL;
}

/* The quote that ends a label, in which one that is written twice stands for itself; NULL: it has no end. */
static char *closing(char *s)
{
	for (; *s != '\0' && *s != '\n'; s++)
		if (*s == '\'' && *++s != '\'')
			return s - 1;
	return NULL;
}

static void unquote(char *s, const char *end)
{
	char *to = s;

	for (; s < end; s += *s == '\'' ? 2 : 1)
		*to++ = *s;
	*to = '\0';
}

/* Behind the label and its =; NULL: there is none. */
static char *label(char *s, struct perf *p)
{
	if (*s == '\'') {
		char *end = closing(s + 1);

		if (end == NULL || end[1] != '=')
			return NULL;
		p->label = s + 1;
		unquote(s + 1, end);
		return end + 2;
	}
	p->label = s;
	while (*s != '\0' && *s != '=' && !blank(*s))
		s++;
	if (*s != '=')
		return NULL;
	*s = '\0';
	return s + 1;
}

static bool fits(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0' && !iscntrl((unsigned char)s[n]))
		n++;
	return s[n] == '\0' && n <= LONGEST;
}

/* How long the number at s is, and whether it has no fraction: strtod() alone would take inf and 0x1p3, too. */
static size_t number(const char *s, bool *whole)
{
	size_t n = strspn(s, "+-") > 0 ? 1 : 0, digits = strspn(s + n, "0123456789"), more = 0;

	n += digits;
	*whole = s[n] != '.';
	if (!*whole) {
		more = strspn(s + n + 1, "0123456789");
		n += 1 + more;
	}
	if (digits + more == 0)
		return 0;
	if (s[n] == 'e' || s[n] == 'E') {
		size_t sign = s[n + 1] == '+' || s[n + 1] == '-' ? 1 : 0;
		size_t exponent = strspn(s + n + 1 + sign, "0123456789");

		if (exponent > 0) {
			n += 1 + sign + exponent;
			*whole = false;
		}
	}
	return n;
}

static bool value(struct perf *p)
{
	size_t n = number(p->text, &p->whole);
	char *end;

	p->known = n > 0;
	p->unit = n > 0 ? p->text + n : "";
	if (n == 0)
		return strcmp(p->text, "U") == 0;
	errno = 0;
	p->i = p->whole ? strtoll(p->text, NULL, 10) : 0;
	p->whole = p->whole && errno == 0;
	p->d = strtod(p->text, &end);
	return end == p->unit && isfinite(p->d);
}

/* Cut value;warning;critical;min;max, which ends at `end`, in its parts. */
static void cut(char *s, char *end, struct perf *p)
{
	const char **parts[] = { &p->text, &p->warning, &p->critical, &p->min, &p->max };

	*end = '\0';
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		*parts[i] = s;
		s += strcspn(s, ";");
		if (s < end)
			*s++ = '\0';
	}
}

/* Read one; false: it is none.  *next: behind it. */
static bool read_one(char *s, char **next, struct perf *p)
{
	char *end = label(s, p), *behind = end;
	bool good;

	if (end == NULL)
		end = s;
	while (*end != '\0' && !blank(*end))
		end++;
	*next = end + (*end != '\0');
	if (behind == NULL || end - behind > LONGEST || p->label[0] == '\0')
		return false;
	cut(behind, end, p);
	good = value(p) && fits(p->label);
	for (const char *c = behind; c < end; c++)
		good = good && !(iscntrl((unsigned char)*c) && *c != '\0');
	return good;
}

static bool is_new(const struct perf *all, size_t n, const struct perf *p)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(all[i].label, p->label) == 0)
			return false;
	return true;
}

size_t perfdata_read(const char *text, char *room, struct perf all[PERF_MOST], size_t *refused)
{
	size_t n = 0;
	char *s = room;

	*refused = 0;
	gather(text, room);
	for (;;) {
		struct perf p = { 0 };

		while (blank(*s))
			s++;
		if (*s == '\0')
			return n;
		if (read_one(s, &s, &p) && n < PERF_MOST && is_new(all, n, &p))
			all[n++] = p;
		else
			(*refused)++;
	}
}
