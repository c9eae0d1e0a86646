/* SPDX-License-Identifier: Apache-2.0 */
/* legal - numbers and texts of a Mesos master that are fit for an event. */
#ifndef LEGAL_H
#define LEGAL_H

#include <satellite/module.h>

/* A number as Mesos means it: an integer, even where it is written 3.0; else a
 * double.  false: neither is able to hold it. */
bool legal_number(const char *text, size_t len, struct sat_value *v);
/* UTF-8 without control characters: fit for an event and a file. */
bool legal_text(const char *text, size_t len);

#endif
