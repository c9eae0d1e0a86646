/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip - an answer that is compressed on a thread: ten megabytes take longer than a turn may.
 *
 * Text and result are in the account of buffers meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#include "metrics.h"

#define PACKING_MAX	4	/* at a time */
#define LEAST		1024	/* bytes that are worth it */

struct packing {
	struct metrics *m;
	struct sat_request *req;
	enum families_form form;
	struct sat_buf text;
	size_t reserved, len;
	unsigned char *packed;
};

static int pack(void *arg)
{
	struct packing *p = arg;
	z_stream z = { .next_in = (unsigned char *)p->text.p, .avail_in = (unsigned)p->text.len };
	int rc;

	if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)	/* 16: as gzip */
		return -ENOMEM;
	p->len = deflateBound(&z, p->text.len);
	p->packed = malloc(p->len);
	z.next_out = p->packed;
	z.avail_out = (unsigned)p->len;
	rc = p->packed != NULL ? deflate(&z, Z_FINISH) : Z_MEM_ERROR;
	p->len = z.total_out;
	deflateEnd(&z);
	return rc == Z_STREAM_END ? 0 : -ENOMEM;
}

static void discard(void *arg)
{
	struct packing *p = arg;

	sat_buf_free(&p->text);
	free(p->packed);
	free(p);
}

static void packed(void *arg, int rc)
{
	static const char *const extra[] = { "Content-Encoding: gzip", "Vary: Accept, Accept-Encoding", NULL };
	struct packing *p = arg;
	struct metrics *m = p->m;

	sat_release(m->self, SAT_BUFFERS, p->reserved);
	m->packing--;
	if (rc == 0) {
		sat_reply(p->req, 200, metrics_types[p->form], p->packed, p->len, extra);
	} else if (rc == -ETIMEDOUT) {
		sat_reply_error(p->req, 503, "the answer could not be compressed in time");
	} else {
		sat_count(m->self, COUNT_PLAIN, 1);
		sat_reply(p->req, 200, metrics_types[p->form], p->text.p, p->text.len, extra + 1);
	}
	if (rc != -ETIMEDOUT)	/* then the thread still reads it */
		discard(p);
	if (m->stopping && m->packing == 0)
		sat_stopped(m->self);
}

bool gzip_answer(struct metrics *m, struct sat_request *req, enum families_form form, struct sat_buf *text)
{
	struct packing *p;
	struct sat_job job = { .size = sizeof(job), .work = pack, .done = packed, .late = discard };

	if (text->len < LEAST || text->len > UINT32_MAX / 2 || m->packing >= PACKING_MAX)
		return false;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return false;
	*p = (struct packing){ .m = m, .req = req, .form = form, .text = *text, .reserved = 2 * text->len };
	job.arg = p;
	if (sat_reserve(m->self, SAT_BUFFERS, p->reserved) != 0) {
		free(p);
		return false;
	}
	if (sat_work(m->self, &job) != 0) {
		sat_release(m->self, SAT_BUFFERS, p->reserved);
		free(p);
		return false;
	}
	m->packing++;
	return true;
}
