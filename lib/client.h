/* SPDX-License-Identifier: Apache-2.0 */
/* client - sat_fetch() over whichever module is the HTTP client. */
#ifndef CLIENT_H
#define CLIENT_H

#include "self.h"

/* The instance that has "http-client", set when it is needed; NULL: none. */
void client_use(struct sat_self *client);
struct sat_self *client_instance(void);
void client_forget(struct sat_self *self);	/* cancels what it has under way, unheard */

#endif
