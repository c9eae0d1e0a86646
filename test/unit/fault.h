/* SPDX-License-Identifier: Apache-2.0 */
/* fault - make the nth allocation from now fail (linked with ld --wrap). */
#ifndef FAULT_H
#define FAULT_H

void fault_arm(int nth);	/* 0: all succeed */
int fault_fired(void);		/* whether the armed one has come */

#endif
