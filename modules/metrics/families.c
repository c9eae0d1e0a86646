/* SPDX-License-Identifier: Apache-2.0 */
/* families - an answer of /metrics as it is collected: each family's samples in one piece. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "families.h"

#define BYTES_MAX	((size_t)128 << 20)	/* of an answer */
#define VALUE_MAX	1024			/* bytes of a label's value */
#define LABELS_MAX	32

enum { SEEN_LEAST = 8 };

struct family {
	struct family *next, *chain;	/* as they came; of the same slot */
	enum family_type type;
	bool odd;			/* a value that OpenMetrics has in no counter */
	const char *help;		/* a copy, behind the name */
	struct blocks text;
	uint64_t *seen;			/* a hash of each series; 0: free */
	size_t series, n_seen;		/* n_seen: slots, a power of two */
	uint64_t hash;
	char name[];
};

struct families {
	struct family *first, **end, *last, *slots[512];
	size_t series, max, left_out, doubled, bytes;
	size_t held;			/* bytes of memory */
	struct sat_buf line;		/* the series that is being written */
};

struct families *families_new(size_t max)
{
	struct families *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->max = max;
	f->end = &f->first;
	return f;
}

static void drop_first(struct families *f)
{
	struct family *m = f->first;

	f->first = m->next;
	blocks_free(&m->text);
	free(m->seen);
	free(m);
}

void families_free(struct families *f)
{
	while (f != NULL && f->first != NULL)
		drop_first(f);
	if (f != NULL)
		sat_buf_free(&f->line);
	free(f);
}

size_t families_series(const struct families *f)
{
	return f->series;
}

size_t families_left_out(const struct families *f)
{
	return f->left_out;
}

size_t families_doubled(const struct families *f)
{
	return f->doubled;
}

size_t families_held(const struct families *f)
{
	return f->held;
}

/* ---- Names and values --------------------------------------------------- */

static bool is_name(char c, bool colon)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       (colon && c == ':');
}

static void put_name(struct sat_buf *b, const char *name, bool colon)
{
	size_t n = 0;

	if (*name == '\0' || (*name >= '0' && *name <= '9'))
		sat_buf_add(b, "_", 1);
	while (*name != '\0') {
		while (is_name(name[n], colon))
			n++;
		sat_buf_add(b, name, n);
		if (name[n] != '\0')
			sat_buf_add(b, "_", 1);
		name += n + (name[n] != '\0');
		n = 0;
	}
}

