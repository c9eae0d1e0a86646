/* SPDX-License-Identifier: Apache-2.0 */
/*
 * readonly - file systems that can only be read, as the kernel makes them after an error.
 *
 * Mounts that are read-only while their file system is not are so on purpose.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"

struct readonly {
	struct check check;
	const char *const *paths, *const *except;	/* paths NULL: all that lie on a device */
	size_t n_paths, n_except;
};

static bool option_is_ro(const char *options)
{
	return strncmp(options, "ro", 2) == 0 && (options[2] == ',' || options[2] == '\0');
}

static bool is_among(const char *path, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], path) == 0)
			return true;
	return false;
}

/* One that is never written to, whatever happens. */
static bool is_image(const struct mount *m)
{
	static const char *const kinds[] = { "cramfs", "erofs", "iso9660", "romfs", "squashfs" };

	return is_among(m->type, kinds, sizeof(kinds) / sizeof(*kinds));
}

static bool is_bad(const struct readonly *r, const struct mount *m)
{
	if (m->covered || m->hidden || *m->source != '/' || is_image(m) || is_among(m->path, r->except, r->n_except))
		return false;
	return option_is_ro(m->super);
}

/* The mount on which a path lies. */
static const struct mount *mount_of(const struct mounts *all, const char *path)
{
	const struct mount *best = NULL;

	for (size_t i = 0; i < all->n; i++) {
		const struct mount *m = &all->list[i];
		size_t n = strlen(m->path);

		if (m->covered || m->hidden || strncmp(m->path, path, n) != 0)
			continue;
		if (n > 1 && path[n] != '/' && path[n] != '\0')
			continue;
		if (best == NULL || n >= strlen(best->path))
			best = m;
	}
	return best;
}

static void name(char *text, size_t size, int64_t n, const char *path)
{
	size_t len = strlen(text);

	snprintf(text + len, size - len, "%s%s", n == 0 ? "" : ", ", path);
}

static void run(void *def)
{
	struct readonly *r = def;
	struct check *c = &r->check;
	char text[400] = "";
	struct mounts all;
	int64_t n = 0;
	int rc = mounts_read(&all, c->path);

	if (rc != 0) {
		report_failure(c, c->path, rc);
		return;
	}
	for (size_t i = 0; r->paths == NULL && i < all.n; i++)
		if (is_bad(r, &all.list[i]))
			name(text, sizeof(text), n++, all.list[i].path);
	for (size_t i = 0; i < r->n_paths; i++) {
		const struct mount *m = mount_of(&all, r->paths[i]);

		if (m == NULL || option_is_ro(m->super) || option_is_ro(m->options))
			name(text, sizeof(text), n++, r->paths[i]);
	}
	mounts_free(&all);
	name(text, sizeof(text), 0, n == 0 ? "none is read-only" : n == 1 ? " is read-only" : " are read-only");
	report_as(c, n == 0 ? "ok" : "critical", n, text);
}

static int read_paths(struct readonly *r, const struct sat_conf *conf)
{
	int rc = 0;

	if (sat_conf_has(conf, "path"))
		r->paths = sat_conf_strings(conf, "path", &r->n_paths);
	if (sat_conf_has(conf, "except"))
		r->except = sat_conf_strings(conf, "except", &r->n_except);
	for (size_t i = 0; i < r->n_paths; i++)
		if (*r->paths[i] != '/')
			rc = sat_conf_error(conf, "path", "\"%s\" is not absolute", r->paths[i]);
	if (r->paths != NULL && r->except != NULL)
		rc = sat_conf_error(conf, "except", "says nothing where path says which");
	return rc;
}

static int define(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	struct readonly *r = calloc(1, sizeof(*r));
	int rc;

	(void)module;
	if (r == NULL)
		return -ENOMEM;
	r->check.probe = probe;
	r->check.path = sat_conf_string(conf, "file");
	rc = read_paths(r, conf);
	rc = rc != 0 ? rc : sat_probe_service(probe, "read-only mounts");
	if (rc != 0) {
		free(r);
		return rc;
	}
	*def = r;
	return 0;
}

TABLE(readonly, SAT_OPTION("path", SAT_STRINGS,
			   .help = "folders that must be writable; default: all file systems on a device"),
      SAT_OPTION("except", SAT_STRINGS, .help = "mounts that may be read-only"),
      SAT_OPTION("file", SAT_STRING, .fallback = "/proc/self/mountinfo", .help = "what to read"));

CHECK(read_only_mounts, "read-only-mounts", "file systems that can only be read", readonly,
      .define = define, .run = run, .undefine = free);
