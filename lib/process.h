/* SPDX-License-Identifier: Apache-2.0 */
/* process - what a daemon asks of the system: signals, limits, its folder and lock. */
#ifndef PROCESS_H
#define PROCESS_H

struct uv_loop_s;

void process_begin(void);		/* before any module is loaded */
/* As process 1 of a container: be its init, with the daemon below.  It returns there; -errno: nowhere. */
int process_init(void);
void process_raise_files(void);		/* the file limit; says so in the log */
/* Create the folder, and see to it that no other satellite uses it; -errno: reported. */
int process_lock(const char *state_dir);
void process_unlock(void);
/* 0, or -EBUSY: handles were left open; their types are in the log. */
int process_close_loop(struct uv_loop_s *loop);

#endif
