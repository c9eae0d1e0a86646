/* SPDX-License-Identifier: Apache-2.0 */
/* state - the state file, replaced whole, and the values that lie in its records. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "event.h"
#include "state.h"
#include "timer.h"

static const char magic[16] = "satellite-state1";
enum { LIMIT = 64 * 1024 * 1024 };	/* of one record */
#define FILE_LIMIT	((size_t)4 << 30)

struct head { uint32_t kind, len, crc; };

static uint32_t crc32_of(const unsigned char *p, size_t n)
{
	static uint32_t table[256];
	uint32_t crc = 0xffffffff;

	if (table[1] == 0)
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t c = i;

			for (int k = 0; k < 8; k++)
				c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
			table[i] = c;
		}
	while (n-- > 0)
		crc = table[(crc ^ *p++) & 0xff] ^ crc >> 8;
	return ~crc;
}

/* ---- The file ----------------------------------------------------------- */

void state_record_more(struct sat_buf *file, uint32_t kind, const void *p, size_t n)
{
	struct head h = { kind, (uint32_t)n, crc32_of(p, n) };

	if (n > LIMIT)
		return;
	sat_buf_add(file, &h, sizeof(h));
	sat_buf_add(file, p, n);
}

void state_begin(struct sat_buf *file)
{
	sat_buf_add(file, magic, sizeof(magic));
}

void state_record(struct sat_buf *file, uint32_t kind, const void *p, size_t n)
{
	if (file->len == 0)
		state_begin(file);
	state_record_more(file, kind, p, n);
}

int state_put(const char *path, const struct sat_buf *file)
{
	if (file->len == 0)
		return sat_file_replace(path, magic, sizeof(magic), 0600);
	return sat_file_replace(path, file->p, file->len, 0600);
}

int state_parse(const void *bytes, size_t n, void (*record)(void *arg, uint32_t kind, const void *p, size_t n),
		void *arg, unsigned *bad)
{
	const unsigned char *p = bytes, *end = p + n;
	struct head h;

	*bad = 0;
	if (n < sizeof(magic) || memcmp(p, magic, sizeof(magic)) != 0)
		return -EBADMSG;
	for (p += sizeof(magic); end - p >= (ptrdiff_t)sizeof(h); p += h.len) {
		memcpy(&h, p, sizeof(h));
		p += sizeof(h);
		if (h.len > LIMIT || h.len > (size_t)(end - p)) {
			p = NULL;	/* nothing behind it can be found */
			break;
		}
		if (crc32_of(p, h.len) == h.crc)
			record(arg, h.kind, p, h.len);
		else
			++*bad;
	}
	*bad += p != end;
	return 0;
}

int state_read(const char *path, void (*record)(void *arg, uint32_t kind, const void *p, size_t n),
	       void *arg, unsigned *bad)
{
	char *file = NULL;
	size_t n = 0;
	int rc = sat_file_read(path, FILE_LIMIT, &file, &n);

	*bad = 0;
	if (rc == 0)
		rc = state_parse(file, n, record, arg, bad);
	free(file);
	return rc;
}

/* ---- Values ------------------------------------------------------------- */

static int put(struct sat_writer *out, char tag, const void *p, size_t n)
{
	sat_buf_add(&out->b, &tag, 1);
	sat_buf_add(&out->b, p, n);
	return out->b.full ? -ENOMEM : 0;
}

static const void *get(struct sat_reader *in, char tag, size_t n)
{
	const unsigned char *p = in->p;

	if (in->rc != 0 || (size_t)(in->end - p) < n + 1 || p[0] != (unsigned char)tag) {
		in->rc = -EBADMSG;
		return NULL;
	}
	in->p = p + n + 1;
	return p + 1;
}

int sat_write_int(struct sat_writer *out, int64_t v)
{
	return put(out, 'i', &v, sizeof(v));
}

int sat_write_double(struct sat_writer *out, double v)
{
	return put(out, 'd', &v, sizeof(v));
}

int sat_write_text(struct sat_writer *out, const char *s)
{
	uint32_t n = s != NULL ? (uint32_t)strlen(s) : 0;

	if (s == NULL)
		return put(out, 'n', NULL, 0);
	put(out, 't', &n, sizeof(n));
	sat_buf_add(&out->b, s, n + 1);
	return out->b.full ? -ENOMEM : 0;
}

int sat_read_int(struct sat_reader *in, int64_t *v)
{
	const void *p = get(in, 'i', sizeof(*v));

	*v = 0;
	if (p != NULL)
		memcpy(v, p, sizeof(*v));
	return in->rc;
}

int sat_read_double(struct sat_reader *in, double *v)
{
	const void *p = get(in, 'd', sizeof(*v));

	*v = 0;
	if (p != NULL)
		memcpy(v, p, sizeof(*v));
	return in->rc;
}

