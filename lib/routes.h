/* SPDX-License-Identifier: Apache-2.0 */
/* routes - the host's own: /healthz, /readyz, /status, /index, /command and a plain front page. */
#ifndef ROUTES_H
#define ROUTES_H

struct sat_buf;
struct sat_request;

int routes_init(void);
/* What stands above these files has to say of how it is: a member of /status; NULL: nothing more. */
void routes_status(const char *name, void (*print)(struct sat_buf *out));
int routes_get_index(void *state, struct sat_request *req);

#endif
