/* SPDX-License-Identifier: Apache-2.0 */
/* accept - what a client wants its answer as: the headers Accept and Accept-Encoding. */
#ifndef ACCEPT_H
#define ACCEPT_H

#include <stdbool.h>

/* NULL: there is no such header. */
bool accept_openmetrics(const char *accept);	/* rather than text */
bool accept_gzip(const char *encoding);

#endif
