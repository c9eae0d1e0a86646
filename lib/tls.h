/* SPDX-License-Identifier: Apache-2.0 */
/* tls - certificates that instances use, over whichever module has TLS. */
#ifndef TLS_H
#define TLS_H

#include "self.h"

/* sat_tls_new() by a library that is known.  NULL: reported. */
struct sat_tls *tls_new(struct sat_self *self, const struct sat_tls_library *library,
			const struct sat_conf *group, bool server);
/* Read files again that changed; one that cannot be used leaves what was read before. */
void tls_reload(void);

#endif
