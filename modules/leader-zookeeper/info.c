/* SPDX-License-Identifier: Apache-2.0 */
/*
 * info - Mesos' MasterInfo, out of a node in its ZooKeeper: JSON since 0.24,
 * protobuf before.  `address` outweighs the older fields; `ip` is in network
 * order, its first byte the lowest of the number.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "leader.h"

struct reading { struct info top, address; };

/* A name that can stand in a URL; what cannot counts as not given. */
static void take_name(char *to, size_t size, const char *text, size_t n)
{
	size_t i;

	to[0] = '\0';
	for (i = 0; i < n; i++)
		if (!isalnum((unsigned char)text[i]) && (text[i] == '\0' || strchr(".-_:", text[i]) == NULL))
			return;
	if (n < size)
		snprintf(to, size, "%.*s", (int)n, text);
}

static void take_ip(struct info *to, uint64_t ip)
{
	if (ip > 0 && ip <= UINT32_MAX)
		snprintf(to->ip, sizeof(to->ip), "%u.%u.%u.%u", (unsigned)(ip & 255), (unsigned)(ip >> 8 & 255),
			 (unsigned)(ip >> 16 & 255), (unsigned)(ip >> 24));
}

static void take_port(struct info *to, uint64_t port)
{
	to->port = port > 0 && port <= 65535 ? (int)port : -1;
}

static bool is_any(const char *ip)
{
	return ip[0] == '\0' || strcmp(ip, "0.0.0.0") == 0 || strcmp(ip, "::") == 0;
}

static int merge(struct info *to, const struct reading *r)
{
	*to = r->top;
	if (r->address.hostname[0] != '\0')
		memcpy(to->hostname, r->address.hostname, sizeof(to->hostname));
	if (!is_any(r->address.ip))
		memcpy(to->ip, r->address.ip, sizeof(to->ip));
	if (r->address.port != 0)
		to->port = r->address.port;
	if (to->port == 0)
		to->port = 5050;
	if (is_any(to->ip))
		to->ip[0] = '\0';
	return to->port > 0 && (to->hostname[0] != '\0' || to->ip[0] != '\0') ? 0 : -EBADMSG;
}

/* ---- JSON --------------------------------------------------------------- */

static int open_part(void *arg, unsigned level, const char *key, bool list)
{
	(void)arg;
	if (level == 0)
		return list ? -EBADMSG : SAT_JSON_ENTER;
	return level == 1 && !list && strcmp(key, "address") == 0 ? SAT_JSON_ENTER : SAT_JSON_SKIP;
}

/* Some versions write 5050.0; 0: no such number. */
static uint64_t number(const struct sat_json_value *v)
{
	char text[32];
	double d;

	if (v->kind != SAT_JSON_NUMBER || v->len >= sizeof(text))
		return 0;
	snprintf(text, sizeof(text), "%.*s", (int)v->len, v->text);
	d = strtod(text, NULL);
	return d >= 1 && d <= UINT32_MAX && d == (double)(uint64_t)d ? (uint64_t)d : 0;
}

static int value(void *arg, unsigned level, const char *key, const struct sat_json_value *v)
{
	struct reading *r = arg;
	struct info *to = level == 1 ? &r->top : &r->address;
	bool text = v->kind == SAT_JSON_TEXT;

	if (level == 0)
		return -EBADMSG;
	if (text && strcmp(key, "hostname") == 0)
		take_name(to->hostname, sizeof(to->hostname), v->text, v->len);
	else if (text && level == 2 && strcmp(key, "ip") == 0)
		take_name(to->ip, sizeof(to->ip), v->text, v->len);
	else if (strcmp(key, "ip") == 0)
		take_ip(to, number(v));
	else if (strcmp(key, "port") == 0)
		take_port(to, number(v));
	return 0;
}

int info_json(struct info *to, const char *text, size_t len)
{
	static const struct sat_json_calls calls = { .size = sizeof(calls), .open = open_part, .value = value };
	struct reading r = { 0 };
	char why[100];
	int rc = sat_json_read(text, len, &calls, &r, why, sizeof(why));

	return rc == 0 ? merge(to, &r) : rc;
}

/* ---- Protobuf ----------------------------------------------------------- */

struct part { const unsigned char *p, *end; };

static int varint(struct part *at, uint64_t *to)
{
	unsigned shift;

	*to = 0;
	for (shift = 0; shift < 64 && at->p < at->end; shift += 7) {
		unsigned char byte = *at->p++;

		*to |= (uint64_t)(byte & 127) << shift;
		if (byte < 128)
			return 0;
	}
	return -EBADMSG;
}

static int skip(struct part *at, uint64_t n)
{
	if (n > (uint64_t)(at->end - at->p))
		return -EBADMSG;
	at->p += n;
	return 0;
}

/* One field: its number, and what it holds: a number, or bytes. */
static int field(struct part *at, uint64_t *key, uint64_t *n, struct part *bytes)
{
	int rc = varint(at, key);

	*n = 0;
	*bytes = (struct part){ 0 };
	if (rc != 0)
		return rc;
	switch (*key & 7) {
	case 0:
		return varint(at, n);
	case 1:
		return skip(at, 8);
	case 2:
		rc = varint(at, n);
		bytes->p = at->p;
		rc = rc != 0 ? rc : skip(at, *n);
		bytes->end = at->p;
		return rc;
	case 5:
		return skip(at, 4);
	default:
		return -EBADMSG;
	}
}

static void take_text(char *to, size_t size, const struct part *bytes)
{
	take_name(to, size, (const char *)bytes->p, (size_t)(bytes->end - bytes->p));
}

enum { VARINT, BYTES = 2 };
#define FIELD(number, type) ((number) << 3 | (type))

static int address(struct info *to, struct part at)
{
	uint64_t key, n;
	struct part bytes;

	while (at.p < at.end) {
		if (field(&at, &key, &n, &bytes) != 0)
			return -EBADMSG;
		if (key == FIELD(1, BYTES))
			take_text(to->hostname, sizeof(to->hostname), &bytes);
		else if (key == FIELD(2, BYTES))
			take_text(to->ip, sizeof(to->ip), &bytes);
		else if (key == FIELD(3, VARINT))
			take_port(to, n);
	}
	return 0;
}

int info_protobuf(struct info *to, const char *text, size_t len)
{
	struct part at = { (const unsigned char *)text, (const unsigned char *)text + len }, bytes;
	struct reading r = { 0 };
	uint64_t key, n;

	while (at.p < at.end) {
		if (field(&at, &key, &n, &bytes) != 0)
			return -EBADMSG;
		if (key == FIELD(2, VARINT))
			take_ip(&r.top, n);
		else if (key == FIELD(3, VARINT))
			take_port(&r.top, n);
		else if (key == FIELD(5, BYTES))
			take_text(r.top.hostname, sizeof(r.top.hostname), &bytes);
		else if (key == FIELD(7, BYTES) && address(&r.address, bytes) != 0)
			return -EBADMSG;
	}
	return merge(to, &r);
}
