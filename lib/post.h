/* SPDX-License-Identifier: Apache-2.0 */
/* post - sat_post(), the only door into the loop from elsewhere.  work.c opens it. */
#ifndef POST_H
#define POST_H

#include <uv.h>

#include "self.h"

void post_init(uv_async_t *wake);	/* it is sent, and post_take() follows */
void post_take(void);			/* run what was posted by now */
void post_forget(const struct sat_self *self);	/* its posts are dropped */
void post_end(void);			/* all are, and no more come: wake may be closed */

#endif
