/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_text - the text of a config with its includes in place, and where each
 * line of it came from.
 *
 * libconfig looks for an @include in the working directory, and wraps integers
 * over 2^31-1 without a word: both are dealt with here, before it reads.
 */
#ifndef CONF_TEXT_H
#define CONF_TEXT_H

#include <stdbool.h>

struct conf_text;

/* NULL: reported. */
struct conf_text *conf_text_read(const char *path);
struct conf_text *conf_text_given(const char *string, const char *name);
void conf_text_free(struct conf_text *t);	/* NULL is fine */
const char *conf_text_string(const struct conf_text *t);
/* Where a line of the whole stands: its own line, and *file, good as long as t is. */
unsigned conf_text_line(const struct conf_text *t, unsigned line, const char **file);
/* Whether a number on that line of the whole is too large for libconfig; it was reported. */
bool conf_text_cut(const struct conf_text *t, unsigned line);

#endif
