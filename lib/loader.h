/* SPDX-License-Identifier: Apache-2.0 */
/* loader - dlopen, the ABI check, and which module has a name. */
#ifndef LOADER_H
#define LOADER_H

#include <satellite/module.h>

/* Look in these folders (NULL-ended; NULL: none), then in modules/ beside the
 * executable or else in the installed one; a .so and its folder must not be
 * writable by everyone.  Reads the .names beside each .so; opens those without.
 * Again, at a reload: sees what is new; what was loaded stays. */
int loader_folders(const char *const *folders);

enum loader_kind { LOADER_MODULE, LOADER_OP, LOADER_CHECK, LOADER_STORE, LOADER_COMMAND, LOADER_SERVICE };

/*
 * The module that has `name`, loaded if it was not; NULL: none has (*why is
 * a reason for people, static until the next call; empty when none is known).
 * Services are "http-server", "http-client", "tls".  Two modules that have the
 * same name are an error for that name.
 */
const struct sat_module *loader_find(enum loader_kind kind, const char *name, const char **why);
const struct sat_op *loader_op(const struct sat_module *m, const char *name);
const struct sat_check *loader_check(const struct sat_module *m, const char *name);
/* Open one file, check its ABI.  The copy returned has zeroes past what the
 * .so was built with, and so have its tables.  Never closed. */
int loader_open(const char *path, const struct sat_module **module, const char **why);
/* "operator where" lines and so on, as `satellite module FILE --names` prints. */
void loader_names(const struct sat_module *m, struct sat_buf *out);
void loader_close(void);	/* frees the tables, for leak checks; no dlclose */

#endif
