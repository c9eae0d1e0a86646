/* SPDX-License-Identifier: Apache-2.0 */
/* url - zk://USER:PASSWORD@HOST:PORT,HOST:PORT/PATH, as Mesos' masters take it. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "leader.h"

#define PATH_MAX_BYTES	1024

static bool legal_host(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!isalnum((unsigned char)p[i]) && strchr(".-_:[]", p[i]) == NULL)
			return false;
	return n > 0 && p[0] != ':';
}

/* A server without a port has ZooKeeper's. */
static const char *add_host(struct sat_buf *b, const char *p, size_t n)
{
	const char *after = p[0] == '[' ? memchr(p, ']', n) : p;
	bool has_port;

	if (!legal_host(p, n) || after == NULL)
		return "names a server that is not HOST:PORT";
	has_port = memchr(after, ':', n - (size_t)(after - p)) != NULL;
	sat_buf_printf(b, "%s%.*s%s", b->len > 0 ? "," : "", (int)n, p, has_port ? "" : ":2181");
	return NULL;
}

static const char *parse_hosts(const char *p, const char *end, char **hosts)
{
	struct sat_buf b = { .max = 8192 };
	const char *wrong = p == end ? "names no server" : NULL;

	while (wrong == NULL && p < end) {
		size_t n = strcspn(p, ",/");

		wrong = add_host(&b, p, n);
		p += n + (p[n] == ',');
		if (wrong == NULL && p == end && p[-1] == ',')
			wrong = "names a server that is not HOST:PORT";
	}
	sat_buf_add(&b, "", 1);
	if (wrong != NULL || b.full) {
		sat_buf_free(&b);
		return wrong;
	}
	*hosts = b.p;
	return NULL;
}

static bool legal_path(const char *path, size_t n)
{
	size_t i;

	if (n < 2 || n > PATH_MAX_BYTES || strstr(path, "//") != NULL || strstr(path, "/.") != NULL)
		return false;
	for (i = 0; i < n; i++)
		if ((unsigned char)path[i] <= ' ' || path[i] == 0x7f)
			return false;
	return true;
}

static char *copy(const char *text, size_t n)
{
	char *to = malloc(n + 1);

	if (to != NULL)
		memcpy(to, text, n);
	if (to != NULL)
		to[n] = '\0';
	return to;
}

const char *url_parse(const char *text, char **hosts, char **path, char **auth)
{
	const char *p = text + 5, *end, *at = NULL, *q, *wrong;
	size_t n;

	if (strncmp(text, "zk://", 5) != 0)
		return "is not zk://HOST:PORT,HOST:PORT/PATH";
	end = p + strcspn(p, "/");
	for (q = p; q < end; q++)
		if (*q == '@')
			at = q;
	if (at != NULL && memchr(p, ':', (size_t)(at - p)) == NULL)
		return "has an @, but no USER:PASSWORD before it";
	wrong = parse_hosts(at != NULL ? at + 1 : p, end, hosts);
	if (wrong != NULL || *hosts == NULL)
		return wrong;
	for (n = strlen(end); n > 1 && end[n - 1] == '/'; n--)
		continue;
	if (!legal_path(end, n))
		return "needs the path of Mesos' masters behind the servers: zk://HOST:PORT/mesos";
	*path = copy(end, n);
	if (at != NULL)
		*auth = copy(p, (size_t)(at - p));
	return NULL;
}
