/* SPDX-License-Identifier: Apache-2.0 */
/* show - what a module has, as `satellite module FILE.so` prints it. */
#ifndef SHOW_H
#define SHOW_H

#include <satellite/module.h>

void show_module(const struct sat_module *m);

#endif
