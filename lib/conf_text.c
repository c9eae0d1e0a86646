/* SPDX-License-Identifier: Apache-2.0 */
/* conf_text - the text of a config with its includes in place, and where each line came from. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_node.h"
#include "conf_text.h"

#define DEPTH_MAX	10
#define SIZE_MAX_ALL	(16u << 20)

struct source { struct source *next; char name[]; };
struct run { unsigned first, line; const char *file; };	/* from line `first` of the whole on */

struct conf_text {
	struct sat_buf out;
	unsigned lines;			/* of out, so far */
	struct source *sources;
	struct run *runs;
	size_t n_runs;
	unsigned *cut;			/* lines of numbers that libconfig would cut */
	size_t n_cut;
	unsigned mistakes;		/* that leave nothing to parse */
};

struct scan {			/* one file, being read */
	struct conf_text *t;
	const char *file, *p;
	unsigned line, depth;
	bool fresh;			/* nothing but blanks on this line yet */
};

static int scan_file(struct conf_text *t, const char *path, unsigned depth);

static void __attribute__((format(printf, 4, 5)))
mistake(struct conf_text *t, const char *file, unsigned line, const char *fmt, ...)
{
	char reason[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	if (line == 0)
		conf_mistake(t->lines, "%s: %s", file, reason);
	else
		conf_mistake(t->lines, "%s:%u: %s", file, line, reason);
	t->mistakes++;
}

static const char *keep_name(struct conf_text *t, const char *name)
{
	size_t size = strlen(name) + 1;
	struct source *s = malloc(sizeof(*s) + size);

	if (s == NULL)
		return NULL;
	memcpy(s->name, name, size);
	s->next = t->sources;
	t->sources = s;
	return s->name;
}

/* From here on the whole's lines are those of `file` from `line` on. */
static int begin_run(struct conf_text *t, const char *file, unsigned line)
{
	struct run *more = realloc(t->runs, (t->n_runs + 1) * sizeof(*more));

	if (more == NULL)
		return -ENOMEM;
	t->runs = more;
	t->runs[t->n_runs++] = (struct run){ .first = t->lines, .line = line, .file = file };
	return 0;
}

/* Pass n characters on. */
static void pass(struct scan *s, size_t n)
{
	sat_buf_add(&s->t->out, s->p, n);
	for (; n > 0; n--, s->p++) {
		if (*s->p == '\n') {
			s->line++;
			s->t->lines++;
			s->fresh = true;
		}
	}
}

static size_t string_length(const char *p)
{
	size_t n = 1;

	while (p[n] != '\0' && p[n] != '"')
		n += p[n] == '\\' && p[n + 1] != '\0' ? 2 : 1;
	return p[n] == '"' ? n + 1 : n;
}

static size_t comment_length(const char *p)
{
	const char *end;

	if (p[0] == '/' && p[1] == '*') {
		end = strstr(p + 2, "*/");
		return end != NULL ? (size_t)(end - p) + 2 : strlen(p);
	}
	if (p[0] == '#' || (p[0] == '/' && p[1] == '/'))
		return strcspn(p, "\n");
	return 0;
}

/* What libconfig makes of a number on this line is not what stands there. */
static void note_cut(struct scan *s)
{
	struct conf_text *t = s->t;
	unsigned *more = realloc(t->cut, (t->n_cut + 1) * sizeof(*more));

	if (more == NULL) {
		mistake(t, s->file, s->line, "%s", strerror(ENOMEM));
		return;
	}
	t->cut = more;
	t->cut[t->n_cut++] = t->lines;
}

/* A number: libconfig would cut it to 32 bits, unless it ends in L. */
static size_t check_number(struct scan *s)
{
	const char *digits = s->p + (*s->p == '-' || *s->p == '+');
	bool hex = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X'), wide;
	size_t n = hex ? 2 + strspn(digits + 2, "0123456789abcdefABCDEF") : strspn(digits, "0123456789");
	unsigned long long v, most;
	size_t all = (size_t)(digits - s->p) + n;
	int len = (int)(all < 80 ? all : 80);

	if (!hex && strchr(".eE", digits[n]) != NULL && digits[n] != '\0')
		return all + strspn(digits + n, "0123456789.eE+-");
	wide = digits[n] == 'L';
	errno = 0;
	v = strtoull(digits, NULL, hex ? 16 : 10);
	most = (wide ? (unsigned long long)INT64_MAX : INT32_MAX) + (*s->p == '-');
	if (errno == ERANGE || v > (unsigned long long)INT64_MAX + (*s->p == '-'))
		conf_mistake(s->t->lines, "%s:%u: %.*s is too large an integer", s->file, s->line, len, s->p);
	else if (v > most)
		conf_mistake(s->t->lines, "%s:%u: %.*s is over 2147483647: write %.*sL", s->file, s->line,
			     len, s->p, len, s->p);
	if (v > most)
		note_cut(s);
	return all + strspn(digits + n, "L");
}

static bool begins_number(const char *p)
{
	return isdigit((unsigned char)p[*p == '-' || *p == '+']);
}

static void find_include(const struct scan *s, const char *name, size_t n, char *path, size_t size)
{
	const char *slash = strrchr(s->file, '/');
	int folder = slash != NULL && name[0] != '/' ? (int)(slash - s->file) + 1 : 0;

	snprintf(path, size, "%.*s%.*s", folder, s->file, (int)n, name);
}

/* @include "name": a line of its own in the whole, then the file, then the rest. */
static int include(struct scan *s)
{
	const char *name = s->p + strlen("@include");
	char path[PATH_MAX];
	unsigned before;
	size_t n;
	int rc;

	name += strspn(name, " \t");
	n = *name == '"' ? strcspn(name + 1, "\"\n") : 0;
	if (n == 0 || name[n + 1] != '"') {
		mistake(s->t, s->file, s->line, "@include needs a file name in double quotes");
		pass(s, strcspn(s->p, "\n"));
		return 0;
	}
	find_include(s, name + 1, n, path, sizeof(path));
	before = s->t->mistakes;
	rc = s->depth < DEPTH_MAX ? scan_file(s->t, path, s->depth + 1) : -ELOOP;
	if (rc == -ENOMEM)
		return rc;
	if (rc != 0 && s->t->mistakes == before)
		mistake(s->t, s->file, s->line, "@include \"%.*s\": %s", (int)n, name + 1, strerror(-rc));
	s->p = name + n + 2;
	return begin_run(s->t, s->file, s->line);
}

static int scan_token(struct scan *s)
{
	size_t n = comment_length(s->p);

	if (n == 0 && *s->p == '"')
		n = string_length(s->p);
	else if (n == 0 && (isalpha((unsigned char)*s->p) || *s->p == '*'))
		n = strspn(s->p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_*");
	else if (n == 0 && begins_number(s->p))
		n = check_number(s);
	else if (n == 0 && s->fresh && strncmp(s->p, "@include", 8) == 0)
		return include(s);
	if (n == 0)
		n = 1;
	if (*s->p != ' ' && *s->p != '\t')
		s->fresh = false;
	pass(s, n);
	return 0;
}

static int scan_string(struct conf_text *t, const char *string, const char *name, unsigned depth)
{
	struct scan s = { .t = t, .p = string, .line = 1, .depth = depth, .fresh = true };
	int rc;

	s.file = keep_name(t, name);
	rc = s.file != NULL ? begin_run(t, s.file, 1) : -ENOMEM;
	while (rc == 0 && *s.p != '\0')
		rc = scan_token(&s);
	if (rc == 0 && t->out.len > 0 && t->out.p[t->out.len - 1] != '\n') {
		sat_buf_add(&t->out, "\n", 1);
		t->lines++;
	}
	return rc == 0 && t->out.full ? -EFBIG : rc;
}

/* The whole file as a string in *text; refuses what is not text. */
static int read_all(int fd, const char *path, struct conf_text *t, char **text)
{
	struct stat st;
	size_t n = 0, size;
	ssize_t got = 1;
	char *p;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (st.st_size > SIZE_MAX_ALL)
		return -EFBIG;
	size = st.st_size > 0 ? (size_t)st.st_size : SIZE_MAX_ALL;	/* a pipe says 0 */
	p = malloc(size + 1);
	if (p == NULL)
		return -ENOMEM;
	while (n < size && (got = read(fd, p + n, size - n)) > 0)
		n += (size_t)got;
	if (got < 0) {
		free(p);
		return -errno;
	}
	p[n] = '\0';
	*text = p;
	if (strlen(p) != n)
		mistake(t, path, 0, "holds a NUL byte");
	return 0;
}

static int scan_file(struct conf_text *t, const char *path, unsigned depth)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;
	char *text = NULL;

	if (fd < 0)
		return -errno;
	rc = read_all(fd, path, t, &text);
	close(fd);
	if (rc == 0)
		rc = scan_string(t, text, path, depth);
	free(text);
	return rc;
}

/* NULL: it is not to be parsed. */
static struct conf_text *end(struct conf_text *t, const char *name, int rc)
{
	if (rc != 0 && t->mistakes == 0)
		mistake(t, name, 0, "%s", strerror(-rc));
	if (rc == 0 && t->out.len == 0)		/* never NULL, even if empty */
		sat_buf_add(&t->out, "\n", 1);
	sat_buf_add(&t->out, "", 1);
	if (t->out.full && t->mistakes == 0)
		mistake(t, name, 0, "%s", strerror(ENOMEM));
	if (t->mistakes == 0)
		return t;
	conf_text_free(t);
	return NULL;
}

static struct conf_text *begin(const char *name)
{
	struct conf_text *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		conf_mistake(0, "%s: %s", name, strerror(ENOMEM));
		return NULL;
	}
	t->out.max = SIZE_MAX_ALL;
	t->lines = 1;
	return t;
}

