/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader - dlopen, the ABI check, and which module has a name.
 *
 * Nothing of a module is read before its ABI number fits, and none is closed
 * again once it was taken.  What an older module leaves out is zero: its tables
 * are copied into structs of this host's size.
 */
#include <ctype.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"
#include "loader.h"
#include "log.h"

#define NAMES_MAX	(64 * 1024)	/* bytes of a .names file */

struct known { struct known *next; enum loader_kind kind; char name[]; };

struct entry {			/* one .so, opened or not */
	struct entry *next;
	char *path;			/* as realpath(3) has it */
	struct known *names;
	const struct sat_module *module;	/* NULL: not opened yet */
	char *broken;			/* why it cannot be opened, or NULL */
	time_t mtime;
	bool seen;			/* it is in the folders that count */
};

static struct entry *entries, **last_entry = &entries;
static struct arena tables;		/* copies of what modules have */
static char reason[1024];

static const char *const kinds[] = { "module", "operator", "check", "store", "command", "service" };

/* ---- Older modules ------------------------------------------------------ */

/* Every struct of the ABI but the module itself begins with its size. */
static const void *widen(const void *old, size_t size)
{
	uint32_t has;
	void *p;

	if (old == NULL)
		return NULL;
	memcpy(&has, old, sizeof(has));
	p = arena_get(&tables, size);
	return p != NULL ? memcpy(p, old, has < size ? has : size) : NULL;
}

/* A NULL-ended table of them; *bad is set without memory, or where a size is none. */
static const void *const *widen_table(const void *const *old, size_t size, bool *bad)
{
	const void **table;
	uint32_t has;
	size_t n = 0;

	if (old == NULL)
		return NULL;
	while (old[n] != NULL)
		n++;
	table = arena_get(&tables, (n + 1) * sizeof(*table));
	if (table == NULL) {
		*bad = true;
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		memcpy(&has, old[i], sizeof(has));
		table[i] = has >= sizeof(has) ? widen(old[i], size) : NULL;
		if (table[i] == NULL)
			*bad = true;
	}
	return table;
}
#define WIDEN(table, type, bad) \
	((const type *const *)(const void *)widen_table((const void *const *)(table), sizeof(type), (bad)))

static const struct sat_option *const *widen_options(const struct sat_option *const *old, bool *bad)
{
	const struct sat_option *const *table = WIDEN(old, struct sat_option, bad);

	for (size_t i = 0; table != NULL && table[i] != NULL; i++) {
		struct sat_option *o = (struct sat_option *)(uintptr_t)table[i];	/* our copy */

		o->inner = widen_options(o->inner, bad);
	}
	return table;
}

/* Copy all tables of a module that is older than this host; -ENOMEM or -EINVAL. */
static int widen_module(struct sat_module *m)
{
	bool bad = false;

	m->options = widen_options(m->options, &bad);
	m->ops = WIDEN(m->ops, struct sat_op, &bad);
	for (size_t i = 0; m->ops != NULL && m->ops[i] != NULL; i++) {
		struct sat_op *op = (struct sat_op *)(uintptr_t)m->ops[i];

		op->options = widen_options(op->options, &bad);
	}
	m->checks = WIDEN(m->checks, struct sat_check, &bad);
	for (size_t i = 0; m->checks != NULL && m->checks[i] != NULL; i++) {
		struct sat_check *c = (struct sat_check *)(uintptr_t)m->checks[i];

		c->options = widen_options(c->options, &bad);
	}
	m->routes = WIDEN(m->routes, struct sat_route, &bad);
	m->commands = WIDEN(m->commands, struct sat_command, &bad);
	m->counters = WIDEN(m->counters, struct sat_counter, &bad);
	m->store = widen(m->store, sizeof(*m->store));
	m->http_client = widen(m->http_client, sizeof(*m->http_client));
	m->http_server = widen(m->http_server, sizeof(*m->http_server));
	m->tls = widen(m->tls, sizeof(*m->tls));
	return bad ? -EINVAL : 0;
}

/* ---- Opening one -------------------------------------------------------- */

static bool good_name(const char *name)
{
	size_t n = name != NULL ? strnlen(name, 65) : 0;

	for (size_t i = 0; i < n; i++) {
		if (!isgraph((unsigned char)name[i]))
			return false;
	}
	return n > 0 && n <= 64;
}

static bool names_are_good(const struct sat_module *m)
{
	bool good = good_name(m->name) && (m->store == NULL || good_name(m->store->name));

	for (size_t i = 0; good && m->ops != NULL && m->ops[i] != NULL; i++)
		good = good_name(m->ops[i]->name);
	for (size_t i = 0; good && m->checks != NULL && m->checks[i] != NULL; i++)
		good = good_name(m->checks[i]->name);
	for (size_t i = 0; good && m->commands != NULL && m->commands[i] != NULL; i++)
		good = good_name(m->commands[i]->name);
	return good;
}

