/* SPDX-License-Identifier: Apache-2.0 */
/* store - who uses which store: sat_store_*() of module.h, over a module's struct sat_store. */
#ifndef STORE_H
#define STORE_H

#include "self.h"

/* The link of `user` to the store that the instance `store` is; owned by user's
 * instance, freed by store_drop(). */
struct sat_link *store_link(struct sat_self *user, struct sat_self *store);
struct sat_self *store_of(const struct sat_link *link);
void store_drop(struct sat_link *link);

#endif
