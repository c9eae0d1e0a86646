/* SPDX-License-Identifier: Apache-2.0 */
/* exporter - figures of Mesos' metrics/snapshot, under the names that mesos_exporter gave them. */
#ifndef EXPORTER_H
#define EXPORTER_H

#include "families.h"

struct exporter;
void exporter_init(void);	/* once, before any of the others */
struct exporter *exporter_new(struct families *f);	/* of one answer.  NULL: out of memory */
/* true: it was satellite_mesos_snapshot{name="…",key="…"}, and has gone to the families. */
bool exporter_take(struct exporter *e, const char *name, const struct sat_attr *labels, uint32_t n, double value);
void exporter_end(struct exporter *e);	/* what follows from several figures */
void exporter_free(struct exporter *e);

#endif
