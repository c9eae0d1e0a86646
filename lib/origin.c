/* SPDX-License-Identifier: Apache-2.0 */
/*
 * origin - which web pages may have a browser change something here.
 *
 * A browser sends what any page tells it to, with what the network lets it
 * reach, and names the page's origin.  Other clients name none.
 */
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "origin.h"

static const char *const *allowed;

bool origin_valid(const char *s)
{
	const char *host = strstr(s, "://");

	if (strcmp(s, "*") == 0 || strcmp(s, "null") == 0)
		return true;
	return host != NULL && host > s && host[3] != '\0' && strpbrk(host + 3, "/ \t?#") == NULL;
}

void origin_allow(const char *const *list)
{
	allowed = list;
}

/* The page came from here: by whatever scheme, since a proxy may end TLS. */
static bool is_own(const char *origin, const char *host)
{
	const char *from = strstr(origin, "://");

	return host != NULL && from != NULL && strcasecmp(from + 3, host) == 0;
}

bool origin_allowed(const char *origin, const char *host)
{
	if (origin == NULL || is_own(origin, host))
		return true;
	for (size_t i = 0; allowed != NULL && allowed[i] != NULL; i++)
		if (strcmp(allowed[i], "*") == 0 || strcasecmp(allowed[i], origin) == 0)
			return true;
	return false;
}