int sat_read_text(struct sat_reader *in, const char **s)
{
	const void *p;
	uint32_t n;

	*s = NULL;
	if (in->rc == 0 && in->p < in->end && *in->p == 'n') {
		in->p++;
		return 0;
	}
	p = get(in, 't', sizeof(n));
	if (p == NULL)
		return in->rc;
	memcpy(&n, p, sizeof(n));
	if ((size_t)(in->end - in->p) < (size_t)n + 1 || in->p[n] != '\0')
		return in->rc = -EBADMSG;
	*s = (const char *)in->p;
	in->p += (size_t)n + 1;
	return 0;
}

int sat_write_event(struct sat_writer *out, const struct sat_event *ev)
{
	sat_write_int(out, ev->has);
	sat_write_text(out, ev->host);
	sat_write_text(out, ev->service);
	sat_write_text(out, ev->state);
	sat_write_text(out, ev->description);
	sat_write_int(out, ev->time);
	sat_write_double(out, ev->ttl);
	sat_write_int(out, ev->metric.i);	/* a double's bits, too */
	sat_write_int(out, ev->n_tags);
	for (uint32_t i = 0; i < ev->n_tags; i++)
		sat_write_text(out, ev->tags[i]);
	sat_write_int(out, ev->n_attrs);
	for (uint32_t i = 0; i < ev->n_attrs; i++) {
		sat_write_text(out, ev->attrs[i].key);
		sat_write_text(out, ev->attrs[i].value);
	}
	return out->b.full ? -ENOMEM : 0;
}

/* How many of a list come next; no more than there are bytes left. */
static uint32_t read_count(struct sat_reader *in)
{
	int64_t n;

	sat_read_int(in, &n);
	if (n < 0 || n > in->end - in->p) {
		in->rc = -EBADMSG;
		return 0;
	}
	return (uint32_t)n;
}

static void read_lists(struct sat_reader *in, struct sat_event *ev, struct arena *a)
{
	const char **tags;
	struct sat_attr *attrs;

	ev->n_tags = read_count(in);
	ev->tags = tags = arena_get(a, ev->n_tags * sizeof(*tags) + 1);
	for (uint32_t i = 0; tags != NULL && i < ev->n_tags && in->rc == 0; i++)
		if (sat_read_text(in, &tags[i]) == 0 && tags[i] == NULL)
			in->rc = -EBADMSG;
	ev->n_attrs = read_count(in);
	ev->attrs = attrs = arena_get(a, ev->n_attrs * sizeof(*attrs) + 1);
	for (uint32_t i = 0; attrs != NULL && i < ev->n_attrs && in->rc == 0; i++) {
		sat_read_text(in, &attrs[i].key);
		sat_read_text(in, &attrs[i].value);
		if (in->rc == 0 && (attrs[i].key == NULL || attrs[i].value == NULL))
			in->rc = -EBADMSG;
	}
	if (tags == NULL || attrs == NULL)
		in->rc = -ENOMEM;
}

int sat_read_event(struct sat_reader *in, const struct sat_event **out)
{
	struct sat_event ev = { .size = sizeof(ev) };
	struct arena a = { 0 };
	struct event *copy;
	int64_t has;

	*out = NULL;
	sat_read_int(in, &has);
	ev.has = (uint32_t)has;
	sat_read_text(in, &ev.host);
	sat_read_text(in, &ev.service);
	sat_read_text(in, &ev.state);
	sat_read_text(in, &ev.description);
	sat_read_int(in, &ev.time);
	sat_read_double(in, &ev.ttl);
	sat_read_int(in, &ev.metric.i);
	read_lists(in, &ev, &a);
	if (in->rc == 0) {
		copy = event_copy(&ev);
		if (copy == NULL)
			in->rc = -ENOMEM;
		else
			*out = &copy->pub;
	}
	arena_free(&a);
	return in->rc;
}

/* A timer is kept as what it had left, since time away does not count, and its
 * order: what is due at the same moment fires as it would have. */
int sat_write_timer(struct sat_writer *out, const struct sat_timer *timer)
{
	bool set = timer->slot != 0;
	int64_t v[3] = { set, set ? timer->due - clock_steady() : 0, set ? (int64_t)timer->order : 0 };

	return put(out, 'T', v, sizeof(v));
}

int sat_read_timer(const struct sat_at *at, struct sat_reader *in, struct sat_timer *timer)
{
	int64_t v[3];
	const void *p = get(in, 'T', sizeof(v));

	if (p == NULL)
		return in->rc;
	memcpy(v, p, sizeof(v));
	if (v[0] == 0)
		return 0;
	sat_timer_set(at, timer, clock_steady() + (v[1] > 0 ? v[1] : 0));	/* overdue: once, now */
	timer_reorder(timer, (uint64_t)v[2]);
	return 0;
}
