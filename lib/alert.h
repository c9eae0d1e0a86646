/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alert - what SAT_ALERTS operators hand over: kept until it is sent, here or by another master.
 *
 * Each node that alerts has an outbox.  A follower keeps what is in it as a shadow, until
 * the log says that it was sent, or for two minutes.
 */
#ifndef ALERT_H
#define ALERT_H

#include "node.h"

int alerts_init(void);		/* without a loop: alerts_turn() is called by hand */
void alerts_end(void);
/* Send, keep or forget each as things stand now. */
void alerts_turn(void);
/* Who acts ends: what only waits for the log goes without it. */
void alerts_hurry(void);
/* A node of a new set takes the place of an old one. */
void alerts_adopt(struct node *next, struct node *prev);
void alerts_forget(struct node *n);	/* it goes; so does what was not sent */

#endif
