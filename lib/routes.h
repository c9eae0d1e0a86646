/* SPDX-License-Identifier: Apache-2.0 */
/* routes - the host's own: /healthz, /readyz, /status, /index, /command and a plain front page. */
#ifndef ROUTES_H
#define ROUTES_H

struct sat_request;

int routes_init(void);
int routes_get_index(void *state, struct sat_request *req);

#endif
