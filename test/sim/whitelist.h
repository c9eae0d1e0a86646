/* SPDX-License-Identifier: Apache-2.0 */
/* whitelist - the file of hosts that get offers, read as Mesos reads it. */
#ifndef SIM_WHITELIST_H
#define SIM_WHITELIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct whitelist {
	char *path;
	char *text;			/* what the names point into */
	const char **names;		/* sorted */
	size_t n;
	bool known;			/* has been read once; else all pass */
	bool readable;			/* at the last try */
	uint64_t reads, change;		/* change moves with the set */
};

/* NULL for path, or "*": none. */
void whitelist_init(struct whitelist *w, const char *path);
void whitelist_free(struct whitelist *w);
void whitelist_read(struct whitelist *w);
/* Does this host get offers?  w may be NULL. */
bool whitelist_has(const struct whitelist *w, const char *host);

#endif