static int refuse(const char *path, int rc, const char *fmt, ...) SAT_PRINTF(3);
static int refuse(const char *path, int rc, const char *fmt, ...)
{
	size_t n = (size_t)snprintf(reason, sizeof(reason), "%.400s: ", path);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason + n, sizeof(reason) - n, fmt, ap);
	va_end(ap);
	return rc;
}

/* Judge what dlsym() found, the ABI number first, and copy it. */
static int take_module(const char *path, const struct sat_module *found, const struct sat_module **module)
{
	uint32_t abi = found->abi, size;
	struct sat_module *m;
	int rc;

	if (abi >> 16 != SAT_ABI_MAJOR || (abi & 0xffff) > SAT_ABI_MINOR)
		return refuse(path, -ENOEXEC, "is built for ABI %u.%u, this satellite has %u.%u",
			      (unsigned)(abi >> 16), (unsigned)(abi & 0xffff), SAT_ABI_MAJOR, SAT_ABI_MINOR);
	size = found->size;
	if (size < offsetof(struct sat_module, options))
		return refuse(path, -ENOEXEC, "its sat_module says that it has %u bytes", (unsigned)size);
	m = arena_get(&tables, sizeof(*m));
	if (m == NULL)
		return refuse(path, -ENOMEM, "%s", strerror(ENOMEM));
	memcpy(m, found, size < sizeof(*m) ? size : sizeof(*m));
	rc = abi < SAT_ABI || size < sizeof(*m) ? widen_module(m) : 0;
	if (rc != 0)
		return refuse(path, rc, "one of its tables cannot be read");
	if (!names_are_good(m))
		return refuse(path, -ENOEXEC, "it, or something in it, lacks a proper name");
	*module = m;
	return 0;
}

/* Put the reason into words without the path, which dlerror() may or may not begin with. */
static int refuse_dl(const char *path)
{
	const char *error = dlerror();
	size_t n = strlen(path);

	if (error == NULL)
		error = "cannot be loaded";
	if (strncmp(error, path, n) == 0 && strncmp(error + n, ": ", 2) == 0)
		error += n + 2;
	return refuse(path, -ENOEXEC, "%s", error);
}

static int open_module(const char *path, const struct sat_module **module)
{
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const struct sat_module *found;
	int rc;

	if (handle == NULL)
		return refuse_dl(path);
	found = dlsym(handle, "sat_module");
	rc = found != NULL ? take_module(path, found, module) : refuse(path, -ENOEXEC, "exports no sat_module");
	if (rc != 0)
		dlclose(handle);	/* nothing of it was run or kept */
	return rc;
}

/* ---- Names -------------------------------------------------------------- */

static void name_line(struct sat_buf *out, enum loader_kind kind, const char *name)
{
	sat_buf_printf(out, "%s %s\n", kinds[kind], name);
}

void loader_names(const struct sat_module *m, struct sat_buf *out)
{
	name_line(out, LOADER_MODULE, m->name);
	for (size_t i = 0; m->ops != NULL && m->ops[i] != NULL; i++)
		name_line(out, LOADER_OP, m->ops[i]->name);
	for (size_t i = 0; m->checks != NULL && m->checks[i] != NULL; i++)
		name_line(out, LOADER_CHECK, m->checks[i]->name);
	if (m->store != NULL)
		name_line(out, LOADER_STORE, m->store->name);
	for (size_t i = 0; m->commands != NULL && m->commands[i] != NULL; i++)
		name_line(out, LOADER_COMMAND, m->commands[i]->name);
	if (m->http_server != NULL)
		name_line(out, LOADER_SERVICE, "http-server");
	if (m->http_client != NULL)
		name_line(out, LOADER_SERVICE, "http-client");
	if (m->tls != NULL)
		name_line(out, LOADER_SERVICE, "tls");
}

static int add_name(struct entry *e, enum loader_kind kind, const char *name)
{
	size_t size = strlen(name) + 1;
	struct known *k = malloc(sizeof(*k) + size);

	if (k == NULL)
		return -ENOMEM;
	k->kind = kind;
	memcpy(k->name, name, size);
	k->next = e->names;
	e->names = k;
	return 0;
}

static void forget_names(struct entry *e)
{
	struct known *k;

	while ((k = e->names) != NULL) {
		e->names = k->next;
		free(k);
	}
}

