/* SPDX-License-Identifier: Apache-2.0 */
/* hash - of texts and keys, by two words and one multiplication of full width at a time. */
#include <string.h>
#include <sys/random.h>

#include "clock.h"
#include "hash.h"

static uint64_t secret[3];		/* the last one is never 0 */

static inline const uint64_t *key(void)
{
	if (__builtin_expect(secret[2] == 0, 0)) {
		if (getrandom(secret, sizeof(secret), GRND_NONBLOCK) != (ssize_t)sizeof(secret))
			secret[0] = secret[1] = (uint64_t)clock_boot() * 0x9E3779B97F4A7C15u;
		secret[2] |= 1;
	}
	return secret;
}

static inline uint64_t load(const unsigned char *p, size_t n)
{
	uint64_t w = 0;

	memcpy(&w, p, n);
	return w;
}

/* Both halves of the product: every bit of either factor moves every bit, so that no difference
 * in one word can be undone by one in the next without knowing the key. */
static inline uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The last words overlap those before, which is cheaper than a copy of 1 to 15 bytes. */
static inline uint64_t mix(const uint64_t *k, uint64_t h, const void *p, size_t n)
{
	const unsigned char *c = p;
	uint64_t a = 0, b = 0;

	h ^= k[2] + n;
	if (n >= 8) {
		for (size_t i = 16; i < n; i += 16, c += 16)
			h = fold(load(c, 8) ^ k[0], load(c + 8, 8) ^ h);
		c = (const unsigned char *)p + n;
		a = load(n >= 16 ? c - 16 : p, 8);
		b = load(c - 8, 8);
	} else if (n >= 4) {
		a = load(c, 4);
		b = load(c + n - 4, 4);
	} else if (n != 0) {
		a = c[0] | (uint64_t)c[n / 2] << 8 | (uint64_t)c[n - 1] << 16;
	}
	return fold(a ^ k[0], b ^ h);
}

static inline uint64_t mix_text(const uint64_t *k, uint64_t h, const char *s, size_t n)
{
	return s != NULL ? mix(k, h, s, n) : fold(h ^ k[1], k[0]);
}

static inline uint64_t finish(const uint64_t *k, uint64_t h)
{
	return fold(h ^ k[0], k[1]);
}

uint32_t hash_bytes(const void *p, size_t n)
{
	const uint64_t *k = key();

	return (uint32_t)finish(k, mix(k, k[1], p, n));
}

uint32_t hash_texts(const char *a, size_t a_len, const char *b, size_t b_len)
{
	const uint64_t *k = key();

	return (uint32_t)finish(k, mix_text(k, mix_text(k, k[1], a, a_len), b, b_len));
}

uint32_t hash_pair(const char *a, const char *b)
{
	return hash_texts(a, a != NULL ? strlen(a) : 0, b, b != NULL ? strlen(b) : 0);
}

uint64_t sat_hash(uint64_t h, const char *text)
{
	const uint64_t *k = key();

	return finish(k, mix_text(k, h ^ k[1], text, text != NULL ? strlen(text) : 0));
}

const uint64_t hash_basis[2] = { 0xcbf29ce484222325u, 0x84222325cbf29ce4u };

void hash_lasting(uint64_t key[2], const void *p, size_t n)
{
	const unsigned char *c = p;

	for (size_t i = 0; i < n; i++) {
		key[0] = (key[0] ^ c[i]) * 0x100000001b3u;
		key[1] = (key[1] ^ c[i] ^ 0x5a) * 0x00000100000001b3u + 0x9e3779b9u;
	}
}
