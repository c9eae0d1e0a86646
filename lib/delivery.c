/* SPDX-License-Identifier: Apache-2.0 */
/* delivery - the log of alerts that masters share: which are claimed by who acts, which are sent. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "delivery.h"
#include "log.h"
#include "store.h"

enum { SLOTS = 16, SLOT_MAX = 256, PENDING_MAX = 1024, VALUE_MAX = 16384 };

static const char prefix[] = "alerts/";

struct entry {
	struct delivery_id id;
	int64_t since;			/* clock_boot(), when we first saw it */
	enum delivery_mark mark;
	bool ours;
};

/* The turn says in which order they were written: number turn % SLOTS. */
struct slot { uint64_t turn; uint32_t n; struct entry v[SLOT_MAX]; };

static struct {
	void (*changed)(void);
	struct sat_self *store;
	struct sat_link *link;
	bool mirrored, complained, known, busy;
	uint64_t epoch;			/* under which we wrote last */
	uint64_t turn;			/* the highest there is */
	struct slot slots[SLOTS];
	uint64_t maybe[1024];		/* a bit for each id that some slot has, and few others */
	struct slot next;		/* what is under way, or was */
	uint32_t flying;		/* of what is pending: in that */
	struct entry pending[PENDING_MAX];	/* a ring */
	uint32_t first, n;
	uint64_t written;		/* the number of the last one before those pending */
} d;

static bool same(const struct delivery_id *a, const struct delivery_id *b)
{
	return a->v[0] == b->v[0] && a->v[1] == b->v[1];
}

static struct entry *find(struct slot *s, const struct delivery_id *id)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (same(&s->v[i].id, id))
			return &s->v[i];
	return NULL;
}

static uint64_t *word_of(const struct delivery_id *id)
{
	return &d.maybe[id->v[1] % (sizeof(d.maybe) / sizeof(*d.maybe))];
}

static uint64_t bit_of(const struct delivery_id *id)
{
	return (uint64_t)1 << (id->v[0] >> 58);
}

/* Followers ask of all that they keep, whenever something changes: mostly it is not there. */
static void note_all(void)
{
	memset(d.maybe, 0, sizeof(d.maybe));
	for (uint32_t i = 0; i < SLOTS; i++)
		for (uint32_t k = 0; k < d.slots[i].n; k++)
			*word_of(&d.slots[i].v[k].id) |= bit_of(&d.slots[i].v[k].id);
}

bool delivery_known(void)
{
	return d.known;
}

uint64_t delivery_written(void)
{
	return d.written;
}

enum delivery_mark delivery_look(const struct delivery_id *id, bool *ours)
{
	enum delivery_mark mark = DELIVERY_NONE;
	int64_t now = clock_boot();

	*ours = false;
	if (d.store == NULL || !(*word_of(id) & bit_of(id)))
		return mark;
	for (uint32_t i = 0; i < SLOTS; i++) {
		const struct entry *e = find(&d.slots[i], id);

		if (e == NULL || e->mark < mark || now - e->since > DELIVERY_LASTS)
			continue;
		*ours = e->mark > mark ? e->ours : *ours || e->ours;
		mark = e->mark;
	}
	return mark;
}

/* ---- What is in the store ----------------------------------------------- */

struct reading { struct slot *slot; uint64_t epoch, turn; enum delivery_mark list; };

static int enter(void *arg, unsigned level, const char *key, bool list)
{
	struct reading *r = arg;

	r->list = level != 1 || !list ? DELIVERY_NONE : strcmp(key, "sent") == 0 ? DELIVERY_SENT :
		  strcmp(key, "claimed") == 0 ? DELIVERY_CLAIMED : DELIVERY_NONE;
	return level == 0 || r->list != DELIVERY_NONE ? SAT_JSON_ENTER : SAT_JSON_SKIP;
}

