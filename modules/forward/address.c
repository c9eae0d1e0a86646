/* SPDX-License-Identifier: Apache-2.0 */
/* address - a master's name and port out of a setting. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "forward.h"

static const char *read_port(const char *text, int *port)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0 || n < 1 || n > 65535 || *text == '+')
		return "has no port from 1 to 65535";
	*port = (int)n;
	return NULL;
}

const char *address_split(const char *text, char *host, size_t size, int *port)
{
	const char *colon = strchr(text, ':'), *end = text + strlen(text);
	const char *after = NULL;
	size_t len;

	if (*text == '[') {
		end = strchr(++text, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return "is not [address]:port";
		after = end[1] == ':' ? end + 2 : NULL;
	} else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
		end = colon;
		after = colon + 1;
	}
	len = (size_t)(end - text);
	if (len == 0 || len >= size)
		return "is no host";
	memcpy(host, text, len);
	host[len] = '\0';
	if (strpbrk(host, " \t\n/") != NULL)
		return "is no host";
	return after != NULL ? read_port(after, port) : NULL;
}
