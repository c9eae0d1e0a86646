/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vitals - what this process watches about itself, as events of its own.
 *
 * Every so often each counter of the host and of its instances becomes an event
 * {host: own, service: satellite/INSTANCE/COUNTER, tag: satellite}: of a gauge its
 * value, of other counters how much a second it grew.  satellite-events.7 lists
 * them.  Nothing is done between, so that events cost no more for it.
 */
#ifndef VITALS_H
#define VITALS_H

#include <stdint.h>

/* Tell every `interval` microseconds from now on; 0: never. */
void vitals_every(int64_t interval);

#endif