/* Bytes of the UTF-8 character at s; 0: it is none. */
static size_t character(const unsigned char *s)
{
	size_t n = s[0] >= 0xc2 && s[0] <= 0xdf ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4 : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

/* At most VALUE_MAX bytes of it; what is not UTF-8 would make a reader refuse the whole answer. */
static void put_value(struct sat_buf *b, const char *s)
{
	const char *from = s, *to = s + strnlen(s, VALUE_MAX);

	while (s < to) {
		size_t n = (unsigned char)*s < 0x80 ? 1 : character((const unsigned char *)s);
		bool plain = n > 0 && *s != '\\' && *s != '"' && *s != '\n';

		if (plain) {
			s += n;
			continue;
		}
		sat_buf_add(b, from, (size_t)(s - from));
		if (n == 0)
			sat_buf_add(b, "\xef\xbf\xbd", 3);
		else
			sat_buf_add(b, *s == '\n' ? "\\n" : *s == '"' ? "\\\"" : "\\\\", 2);
		from = ++s;
	}
	sat_buf_add(b, from, (size_t)(s - from));
}

static void put_number(struct sat_buf *b, double d)
{
	char text[32];
	int n = 0, digits;

	if (d == floor(d) && fabs(d) < 1e15) {
		n = snprintf(text, sizeof(text), "%lld", (long long)d);
	} else if (isfinite(d)) {
		for (digits = 15; digits <= 17; digits++) {
			n = snprintf(text, sizeof(text), "%.*g", digits, d);
			if (strtod(text, NULL) == d)
				break;
		}
	} else {
		n = snprintf(text, sizeof(text), "%s", isnan(d) ? "NaN" : d > 0 ? "+Inf" : "-Inf");
	}
	sat_buf_add(b, text, (size_t)n);
}

/* ---- Collecting --------------------------------------------------------- */

static struct family *find(struct families *f, const char *name, enum family_type type, const char *help)
{
	uint64_t hash = sat_hash(0, name);
	struct family **slot = &f->slots[hash % (sizeof(f->slots) / sizeof(*f->slots))], *m;
	size_t n = strlen(name) + 1, n_help = strlen(help) + 1;

	for (m = *slot; m != NULL; m = m->chain)
		if (m->hash == hash && strcmp(m->name, name) == 0)
			return m;
	m = calloc(1, sizeof(*m) + n + n_help);
	if (m == NULL)
		return NULL;
	memcpy(m->name, name, n);
	m->help = memcpy(m->name + n, help, n_help);
	m->type = type;
	m->hash = hash;
	f->held += sizeof(*m) + n + n_help;
	m->chain = *slot;
	*slot = *f->end = m;
	f->end = &m->next;
	return m;
}

/* Each family has its own, so that none grows by more than a turn has time for. */
static bool widen(struct families *f, struct family *m)
{
	size_t n = m->n_seen > 0 ? 2 * m->n_seen : SEEN_LEAST, i, at;
	uint64_t *seen;

	if (m->n_seen > 2 * m->series + m->hash % (m->n_seen / 4 + 1))	/* such as have as many do not grow at once */
		return true;
	seen = calloc(n, sizeof(*seen));
	if (seen == NULL)
		return false;
	for (i = 0; i < m->n_seen; i++) {
		if (m->seen[i] == 0)
			continue;
		for (at = m->seen[i] & (n - 1); seen[at] != 0; at = (at + 1) & (n - 1))
			;
		seen[at] = m->seen[i];
	}
	free(m->seen);
	f->held += (n - m->n_seen) * sizeof(*seen);
	m->seen = seen;
	m->n_seen = n;
	return true;
}

/* The slot of a series; NULL: it is there already. */
static uint64_t *place(struct family *m, uint64_t hash)
{
	size_t at = hash & (m->n_seen - 1);

	for (; m->seen[at] != 0; at = (at + 1) & (m->n_seen - 1))
		if (m->seen[at] == hash)
			return NULL;
	return &m->seen[at];
}

static bool label_before(const struct sat_attr *labels, uint32_t i)
{
	for (uint32_t k = 0; k < i; k++) {
		const char *a = labels[k].key, *b = labels[i].key;

		while (*a != '\0' && (*a == *b || (!is_name(*a, false) && !is_name(*b, false) && *b != '\0')))
			a++, b++;
		if (*a == *b)
			return true;
	}
	return false;
}

/* A hash of it as it is written: what is cut or replaced may make two the same. */
static uint64_t write_series(struct sat_buf *b, const char *name, const struct sat_attr *labels, uint32_t n)
{
	uint64_t hash = 0;
	char next = '{';

	b->len = 0;
	put_name(b, name, true);
	for (uint32_t i = 0; i < n; i++) {
		if (label_before(labels, i))
			continue;
		sat_buf_add(b, &next, 1);
		next = ',';
		put_name(b, labels[i].key, false);
		sat_buf_add(b, "=\"", 2);
		put_value(b, labels[i].value != NULL ? labels[i].value : "");
		sat_buf_add(b, "\"", 1);
	}
	sat_buf_add(b, "}", next == ',');
	if (!b->full)
		hash = sat_hash(0, b->p);
	return hash != 0 ? hash : 1;
}

static void write_value(struct sat_buf *b, double value)
{
	sat_buf_add(b, " ", 1);
	put_number(b, value);
	sat_buf_add(b, "\n", 1);
}

/* Half a line is worse than none. */
static bool keep_line(struct families *f, struct family *m)
{
	size_t before = m->text.held;

	if (f->line.full || !blocks_add(&m->text, f->line.p, f->line.len))
		return false;
	f->held += m->text.held - before;
	f->bytes += f->line.len;
	return true;
}

void families_add(struct families *f, const char *name, enum family_type type, const char *help,
		  const struct sat_attr *labels, uint32_t n, double value)
{
	struct family *m = f->last;
	uint64_t hash, *slot;

	if (m == NULL || strcmp(m->name, name) != 0)
		m = f->last = find(f, name, type, help != NULL ? help : name);
	if (m == NULL || f->series >= f->max || f->bytes > BYTES_MAX || !widen(f, m)) {
		f->left_out++;
		return;
	}
	hash = write_series(&f->line, m->name, labels, n < LABELS_MAX ? n : LABELS_MAX);
	slot = place(m, hash);
	if (slot == NULL && !f->line.full) {
		f->doubled++;
		return;
	}
	write_value(&f->line, value);
	if (!keep_line(f, m)) {
		f->left_out++;
		if (f->line.full)
			sat_buf_free(&f->line);
		return;
	}
	*slot = hash;
	m->odd |= !(value >= 0);
	m->series++;
	f->series++;
}

/* ---- Writing ------------------------------------------------------------ */

/* OpenMetrics has no counter whose name does not end so, or that is below zero. */
static bool is_counter(const struct family *m)
{
	size_t n = strlen(m->name);

	return m->type == FAMILY_COUNTER && !m->odd && n > 6 && strcmp(m->name + n - 6, "_total") == 0;
}

static const char *type_of(const struct family *m, enum families_form form)
{
	static const char *const text[] = { "counter", "gauge", "untyped" };
	static const char *const open[] = { "counter", "gauge", "unknown" };

	if (form == FORM_TEXT)
		return text[m->type];
	return open[m->type == FAMILY_COUNTER && !is_counter(m) ? FAMILY_UNKNOWN : m->type];
}

static void put_head(const struct family *m, enum families_form form, const char *what, struct sat_buf *out)
{
	size_t from, n;

	sat_buf_printf(out, "# %s ", what);
	from = out->len;
	put_name(out, m->name, true);
	n = out->len - from;
	if (form == FORM_OPENMETRICS && is_counter(m) && n > 6)
		out->len -= 6;
	sat_buf_add(out, " ", 1);
}

static void put_help(const char *s, enum families_form form, struct sat_buf *out)
{
	for (; *s != '\0'; s++) {
		if (*s == '\n')
			sat_buf_add(out, "\\n", 2);
		else if (*s == '\\' || (*s == '"' && form == FORM_OPENMETRICS))
			sat_buf_printf(out, "\\%c", *s);
		else
			sat_buf_add(out, s, 1);
	}
}

static void write_head(const struct family *m, enum families_form form, struct sat_buf *out)
{
	out->len = 0;
	put_head(m, form, "HELP", out);
	put_help(m->help, form, out);
	sat_buf_add(out, "\n", 1);
	put_head(m, form, "TYPE", out);
	sat_buf_printf(out, "%s\n", type_of(m, form));
}

bool families_close(struct families *f, enum families_form form, struct blocks *out)
{
	for (; f->first != NULL; drop_first(f)) {
		struct family *m = f->first;

		if (m->series == 0)
			continue;
		write_head(m, form, &f->line);
		if (f->line.full || !blocks_add(out, f->line.p, f->line.len) || !blocks_join(out, &m->text))
			return false;
	}
	return form != FORM_OPENMETRICS || blocks_add(out, "# EOF\n", 6);
}
