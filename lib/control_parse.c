/* SPDX-License-Identifier: Apache-2.0 */
/* control_parse - the head of an HTTP/1.x request, taken apart in place. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control_parse.h"

/* RFC 9110, 5.6.2: what a method and a header's name are made of. */
static bool token(const char *s)
{
	static const char other[] = "!#$%&'*+-.^_`|~";

	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		char c = (char)(*s | 0x20);

		if (!(c >= 'a' && c <= 'z') && !(*s >= '0' && *s <= '9') && strchr(other, *s) == NULL)
			return false;
	}
	return true;
}

static bool printable(const char *s, unsigned char least)
{
	for (; *s != '\0'; s++)
		if (((unsigned char)*s < least && *s != '\t') || *s == 0x7f)
			return false;
	return true;
}

/* METHOD SP target SP HTTP/1.x */
static int request_line(char *line, struct control_head *out)
{
	char *path = strchr(line, ' '), *version = path != NULL ? strchr(path + 1, ' ') : NULL, *query;

	if (version == NULL)
		return 400;
	*path++ = '\0';
	*version++ = '\0';
	if (strncmp(version, "HTTP/1.", 7) != 0)
		return strncmp(version, "HTTP/", 5) == 0 ? 505 : 400;
	if ((version[7] != '0' && version[7] != '1') || version[8] != '\0' || !token(line))
		return 400;
	if ((*path != '/' && strcmp(path, "*") != 0) || !printable(path, 0x21) || strchr(path, '\t') != NULL)
		return 400;
	query = strchr(path, '?');
	if (query != NULL)
		*query++ = '\0';
	out->method = line;
	out->path = path;
	out->query = query;
	out->old = version[7] == '0';
	return 0;
}

static int content_length(const char *value, struct control_head *out)
{
	char *end;

	if (*value < '0' || *value > '9')
		return 400;
	errno = 0;
	out->body_len = strtoull(value, &end, 10);
	return *end != '\0' || errno != 0 ? 400 : 0;
}

static int header_line(char *line, struct control_head *out)
{
	char *value = strchr(line, ':'), *end;

	if (value == NULL)
		return 400;
	*value++ = '\0';
	value += strspn(value, " \t");
	for (end = value + strlen(value); end > value && (end[-1] == ' ' || end[-1] == '\t'); end--)
		end[-1] = '\0';
	if (!token(line) || !printable(value, 0x20))
		return 400;
	if (out->n_headers == CONTROL_HEADERS)
		return 431;
	out->headers[out->n_headers++] = (struct sat_attr){ line, value };
	if (strcasecmp(line, "Transfer-Encoding") == 0)
		return 411;
	if (strcasecmp(line, "Expect") == 0)
		out->expects = strcasecmp(value, "100-continue") == 0;
	if (strcasecmp(line, "Content-Length") == 0)
		return out->body_len != 0 ? 400 : content_length(value, out);
	return 0;
}

int control_parse(char *text, size_t len, struct control_head *out)
{
	char *line = text, *end;
	int rc;

	memset(out, 0, sizeof(*out));
	if (memchr(text, '\0', len) != NULL)
		return 400;
	for (; (end = memmem(line, len - (size_t)(line - text), "\r\n", 2)) != NULL; line = end + 2) {
		*end = '\0';
		if (end == line && out->method != NULL)
			return 0;
		rc = end == line ? 0 : out->method == NULL ? request_line(line, out) : header_line(line, out);
		if (rc != 0)
			return rc;
	}
	return 400;
}
