/* SPDX-License-Identifier: Apache-2.0 */
/* protobuf - how fields lie on the wire: tags, varints, spans.  false: malformed. */
#ifndef PROTOBUF_H
#define PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A tag is (field << 3 | type). */
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

struct span { uint8_t *p, *end; };

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, 8);
	return w;
}

/* Where it ends, or NULL.  Takes no span, which would then have to lie in memory. */
static uint8_t *varint_long(uint8_t *p, const uint8_t *end, uint64_t *v)
{
	uint64_t x = 0, last = end - p >= 8 ? ~load64(p) & UINT64_C(0x8080808080808080) : 0;

	if (last != 0) {	/* up to 8 bytes at once, 7 bits of each: times have 5 */
		x = load64(p) & (last ^ (last - 1)) & UINT64_C(0x7f7f7f7f7f7f7f7f);
		x = (x & UINT64_C(0x007f007f007f007f)) | (x & UINT64_C(0x7f007f007f007f00)) >> 1;
		x = (x & UINT64_C(0x00003fff00003fff)) | (x & UINT64_C(0x3fff00003fff0000)) >> 2;
		*v = (x & UINT64_C(0x000000000fffffff)) | (x & UINT64_C(0x0fffffff00000000)) >> 4;
		return p + __builtin_ctzll(last) / 8 + 1;
	}
	for (unsigned shift = 0; shift < 70 && p < end; shift += 7) {
		uint8_t c = *p++;

		x |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80) {
			*v = x;
			return p;
		}
	}
	return NULL;
}

static inline bool varint(struct span *s, uint64_t *v)
{
	uint64_t x;
	uint8_t *p;

	if (s->p < s->end && *s->p < 0x80) {
		*v = *s->p++;
		return true;
	}
	p = varint_long(s->p, s->end, &x);
	if (p == NULL)
		return false;
	s->p = p;
	*v = x;
	return true;
}

static inline bool bytes(struct span *s, struct span *inside)
{
	uint64_t n;

	if (!varint(s, &n) || n > (uint64_t)(s->end - s->p))
		return false;
	inside->p = s->p;
	inside->end = s->p += n;
	return true;
}

static inline bool fixed(struct span *s, void *to, size_t n)
{
	if ((size_t)(s->end - s->p) < n)
		return false;
	memcpy(to, s->p, n);		/* little-endian, as is this machine */
	s->p += n;
	return true;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "floats lie on the wire as in memory");

/* A field that nobody asked for; groups have been out of use since protobuf 2. */
static inline bool skip(struct span *s, uint64_t tag)
{
	struct span inside;
	uint64_t v;

	if (tag >> 3 == 0 || tag > UINT32_MAX)
		return false;
	switch (tag & 7) {
	case VARINT:
		return varint(s, &v);
	case FIXED64:
		return fixed(s, &v, 8);
	case BYTES:
		return bytes(s, &inside);
	case FIXED32:
		return fixed(s, &v, 4);
	default:
		return false;
	}
}

static inline uint64_t zeroes(uint64_t w)
{
	return (w - UINT64_C(0x0101010101010101)) & ~w & UINT64_C(0x8080808080808080);
}

static inline uint64_t load32(const uint8_t *p)
{
	uint32_t w;

	memcpy(&w, p, 4);
	return w;
}

/* Most strings are of some ten bytes, for which a call of memchr() is dear. */
static inline bool has_nul(const uint8_t *p, size_t n)
{
	uint64_t found = 0;

	if (n >= 8) {
		for (size_t i = 0; i + 8 < n; i += 8)
			found |= zeroes(load64(p + i));
		return (found | zeroes(load64(p + n - 8))) != 0;
	}
	if (n >= 4)
		return zeroes(load32(p) | load32(p + n - 4) << 32) != 0;
	for (size_t i = 0; i < n; i++)
		if (p[i] == 0)
			return true;
	return false;
}

#endif
