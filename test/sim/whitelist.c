/* SPDX-License-Identifier: Apache-2.0 */
/* whitelist - the file of hosts that get offers, read as Mesos reads it. */
#include "whitelist.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

void whitelist_init(struct whitelist *w, const char *path)
{
	memset(w, 0, sizeof(*w));
	if (!path || !strcmp(path, "*"))
		return;
	w->path = sim_strdup(strncmp(path, "file://", 7) ? path : path + 7);
	whitelist_read(w);
}

void whitelist_free(struct whitelist *w)
{
	free(w->path);
	free(w->text);
	free(w->names);
	memset(w, 0, sizeof(*w));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Split at \n and nothing else; empty lines are no names. */
static size_t split(char *text, size_t len, const char ***names)
{
	size_t n = 0, i, lines = 1;
	char *line, *save = NULL;

	for (i = 0; i < len; i++)
		lines += text[i] == '\n';
	*names = sim_calloc(lines, sizeof(**names));
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		(*names)[n++] = line;
	qsort(*names, n, sizeof(**names), by_name);
	for (i = lines = 0; i < n; i++)
		if (i == 0 || strcmp((*names)[i], (*names)[lines - 1]))
			(*names)[lines++] = (*names)[i];
	return lines;
}

static bool same(const struct whitelist *w, const char **names, size_t n)
{
	size_t i;

	if (!w->known || n != w->n)
		return false;
	for (i = 0; i < n; i++)
		if (strcmp(names[i], w->names[i]))
			return false;
	return true;
}

static void take(struct whitelist *w, struct buf *b)
{
	const char **names;
	size_t n;

	buf_char(b, '\0');
	n = split(b->at, b->len - 1, &names);
	if (!same(w, names, n))
		w->change++;
	free(w->text);
	free(w->names);
	w->text = b->at;
	w->names = names;
	w->n = n;
	w->known = true;
}

/* What cannot be read leaves the last set as it is. */
void whitelist_read(struct whitelist *w)
{
	struct buf b = { 0 };
	char piece[8192];
	size_t n;
	FILE *f;

	if (!w->path)
		return;
	w->reads++;
	f = fopen(w->path, "r");
	w->readable = f != NULL;
	if (!f)
		return;
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(&b, piece, n);
	w->readable = !ferror(f);
	fclose(f);
	if (w->readable)
		take(w, &b);
	else
		buf_free(&b);
}

bool whitelist_has(const struct whitelist *w, const char *host)
{
	if (!w || !w->known)
		return true;
	return w->n && bsearch(&host, w->names, w->n, sizeof(*w->names),
			       by_name);
}
