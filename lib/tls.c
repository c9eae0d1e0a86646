/* SPDX-License-Identifier: Apache-2.0 */
/* tls - certificates that instances use, over whichever module has TLS. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"
#include "tls.h"

enum { CA, CERT, KEY, N_FILES };

/* By what a file is known to be another one. */
struct stamp { ino_t ino; off_t size; struct timespec changed; };

struct sat_tls {
	struct sat_tls *next, **link;
	struct sat_self *user;
	const struct sat_tls_library *library;
	struct sat_tls_files files;	/* borrowed from the user's settings */
	struct stamp stamps[N_FILES];
	void *context;
};

static struct sat_tls *all;

static void stamp_files(const struct sat_tls *t, struct stamp *stamps)
{
	const char *const paths[] = { [CA] = t->files.ca, [CERT] = t->files.cert, [KEY] = t->files.key };
	struct stat st;

	memset(stamps, 0, N_FILES * sizeof(*stamps));
	for (size_t i = 0; i < N_FILES; i++)
		if (paths[i] != NULL && stat(paths[i], &st) == 0)
			stamps[i] = (struct stamp){ .ino = st.st_ino, .size = st.st_size, .changed = st.st_ctim };
}

static bool same_stamps(const struct stamp *a, const struct stamp *b)
{
	for (size_t i = 0; i < N_FILES; i++)
		if (a[i].ino != b[i].ino || a[i].size != b[i].size ||
		    a[i].changed.tv_sec != b[i].changed.tv_sec || a[i].changed.tv_nsec != b[i].changed.tv_nsec)
			return false;
	return true;
}

/* What goes together; 0 or -EINVAL, reported. */
static int judge(const struct sat_conf *group, const struct sat_tls_files *f)
{
	int rc = 0;

	if (f->server && f->cert == NULL)
		rc = sat_conf_error(group, "cert", "is needed, and its key");
	else if ((f->cert == NULL) != (f->key == NULL))
		rc = sat_conf_error(group, f->cert == NULL ? "cert" : "key", "is needed beside %s",
				    f->cert == NULL ? "key" : "cert");
	if (f->server && f->verify && f->ca == NULL)
		rc = sat_conf_error(group, "ca", "is needed: who signs the certificates of clients; "
				    "verify = false lets those in that have none");
	return rc;
}

static int load(struct sat_tls *t, const struct sat_conf *group)
{
	char why[400] = "";
	int rc;

	stamp_files(t, t->stamps);
	rc = t->library->load(t->user, &t->files, &t->context, why, sizeof(why));
	if (rc != 0)
		sat_conf_error(group, NULL, "%s", *why != '\0' ? why : strerror(-rc));
	return rc;
}

struct sat_tls *tls_new(struct sat_self *self, const struct sat_tls_library *library,
			const struct sat_conf *group, bool server)
{
	struct sat_tls *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		sat_conf_error(group, NULL, "%s", strerror(ENOMEM));
		return NULL;
	}
	t->user = self;
	t->library = library;
	t->files = (struct sat_tls_files){
		.size = sizeof(t->files), .server = server, .verify = sat_conf_boolean(group, "verify"),
		.ca = sat_conf_string(group, "ca"), .cert = sat_conf_string(group, "cert"),
		.key = sat_conf_string(group, "key"),
	};
	if (judge(group, &t->files) != 0 || load(t, group) != 0) {
		free(t);
		return NULL;
	}
	t->next = all;
	t->link = &all;
	if (all != NULL)
		all->link = &t->next;
	all = t;
	return t;
}

void sat_tls_free(struct sat_tls *t)
{
	if (t == NULL)
		return;
	if (t->next != NULL)
		t->next->link = t->link;
	*t->link = t->next;
	t->library->unload(t->context);
	free(t);
}

static void reload(struct sat_tls *t)
{
	struct stamp now[N_FILES];
	char why[400] = "";
	void *context;
	int rc;

	stamp_files(t, now);
	if (same_stamps(now, t->stamps))
		return;
	rc = t->library->load(t->user, &t->files, &context, why, sizeof(why));
	if (rc != 0) {
		log_line(LOG_ERR, t->user->name, "tls: %s; what was read before goes on",
			 *why != '\0' ? why : strerror(-rc));
		return;
	}
	t->library->unload(t->context);
	t->context = context;
	memcpy(t->stamps, now, sizeof(now));
	log_line(LOG_NOTICE, t->user->name, "tls: new certificates are in use");
}

void tls_reload(void)
{
	for (struct sat_tls *t = all; t != NULL; t = t->next)
		reload(t);
}

/* ---- Connections -------------------------------------------------------- */

struct sat_tls_conn *sat_tls_open(struct sat_tls *t, const char *name)
{
	return t->library->open(t->context, name);
}

int sat_tls_decrypt(struct sat_tls_conn *c, const void *p, size_t n, void *to, size_t *got, struct sat_buf *out)
{
	return c->library->decrypt(c, p, n, to, got, out);
}

int sat_tls_encrypt(struct sat_tls_conn *c, const void *p, size_t n, struct sat_buf *out)
{
	return c->library->encrypt(c, p, n, out);
}

bool sat_tls_ready(const struct sat_tls_conn *c)
{
	return c->library->ready(c);
}

const char *sat_tls_why(const struct sat_tls_conn *c)
{
	return c->library->why(c);
}

void sat_tls_close(struct sat_tls_conn *c, struct sat_buf *out)
{
	if (c != NULL)
		c->library->close(c, out);
}
