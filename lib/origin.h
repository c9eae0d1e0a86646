/* SPDX-License-Identifier: Apache-2.0 */
/* origin - which web pages may have a browser change something here. */
#ifndef ORIGIN_H
#define ORIGIN_H

#include <stdbool.h>

bool origin_valid(const char *s);		/* "scheme://host", with a port or without, "null" or "*" */
/* These, and pages of our own; NULL-ended, borrowed until the next; NULL: no others. */
void origin_allow(const char *const *list);
/* origin: the browser's header; NULL: it is no browser's request.  host: the header. */
bool origin_allowed(const char *origin, const char *host);

#endif