static int member(void *arg, unsigned level, const char *key, const struct sat_json_value *v)
{
	struct reading *r = arg;
	struct delivery_id id;
	char hex[33];

	if (level == 1 && v->kind == SAT_JSON_NUMBER && strcmp(key, "epoch") == 0)
		r->epoch = strtoull(v->text, NULL, 10);
	if (level == 1 && v->kind == SAT_JSON_NUMBER && strcmp(key, "turn") == 0)
		r->turn = strtoull(v->text, NULL, 10);
	if (level != 2 || v->kind != SAT_JSON_TEXT || v->len != 32 || r->slot->n == SLOT_MAX)
		return 0;
	memcpy(hex, v->text, 32);
	hex[32] = '\0';
	if (sscanf(hex, "%16" SCNx64 "%16" SCNx64, &id.v[0], &id.v[1]) == 2)
		r->slot->v[r->slot->n++] = (struct entry){ .id = id, .mark = r->list };
	return 0;
}

/* Entries that were there before are as old as they were. */
static void take(struct slot *to, struct slot *from, uint64_t turn)
{
	int64_t now = clock_boot();

	for (uint32_t i = 0; i < from->n; i++) {
		const struct entry *was = find(to, &from->v[i].id);

		from->v[i].since = was != NULL && was->mark == from->v[i].mark ? was->since : now;
	}
	from->turn = turn;
	*to = *from;
	if (turn > d.turn)
		d.turn = turn;
	note_all();
}

static void put(void *arg, const char *key, const void *value, size_t len, int64_t version)
{
	static const struct sat_json_calls calls = { .size = sizeof(calls), .open = enter, .value = member };
	static struct slot slot;
	struct reading r = { .slot = &slot };
	unsigned long which = strtoul(key + sizeof(prefix) - 1, NULL, 10);
	char error[128];

	(void)arg, (void)version;
	slot.n = 0;
	/* What cannot be read, or is far ahead of all that masters can have written, says nothing. */
	if (len > VALUE_MAX || sat_json_read(value, len, &calls, &r, error, sizeof(error)) != 0 ||
	    which >= SLOTS || r.turn % SLOTS != which || r.turn >> 62 != 0)
		return;
	if (r.epoch != 0 && r.epoch == d.epoch)	/* our own, which we know better */
		return;
	take(&d.slots[which], &slot, r.turn);
	if (d.known)
		d.changed();
}

static void gone(void *arg, const char *key)
{
	unsigned long which = strtoul(key + sizeof(prefix) - 1, NULL, 10);

	(void)arg;
	if (which < SLOTS)
		d.slots[which].n = 0;
}

static void synced(void *arg)
{
	(void)arg;
	d.known = true;
	d.changed();
}

static void lost(void *arg, int rc)
{
	(void)arg, (void)rc;
	d.known = false;
}

/* ---- Writing ------------------------------------------------------------ */

static void print_list(struct sat_buf *out, const struct slot *s, const char *name, enum delivery_mark mark)
{
	const char *between = "";

	sat_buf_printf(out, ",\"%s\":[", name);
	for (uint32_t i = 0; i < s->n; i++)
		if (s->v[i].mark == mark) {
			sat_buf_printf(out, "%s\"%016" PRIx64 "%016" PRIx64 "\"", between, s->v[i].id.v[0], s->v[i].id.v[1]);
			between = ",";
		}
	sat_buf_printf(out, "]");
}

static void print_slot(struct sat_buf *out, const struct slot *s, uint64_t epoch)
{
	sat_buf_printf(out, "{\"epoch\":%" PRIu64 ",\"turn\":%" PRIu64, epoch, s->turn);
	print_list(out, s, "claimed", DELIVERY_CLAIMED);
	print_list(out, s, "sent", DELIVERY_SENT);
	sat_buf_printf(out, "}");
}

static uint32_t forget_old(struct slot *s)
{
	int64_t now = clock_boot();
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n; i++)
		if (now - s->v[i].since <= DELIVERY_LASTS)
			s->v[n++] = s->v[i];
	s->n = n;
	return n;
}

/* false: no room in this slot. */
static bool add(struct slot *s, const struct entry *p)
{
	struct entry *e = find(s, &p->id);

	if (e == NULL && s->n == SLOT_MAX)
		return false;
	if (e == NULL)
		e = &s->v[s->n++];
	else if (e->mark > p->mark)
		return true;
	*e = *p;
	e->since = clock_boot();
	return true;
}

