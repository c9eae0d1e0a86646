/* SPDX-License-Identifier: Apache-2.0 */
/* cli_http - one request over a unix or TCP socket, blocking, for the operator's commands. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli_http.h"

#define TIMEOUT_S	30
#define TEXT(n)	TEXT_(n)
#define TEXT_(n)	#n
#define LINE_MAX_LEN	8192
#define HEADERS_MAX	100

struct wire {
	FILE *f;
	struct cli_answer *out;
	bool chunked, closes;
	unsigned long long length;
};

static int fail(struct cli_answer *out, int rc, const char *where, const char *why)
{
	snprintf(out->error, sizeof(out->error), "%.150s: %.140s", where, why);
	return rc;
}

static const char *reason(int rc)
{
	switch (rc) {
	case -EAGAIN:
	case -EINPROGRESS:
	case -ETIMEDOUT:
		return "no answer within " TEXT(TIMEOUT_S) " seconds";
	case -EPIPE:
		return "the answer is cut off";
	case -EBADMSG:
		return "what it answers is no HTTP";
	default:
		return strerror(-rc);
	}
}

static void limit(int fd, int seconds)
{
	const struct timeval t = { .tv_sec = seconds };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

/* ---- To the other side -------------------------------------------------- */

static int connect_unix(const char *path, struct cli_answer *out)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd, rc;

	if (strlen(path) >= sizeof(at.sun_path))
		return fail(out, -ENAMETOOLONG, path, strerror(ENAMETOOLONG));
	strcpy(at.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(out, -errno, path, strerror(errno));
	limit(fd, TIMEOUT_S);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	rc = -errno;
	close(fd);
	if (rc == -ENOENT || rc == -ECONNREFUSED)
		return fail(out, rc, path, "no satellite runs there");
	return fail(out, rc, path, reason(rc));
}

/* "http://host:port" or "http://[v6]:port" into its parts. */
static int split_url(const char *url, char *host, size_t size, char port[8])
{
	const char *p = url + strlen("http://"), *end, *colon, *rest;

	strcpy(port, "5001");
	if (*p == '[') {
		end = strchr(++p, ']');
		colon = end != NULL && end[1] == ':' ? end + 1 : NULL;
	} else {
		end = p + strcspn(p, ":/");
		colon = *end == ':' ? end : NULL;
	}
	if (end == NULL || end == p || (size_t)(end - p) >= size)
		return -EINVAL;
	rest = end + (url[strlen("http://")] == '[');
	memcpy(host, p, (size_t)(end - p));
	host[end - p] = '\0';
	if (colon != NULL) {
		size_t n = strspn(colon + 1, "0123456789");

		if (n == 0 || n > 5 || atoi(colon + 1) < 1 || atoi(colon + 1) > 65535)
			return -EINVAL;
		snprintf(port, 8, "%.*s", (int)n, colon + 1);
		rest = colon + 1 + n;
	}
	return *rest == '\0' || strcmp(rest, "/") == 0 ? 0 : -EINVAL;	/* there are no paths above ours */
}

