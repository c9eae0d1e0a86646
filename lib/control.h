/* SPDX-License-Identifier: Apache-2.0 */
/* control - HTTP/1.1 on a unix socket in the state directory, into the route table. */
#ifndef CONTROL_H
#define CONTROL_H

#include <satellite/module.h>

#define CONTROL_NAME "control"		/* of the socket, in the state directory */

int control_open(struct uv_loop_s *loop, const char *path);	/* -EADDRINUSE: another satellite lives there */
void control_close(void);		/* no new ones; what is under way is still answered */

#endif