/* "operator where"; -EINVAL: it is no such line. */
static int parse_name(struct entry *e, char *line)
{
	char *name = strchr(line, ' ');

	if (name == NULL || !good_name(name + 1))
		return -EINVAL;
	*name++ = '\0';
	for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		if (strcmp(line, kinds[k]) == 0)
			return add_name(e, (enum loader_kind)k, name);
	}
	return -EINVAL;
}

/* All lines of a text, which is written into. */
static int parse_names(struct entry *e, char *text)
{
	char *rest = NULL;
	int rc = 0;

	for (char *line = strtok_r(text, "\n", &rest); line != NULL && rc == 0; line = strtok_r(NULL, "\n", &rest))
		rc = parse_name(e, line);
	if (rc == 0 && e->names == NULL)
		rc = -EINVAL;
	if (rc != 0)
		forget_names(e);
	return rc;
}

/* x.names beside x.so; one that is older than the .so says nothing. */
static int read_names(struct entry *e)
{
	size_t stem = strlen(e->path) - strlen(".so"), n = 0;
	char path[PATH_MAX], *text;
	struct stat st;
	FILE *f;
	int rc;

	snprintf(path, sizeof(path), "%.*s.names", (int)stem, e->path);
	f = fopen(path, "re");
	if (f == NULL)
		return -errno;
	text = malloc(NAMES_MAX + 1);
	rc = text != NULL ? 0 : -ENOMEM;
	if (rc == 0 && (fstat(fileno(f), &st) != 0 || st.st_mtime < e->mtime))
		rc = -ESTALE;
	if (rc == 0) {
		n = fread(text, 1, NAMES_MAX, f);
		text[n] = '\0';
		rc = parse_names(e, text);
	}
	free(text);
	fclose(f);
	return rc;
}

/* ---- The folders -------------------------------------------------------- */

static void break_entry(struct entry *e)
{
	free(e->broken);
	e->broken = strdup(reason);
}

static int load_entry(struct entry *e)
{
	struct sat_buf text = { .max = NAMES_MAX };
	int rc;

	if (e->module != NULL)
		return 0;
	rc = open_module(e->path, &e->module);
	if (rc != 0) {
		break_entry(e);
		return rc;
	}
	loader_names(e->module, &text);		/* what it has, not what was said of it */
	sat_buf_add(&text, "", 1);
	forget_names(e);
	rc = text.full ? -ENOMEM : parse_names(e, text.p);
	sat_buf_free(&text);
	return rc;
}

static struct entry *entry_of(const char *path)
{
	struct entry *e = entries;

	while (e != NULL && strcmp(e->path, path) != 0)
		e = e->next;
	return e;
}

static struct entry *add_entry(const char *path, time_t mtime)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->path = strdup(path);
	if (e->path == NULL) {
		free(e);
		return NULL;
	}
	e->mtime = mtime;
	*last_entry = e;
	last_entry = &e->next;
	return e;
}

static void name_entry(struct entry *e)
{
	if (e->module != NULL || read_names(e) == 0)
		return;
	log_line(LOG_NOTICE, NULL, "%s: has no .names file of its age beside it, so it is opened to see what it has",
		 e->path);
	if (load_entry(e) != 0)
		log_line(LOG_ERR, NULL, "%s", reason);
}

static int see_module(const char *folder, const char *file)
{
	char path[PATH_MAX], real[PATH_MAX];
	struct entry *e;
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	if (realpath(path, real) == NULL || stat(real, &st) != 0) {
		log_line(LOG_ERR, NULL, "%s: %s", path, strerror(errno));
		return 0;
	}
	if (!S_ISREG(st.st_mode) || (st.st_mode & S_IWOTH) != 0) {
		log_line(LOG_ERR, NULL, "%s: %s, so it is not used", path,
			 S_ISREG(st.st_mode) ? "everyone may write to it" : "is not a file");
		return 0;
	}
	e = entry_of(real);
	if (e != NULL && e->module != NULL && e->mtime != st.st_mtime)
		log_line(LOG_WARNING, NULL, "%s: has changed; a restart is needed to use it", real);
	if (e == NULL)
		e = add_entry(real, st.st_mtime);
	if (e == NULL)
		return -ENOMEM;
	e->seen = true;
	if (e->module == NULL) {
		e->mtime = st.st_mtime;
		forget_names(e);
		free(e->broken);
		e->broken = NULL;
	}
	name_entry(e);
	return 0;
}

static int is_module(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 3 && d->d_name[0] != '.' && strcmp(d->d_name + n - 3, ".so") == 0;
}

