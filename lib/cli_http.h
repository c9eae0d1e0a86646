/* SPDX-License-Identifier: Apache-2.0 */
/* cli_http - one request over a unix or TCP socket, blocking, for the operator's commands. */
#ifndef CLI_HTTP_H
#define CLI_HTTP_H

#include <stdbool.h>
#include <stddef.h>

struct cli_ask {
	const char *url;	/* http://host[:port]; NULL: the socket below */
	const char *socket;
	const char *method, *path, *body;	/* body NULL: none */
	bool patient;		/* an answer in chunks may be silent for long */
	int (*text)(void *arg, const void *p, size_t n);	/* its body, as it comes; not 0 ends it */
	void *arg;
};
struct cli_answer {
	int status;		/* HTTP's */
	int exit_status;	/* of a command; 0: it had none */
	char type[80];
	char error[300];	/* why there is no answer */
};
/* What is asked is in out before text() is called first.  -errno: no whole answer, error says why. */
int cli_http(const struct cli_ask *ask, struct cli_answer *out);

#endif
