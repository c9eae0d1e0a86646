/* SPDX-License-Identifier: Apache-2.0 */
/* fault - make the nth allocation or the nth system call from now fail (linked with ld --wrap). */
#ifndef FAULT_H
#define FAULT_H

/* One of both kinds at a time; calls of other threads count, too. */
void fault_arm(int nth);	/* an allocation; 0: all succeed */
void fault_arm_call(int nth);	/* open, write, fsync, rename, a socket, a thread */
int fault_fired(void);		/* whether the armed one has come */

#endif
