/* SPDX-License-Identifier: Apache-2.0 */
/* accept - what a client wants its answer as: the headers Accept and Accept-Encoding. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "accept.h"

struct range {			/* one of a header's: type;version=…;q=… */
	const char *name;
	size_t len;
	double q;
	const char *version;	/* "" where it has none */
	size_t version_len;
};

static const char *skip(const char *s)
{
	return s + strspn(s, " \t");
}

static size_t trimmed(const char *s, size_t n)
{
	while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	return n;
}

static void parameter(struct range *r, const char *s, size_t n)
{
	if (n > 2 && strncasecmp(s, "q=", 2) == 0) {
		r->q = strtod(s + 2, NULL);
	} else if (n > 8 && strncasecmp(s, "version=", 8) == 0) {
		r->version = s + 8;
		r->version_len = n - 8;
		if (r->version_len > 1 && *r->version == '"') {
			r->version++;
			r->version_len -= 2;
		}
	}
}

/* The next range of a header; false: there is none. */
static bool next(const char **at, struct range *r)
{
	const char *s = skip(*at);
	size_t n;

	while (*s == ',')
		s = skip(s + 1);
	if (*s == '\0')
		return false;
	*r = (struct range){ .name = s, .q = 1, .version = "" };
	n = strcspn(s, ",;");
	r->len = trimmed(s, n);
	for (s += n; *s == ';'; s += n) {
		s = skip(s + 1);
		n = strcspn(s, ",;");
		parameter(r, s, trimmed(s, n));
	}
	*at = s;
	return true;
}

static bool is(const struct range *r, const char *name)
{
	return r->len == strlen(name) && strncasecmp(r->name, name, r->len) == 0;
}

/* The most exact range counts, and of equally exact ones the best. */
static void weigh(double *best, int *exact, int how, double q)
{
	if (how < *exact || (how == *exact && q <= *best))
		return;
	*exact = how;
	*best = q;
}

/* Who does not name it gets it only where text will not do. */
bool accept_openmetrics(const char *accept)
{
	double open = 0, text = 0;
	int open_exact = 0, text_exact = 0;
	bool named = false;
	struct range r;

	while (accept != NULL && next(&accept, &r)) {
		bool ours = r.version_len == 0 || (r.version_len == 5 && strncmp(r.version, "1.0.0", 5) == 0);

		if (is(&r, "application/openmetrics-text") && ours) {
			named = true;
			weigh(&open, &open_exact, 3, r.q);
		} else if (is(&r, "application/*")) {
			weigh(&open, &open_exact, 2, r.q);
		} else if (is(&r, "text/plain")) {
			weigh(&text, &text_exact, 3, r.q);
		} else if (is(&r, "text/*")) {
			weigh(&text, &text_exact, 2, r.q);
		} else if (is(&r, "*/*")) {
			weigh(&open, &open_exact, 1, r.q);
			weigh(&text, &text_exact, 1, r.q);
		}
	}
	return open > 0 && (named ? open >= text : !(text > 0));
}

bool accept_gzip(const char *encoding)
{
	double gzip = 0;
	int exact = 0;
	struct range r;

	while (encoding != NULL && next(&encoding, &r)) {
		if (is(&r, "gzip") || is(&r, "x-gzip"))
			weigh(&gzip, &exact, 2, r.q);
		else if (is(&r, "*"))
			weigh(&gzip, &exact, 1, r.q);
	}
	return gzip > 0;
}