static int connect_tcp(const char *url, struct cli_answer *out)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct addrinfo *list = NULL;
	char host[256], port[8];
	int rc, fd = -1;

	if (strncasecmp(url, "https://", 8) == 0)
		return fail(out, -EPROTONOSUPPORT, url, "TLS is not spoken here; use http://, or the control socket");
	if (strncasecmp(url, "http://", 7) != 0 || split_url(url, host, sizeof(host), port) != 0)
		return fail(out, -EINVAL, url, "is not http://HOST:PORT");
	rc = getaddrinfo(host, port, &hints, &list);
	if (rc != 0)
		return fail(out, -EHOSTUNREACH, url, rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
	rc = -EHOSTUNREACH;
	for (struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			continue;
		limit(fd, TIMEOUT_S);
		if (connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
			rc = -errno;
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	return fd >= 0 ? fd : fail(out, rc, url, reason(rc));
}

static int send_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = send(fd, p, n, MSG_NOSIGNAL);

		if (done < 0)
			return -errno;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

static int send_request(int fd, const struct cli_ask *ask)
{
	const char *host = ask->url != NULL ? ask->url + strlen("http://") : "localhost";
	size_t body = ask->body != NULL ? strlen(ask->body) : 0;
	char *text;
	int n, rc;

	n = asprintf(&text, "%s %s HTTP/1.1\r\nHost: %.*s\r\nConnection: close\r\nContent-Type: application/json\r\n"
		     "Content-Length: %zu\r\n\r\n%s", ask->method, ask->path, (int)strcspn(host, "/"), host, body,
		     ask->body != NULL ? ask->body : "");
	if (n < 0)
		return -ENOMEM;
	rc = send_all(fd, text, (size_t)n);
	free(text);
	return rc;
}

/* ---- From it ------------------------------------------------------------ */

/* One line without its end. */
static int read_line(struct wire *w, char *line)
{
	size_t n;

	errno = 0;
	if (fgets(line, LINE_MAX_LEN, w->f) == NULL)
		return errno != 0 ? -errno : -EPIPE;
	n = strlen(line);
	if (n == 0 || line[n - 1] != '\n')
		return -EBADMSG;
	line[--n] = '\0';
	if (n > 0 && line[n - 1] == '\r')
		line[n - 1] = '\0';
	return 0;
}

static void take_header(struct wire *w, const char *line)
{
	const char *value = strchr(line, ':');
	size_t n = value != NULL ? (size_t)(value - line) : 0;

	if (value == NULL)
		return;
	value += 1 + strspn(value + 1, " \t");
	if (n == 14 && strncasecmp(line, "Content-Length", n) == 0) {
		w->length = strtoull(value, NULL, 10);
		w->closes = false;
	} else if (n == 17 && strncasecmp(line, "Transfer-Encoding", n) == 0) {
		w->chunked = strcasecmp(value, "chunked") == 0;
	} else if (n == 12 && strncasecmp(line, "Content-Type", n) == 0) {
		snprintf(w->out->type, sizeof(w->out->type), "%s", value);
	} else if (n == 13 && strncasecmp(line, "X-Exit-Status", n) == 0) {
		w->out->exit_status = atoi(value);
	}
}

static int read_head(struct wire *w)
{
	char line[LINE_MAX_LEN];
	int rc = read_line(w, line), n = 0;

	if (rc != 0)
		return rc;
	if (strncmp(line, "HTTP/1.", 7) != 0 || sscanf(line + 8, " %3d", &w->out->status) != 1)
		return -EBADMSG;
	w->closes = true;
	while ((rc = read_line(w, line)) == 0 && *line != '\0') {
		if (++n > HEADERS_MAX)
			return -EBADMSG;
		take_header(w, line);
	}
	return rc;
}

/* n bytes of body, or all until the end where it closes. */
static int read_bytes(struct wire *w, const struct cli_ask *ask, unsigned long long n, bool closes)
{
	char buf[16384];

	while (n > 0 || closes) {
		size_t want = closes || n > sizeof(buf) ? sizeof(buf) : (size_t)n, got;
		int rc;

		errno = 0;
		got = fread(buf, 1, want, w->f);
		if (got > 0) {
			rc = ask->text(ask->arg, buf, got);
			if (rc != 0)
				return rc;
		}
		if (got < want)
			return closes && errno == 0 ? 0 : errno != 0 ? -errno : -EPIPE;
		n -= closes ? 0 : got;
	}
	return 0;
}

static int read_chunks(struct wire *w, const struct cli_ask *ask)
{
	char line[LINE_MAX_LEN], *end;
	unsigned long long n;
	int rc;

	for (;;) {
		rc = read_line(w, line);
		if (rc != 0)
			return rc;
		n = strtoull(line, &end, 16);
		if (end == line)
			return -EBADMSG;
		if (n == 0)
			return 0;
		rc = read_bytes(w, ask, n, false);
		if (rc == 0)
			rc = read_line(w, line);
		if (rc != 0)
			return rc;
	}
}

static int read_answer(struct wire *w, const struct cli_ask *ask)
{
	int rc = read_head(w);

	if (rc != 0)
		return rc;
	if (w->chunked && ask->patient)
		limit(fileno(w->f), 0);
	return w->chunked ? read_chunks(w, ask) : read_bytes(w, ask, w->length, w->closes);
}

int cli_http(const struct cli_ask *ask, struct cli_answer *out)
{
	const char *where = ask->url != NULL ? ask->url : ask->socket;
	struct wire w = { .out = out };
	int rc, fd;

	memset(out, 0, sizeof(*out));
	fd = ask->url != NULL ? connect_tcp(ask->url, out) : connect_unix(ask->socket, out);
	if (fd < 0)
		return fd;
	w.f = fdopen(fd, "r");
	if (w.f == NULL) {
		rc = fail(out, -ENOMEM, where, strerror(ENOMEM));
		close(fd);
		return rc;
	}
	rc = send_request(fd, ask);
	if (rc == 0 || rc == -EPIPE)	/* it may have answered early */
		rc = read_answer(&w, ask);
	fclose(w.f);
	return rc == 0 ? 0 : fail(out, rc, where, reason(rc));
}