static int see_folder(const char *folder)
{
	struct dirent **files = NULL;
	struct stat st;
	int n, rc = 0;

	n = stat(folder, &st) == 0 ? scandir(folder, &files, is_module, alphasort) : -1;
	if (n < 0) {
		rc = -errno;
		log_line(LOG_ERR, NULL, "%s: %s", folder, strerror(errno));
		return rc;
	}
	if ((st.st_mode & S_IWOTH) != 0) {
		log_line(LOG_ERR, NULL, "%s: everyone may write to this folder, so no module of it is used", folder);
		rc = -EPERM;
	}
	for (int i = 0; i < n; i++) {
		if (rc == 0)
			rc = see_module(folder, files[i]->d_name);
		free(files[i]);
	}
	free(files);
	return rc;
}

/* Beside the executable in a build tree, else where `make install` puts them. */
static const char *own_folder(char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size);
	struct stat st;
	char *slash;

	if (n > 0 && (size_t)n < size) {
		path[n] = '\0';
		slash = strrchr(path, '/');
		snprintf(slash, size - (size_t)(slash - path), "/modules");
		if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
			return path;
	}
	return SAT_MODULEDIR;
}

int loader_folders(const char *const *folders)
{
	char own[PATH_MAX];
	const char *path = own_folder(own, sizeof(own));
	int rc = 0, bad;

	for (struct entry *e = entries; e != NULL; e = e->next)
		e->seen = false;
	for (; folders != NULL && *folders != NULL; folders++) {
		bad = see_folder(*folders);
		if (bad != 0)
			rc = bad;
	}
	bad = access(path, F_OK) == 0 ? see_folder(path) : 0;
	return rc != 0 ? rc : bad;
}

/* ---- Finding ------------------------------------------------------------ */

static bool has_name(const struct entry *e, enum loader_kind kind, const char *name)
{
	for (const struct known *k = e->names; k != NULL; k = k->next) {
		if (k->kind == kind && strcmp(k->name, name) == 0)
			return true;
	}
	return false;
}

static const char *file_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

/* A .so that could not be opened, and is called like the module. */
static bool would_be(const struct entry *e, enum loader_kind kind, const char *name)
{
	const char *file = file_name(e->path);
	size_t n = strlen(name);

	return kind == LOADER_MODULE && e->broken != NULL && strncmp(file, name, n) == 0 &&
		strcmp(file + n, ".so") == 0;
}

static struct entry *find_entry(enum loader_kind kind, const char *name)
{
	struct entry *found = NULL;

	reason[0] = '\0';
	for (struct entry *e = entries; e != NULL; e = e->next) {
		if (!e->seen)
			continue;
		if (would_be(e, kind, name))
			snprintf(reason, sizeof(reason), "%s", e->broken);
		if (!has_name(e, kind, name))
			continue;
		if (found != NULL) {
			snprintf(reason, sizeof(reason), "%.400s and %.400s both have the %s \"%s\"",
				 found->path, e->path, kinds[kind], name);
			return NULL;
		}
		found = e;
	}
	return found;
}

const struct sat_module *loader_find(enum loader_kind kind, const char *name, const char **why)
{
	struct entry *e = find_entry(kind, name);
	int rc;

	*why = reason;
	if (e == NULL)
		return NULL;
	rc = load_entry(e);
	if (rc != 0) {
		if (rc == -ENOMEM)
			refuse(e->path, rc, "%s", strerror(ENOMEM));
		return NULL;
	}
	if (!has_name(e, kind, name)) {
		refuse(e->path, 0, "its .names file says that it has the %s \"%s\", but it has not", kinds[kind], name);
		return NULL;
	}
	return e->module;
}

int loader_open(const char *path, const struct sat_module **module, const char **why)
{
	char real[PATH_MAX];
	struct entry *e;
	int rc;

	*why = reason;
	if (realpath(path, real) == NULL)
		return refuse(path, -errno, "%s", strerror(errno));
	e = entry_of(real);
	if (e == NULL)
		e = add_entry(real, 0);
	if (e == NULL)
		return refuse(path, -ENOMEM, "%s", strerror(ENOMEM));
	rc = load_entry(e);
	*module = e->module;
	return rc;
}

const struct sat_op *loader_op(const struct sat_module *m, const char *name)
{
	for (size_t i = 0; m->ops != NULL && m->ops[i] != NULL; i++) {
		if (strcmp(m->ops[i]->name, name) == 0)
			return m->ops[i];
	}
	return NULL;
}

const struct sat_check *loader_check(const struct sat_module *m, const char *name)
{
	for (size_t i = 0; m->checks != NULL && m->checks[i] != NULL; i++) {
		if (strcmp(m->checks[i]->name, name) == 0)
			return m->checks[i];
	}
	return NULL;
}

void loader_close(void)
{
	struct entry *e;

	while ((e = entries) != NULL) {
		entries = e->next;
		forget_names(e);
		free(e->broken);
		free(e->path);
		free(e);
	}
	last_entry = &entries;
	arena_free(&tables);
}
