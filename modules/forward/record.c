/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record - an event in a segment of the spool.
 *
 * A record that a killed process wrote half, or that is not as it was written,
 * is none: its checksum says so.
 */
#include <string.h>

#include "disk_inside.h"

/* CRC-32, as Ethernet and zip have it. */
uint32_t disk_checksum(uint32_t sum, const void *p, size_t n)
{
	const uint8_t *u = p;
	uint32_t table[16];

	for (uint32_t i = 0; i < 16; i++) {
		table[i] = i;
		for (int k = 0; k < 4; k++)
			table[i] = table[i] >> 1 ^ (table[i] & 1 ? UINT32_C(0xedb88320) : 0);
	}
	sum = ~sum;
	for (size_t i = 0; i < n; i++) {
		sum = sum >> 4 ^ table[(sum ^ u[i]) & 15];
		sum = sum >> 4 ^ table[(sum ^ u[i] >> 4) & 15];
	}
	return ~sum;
}

static uint32_t sum_of(const struct head *h, const char *bytes)
{
	uint32_t sum = disk_checksum(0, &h->len, sizeof(h->len));

	sum = disk_checksum(sum, &h->until, sizeof(h->until) + sizeof(h->wall));
	return disk_checksum(sum, bytes, h->len);
}

void disk_record(struct sat_buf *b, const struct parcel *p, int64_t until, int64_t wall)
{
	struct head h = { .len = p->len, .until = until, .wall = wall };

	h.sum = sum_of(&h, p->bytes);
	sat_buf_add(b, &h, sizeof(h));
	sat_buf_add(b, p->bytes, p->len);
}

/* The length of the good record that stands here; 0: there is none in these n bytes. */
size_t disk_record_at(const char *p, size_t n, struct head *h)
{
	if (n < sizeof(*h))
		return 0;
	memcpy(h, p, sizeof(*h));
	if (h->len > n - sizeof(*h) || sum_of(h, p + sizeof(*h)) != h->sum)
		return 0;
	return sizeof(*h) + h->len;
}