struct conf_text *conf_text_read(const char *path)
{
	struct conf_text *t = begin(path);

	return t != NULL ? end(t, path, scan_file(t, path, 0)) : NULL;
}

struct conf_text *conf_text_given(const char *string, const char *name)
{
	struct conf_text *t = begin(name);

	return t != NULL ? end(t, name, scan_string(t, string, name, 0)) : NULL;
}

void conf_text_free(struct conf_text *t)
{
	struct source *s;

	if (t == NULL)
		return;
	while ((s = t->sources) != NULL) {
		t->sources = s->next;
		free(s);
	}
	free(t->runs);
	free(t->cut);
	sat_buf_free(&t->out);
	free(t);
}

const char *conf_text_string(const struct conf_text *t)
{
	return t->out.p;
}

unsigned conf_text_line(const struct conf_text *t, unsigned line, const char **file)
{
	size_t i = t->n_runs - 1;

	while (i > 0 && t->runs[i].first > line)
		i--;
	*file = t->runs[i].file;
	return line >= t->runs[i].first ? t->runs[i].line + (line - t->runs[i].first) : t->runs[i].line;
}

bool conf_text_cut(const struct conf_text *t, unsigned line)
{
	for (size_t i = 0; i < t->n_cut; i++)
		if (t->cut[i] == line)
			return true;
	return false;
}
