/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip - an answer that is compressed on a thread: ten megabytes take longer than a turn may.
 *
 * The text stays until that is done, for where it cannot be.
 */
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#include "metrics.h"

#define PACKING_MAX	4	/* at a time */
#define LEAST		1024	/* bytes that are worth it */
#define SHARE		4	/* so many times shorter it gets, and most often shorter still */

struct packing {
	struct scrape *s;	/* which waits for it, unless it is late */
	struct blocks text, packed;
	size_t reserved;
};

/* What z has for it goes to the blocks, until it wants more. */
static int deflate_on(z_stream *z, int flush, struct blocks *out)
{
	size_t room, left;
	int rc;

	do {
		z->next_out = (unsigned char *)blocks_room(out, &room);
		if (z->next_out == NULL)
			return -ENOMEM;
		z->avail_out = (unsigned)room;
		rc = deflate(z, flush);
		left = z->avail_out;
		blocks_fill(out, room - left);
	} while (left == 0 && rc != Z_STREAM_END);
	return rc == Z_STREAM_ERROR ? -ENOMEM : 0;
}

static int pack(void *arg)
{
	struct packing *p = arg;
	z_stream z = { 0 };
	int rc = 0;

	if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)	/* 16: as gzip */
		return -ENOMEM;
	for (struct block *b = p->text.first; b != NULL && rc == 0; b = b->next) {
		z.next_in = (unsigned char *)b->text;
		z.avail_in = (unsigned)b->len;
		rc = deflate_on(&z, b->next != NULL ? Z_NO_FLUSH : Z_FINISH, &p->packed);
	}
	deflateEnd(&z);
	return rc;
}

static void discard(void *arg)
{
	struct packing *p = arg;

	blocks_free(&p->text);
	blocks_free(&p->packed);
	free(p);
}

/* Compressed, or as it was. */
static void give_back(struct packing *p, int rc)
{
	struct scrape *s = p->s;

	s->gzip = rc == 0;
	if (rc != 0)
		sat_count(s->m->self, COUNT_PLAIN, 1);
	s->text = rc == 0 ? p->packed : p->text;
	*(rc == 0 ? &p->packed : &p->text) = (struct blocks){ 0 };
	scrape_answer(s);
}

static void packed(void *arg, int rc)
{
	struct packing *p = arg;
	struct metrics *m = p->s->m;

	sat_release(m->self, SAT_BUFFERS, p->reserved);
	m->packing--;
	if (rc == -ETIMEDOUT) {		/* the thread still reads it */
		scrape_fail(p->s, "the answer could not be compressed in time");
	} else {
		give_back(p, rc);
		discard(p);
	}
	if (m->stopping && m->packing == 0)
		sat_stopped(m->self);
}

bool gzip_answer(struct scrape *s)
{
	struct metrics *m = s->m;
	struct packing *p;
	struct sat_job job = { .size = sizeof(job), .work = pack, .done = packed, .late = discard };

	if (s->text.len < LEAST || m->packing >= PACKING_MAX)
		return false;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return false;
	*p = (struct packing){ .s = s, .text = s->text, .reserved = s->text.len / SHARE };
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
	s->text = (struct blocks){ 0 };
	m->packing++;
	return true;
}