/* As much of what is pending as the slot in use takes; where that is nothing, the next slot. */
static void fill(void)
{
	d.next = d.slots[d.turn % SLOTS];
	d.next.turn = d.turn;
	forget_old(&d.next);
	for (d.flying = 0; d.flying < d.n; d.flying++)
		if (!add(&d.next, &d.pending[(d.first + d.flying) % PENDING_MAX]))
			break;
	if (d.flying != 0)
		return;
	d.next = d.slots[(d.turn + 1) % SLOTS];
	self_add(SELF_ALERTS_UNLOGGED, forget_old(&d.next));	/* younger than they should be */
	d.next.n = 0;
	d.next.turn = d.turn + 1;
	for (; d.flying < d.n && d.flying < SLOT_MAX; d.flying++)
		add(&d.next, &d.pending[(d.first + d.flying) % PENDING_MAX]);
}

static void pop(uint32_t n)
{
	d.first = (d.first + n) % PENDING_MAX;
	d.n -= n;
	d.written += n;
}

static void flush(void);

/* What was refused, or of which nobody knows, is still pending: to write it twice does no harm. */
static void committed(void *arg, int rc, size_t culprit, const int64_t *versions)
{
	(void)arg, (void)culprit, (void)versions;
	d.busy = false;
	if (rc != 0)
		return;
	d.turn = d.next.turn;
	d.slots[d.turn % SLOTS] = d.next;
	note_all();
	pop(d.flying);
	flush();
	d.changed();
}

static void forget_pending(void)
{
	int64_t now = clock_boot();
	uint32_t n = 0;

	while (n < d.n && now - d.pending[(d.first + n) % PENDING_MAX].since > DELIVERY_LASTS)
		n++;
	self_add(SELF_ALERTS_UNLOGGED, n);
	pop(n);
}

static void flush(void)
{
	struct sat_buf value = { .max = VALUE_MAX };
	struct sat_change changes[2];
	char key[sizeof(prefix) + 4];

	if (d.busy)
		return;
	forget_pending();
	if (d.link == NULL || !d.known || d.n == 0 || !sat_fence(d.link, &changes[0]))
		return;
	fill();
	d.epoch = sat_epoch();
	print_slot(&value, &d.next, d.epoch);
	snprintf(key, sizeof(key), "%s%u", prefix, (unsigned)(d.next.turn % SLOTS));
	changes[1] = (struct sat_change){ .what = SAT_PUT, .key = key, .value = value.p, .len = value.len,
					  .version = SAT_ANY_VERSION };
	if (!value.full)
		d.busy = sat_store_commit(d.link, changes, 2, committed, NULL) == 0;
	sat_buf_free(&value);
}

uint64_t delivery_write(const struct delivery_id *id, enum delivery_mark mark)
{
	if (d.n == PENDING_MAX) {
		self_add(SELF_ALERTS_UNLOGGED, mark == DELIVERY_SENT);
		return 0;
	}
	d.pending[(d.first + d.n++) % PENDING_MAX] =
		(struct entry){ .id = *id, .mark = mark, .ours = true, .since = clock_boot() };
	return d.written + d.n;
}

/* ---- Its store ---------------------------------------------------------- */

static void attach(void)
{
	static const struct sat_mirror calls = {
		.size = sizeof(calls), .put = put, .gone = gone, .synced = synced, .lost = lost,
	};
	int rc = -ENOMEM;

	if (d.link == NULL)
		d.link = store_link(&self_host, d.store);
	if (d.link != NULL)
		rc = sat_store_mirror(d.link, prefix, &calls, NULL);
	d.mirrored = rc == 0;
	if (rc != 0 && !d.complained)
		log_line(LOG_ERR, NULL, "%s: the log of alerts cannot be read there: %s", d.store->name, strerror(-rc));
	d.complained = rc != 0;
}

bool delivery_turn(void)
{
	if (d.store == NULL)
		return false;
	if (!d.mirrored)
		attach();
	flush();
	return d.n != 0 || !d.mirrored;
}

void delivery_init(void (*changed)(void))
{
	d.changed = changed;
}

void delivery_use(struct sat_self *store)
{
	if (store == d.store)
		return;
	store_drop(d.link);
	d.link = NULL;
	d.store = store;
	for (uint32_t i = 0; i < SLOTS; i++)
		d.slots[i].n = 0;
	d.mirrored = d.complained = d.known = d.busy = false;
	d.turn = d.epoch = 0;
	pop(d.n);
	if (store != NULL)
		attach();
}
