/* SPDX-License-Identifier: Apache-2.0 */
/* job - one thing after the other that the spool does with the disk, on another thread. */
#include <stdio.h>
#include <stdlib.h>

#include "job.h"

static int note(struct job *j, int rc)
{
	if (rc != 0 && j->rc == 0) {
		j->rc = rc;
		snprintf(j->what, sizeof(j->what), "%s", disk_what(j->disk));
	}
	return rc;
}

int job_work(void *arg)
{
	struct job *j = arg;
	struct disk *d = j->disk;

	if (!disk_is_open(d)) {
		j->opened = note(j, disk_open(d, &j->found));
		j->damaged = disk_damaged(d);
		if (j->opened != 0)
			return 0;
	}
	note(j, disk_forget(d, j->passed));
	if (j->n_front > 0)
		j->fronted = note(j, disk_prepend(d, &j->front, j->n_front));
	if (j->n_back > 0)
		j->written = note(j, disk_append(d, &j->back, j->n_back, &j->dropped));
	if (j->want > 0)
		note(j, disk_read(d, j->records, j->want, &j->n, &j->lost));
	j->oldest = disk_first(d);
	if (j->close)
		disk_close(d);
	return 0;
}

void job_free(struct job *j)
{
	for (size_t i = 0; i < j->n; i++)
		parcel_unref(j->records[i].parcel);
	sat_buf_free(&j->front);
	sat_buf_free(&j->back);
	free(j);
}
