/* SPDX-License-Identifier: Apache-2.0 */
/* hash - of texts and keys, by whole words and with a strong finish, since most are short. */
#include <string.h>
#include <sys/random.h>

#include "clock.h"
#include "hash.h"

static uint64_t seed(void)
{
	static uint64_t s;

	if (s == 0 && getrandom(&s, sizeof(s), GRND_NONBLOCK) != (ssize_t)sizeof(s))
		s = (uint64_t)clock_boot();
	s |= 1;
	return s;
}

static inline uint64_t load(const unsigned char *p, size_t n)
{
	uint64_t w = 0;

	memcpy(&w, p, n);
	return w;
}

static inline uint64_t stir(uint64_t h, uint64_t w)
{
	h = (h ^ w) * 0x9E3779B97F4A7C15u;
	return h ^ h >> 32;
}

/* The last word overlaps the one before, which is cheaper than a copy of 1 to 7 bytes. */
static inline uint64_t mix(uint64_t h, const void *p, size_t n)
{
	const unsigned char *c = p, *last;

	h ^= (uint64_t)n << 56;
	if (n >= 8) {
		for (last = c + n - 8; c < last; c += 8)
			h = stir(h, load(c, 8));
		return stir(h, load(last, 8));
	}
	if (n >= 4)
		return stir(h, load(c, 4) | load(c + n - 4, 4) << 32);
	return n == 0 ? stir(h, 0) : stir(h, c[0] | (uint64_t)c[n / 2] << 8 | (uint64_t)c[n - 1] << 16);
}

static inline uint64_t mix_text(uint64_t h, const char *s)
{
	return s != NULL ? mix(h, s, strlen(s)) : h * 3;
}

static inline uint64_t finish(uint64_t h)
{
	h ^= h >> 29;
	h *= 0xBF58476D1CE4E5B9u;
	return h >> 32 | h << 32;	/* the upper half is the better one */
}

uint32_t hash_bytes(const void *p, size_t n)
{
	return (uint32_t)finish(mix(seed(), p, n));
}

uint32_t hash_pair(const char *a, const char *b)
{
	return (uint32_t)finish(mix_text(mix_text(seed(), a) + 1, b));
}

uint64_t sat_hash(uint64_t h, const char *text)
{
	return finish(mix_text(h ^ seed(), text));
}
