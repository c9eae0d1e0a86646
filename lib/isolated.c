/* SPDX-License-Identifier: Apache-2.0 */
/* isolated - this process is one group of another: what it emits goes to its parent. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <uv.h>

#include "engine.h"
#include "isolate.h"
#include "isolated.h"
#include "life.h"
#include "log.h"
#include "probe.h"
#include "wire.h"

enum {
	WAITING = 1 << 20,	/* bytes for the parent; more is dropped, and counted */
	KEPT = 65536,		/* of them, memory that stays */
	TEXT = 64 << 20,	/* bytes of a configuration */
	BEAT = 6,		/* bytes of what the parent asks with, each time the same */
};

static struct {
	uv_pipe_t pipe;
	uv_write_t write;
	struct sat_buf waiting, flying;
	bool open, writing, ending;
	size_t came;		/* bytes of a beat so far */
	void (*ended)(void);
} up;

/* ---- The beginning ------------------------------------------------------ */

void isolated_begin(const char *name)
{
	self_process.isolated = name;
	prctl(PR_SET_PDEATHSIG, SIGKILL);	/* whoever its module has blocked */
	dup2(STDERR_FILENO, STDOUT_FILENO);	/* what it prints is for the log */
}

static int read_all(void *to, size_t n)
{
	char *p = to;
	ssize_t got;

	for (; n > 0; p += got, n -= (size_t)got) {
		got = read(ISOLATE_FD, p, n);
		if (got < 0 && errno == EINTR)
			got = 0;
		else if (got <= 0)
			return got < 0 ? -errno : -ECONNRESET;
	}
	return 0;
}

static struct conf *refuse(const char *why)
{
	log_line(LOG_ERR, self_process.isolated, "file descriptor %d is no socket of a satellite: %s", ISOLATE_FD, why);
	return NULL;
}

struct conf *isolated_file(void)
{
	unsigned char head[4];
	struct conf *conf;
	char *text;
	size_t n;
	int rc = read_all(head, sizeof(head));

	n = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
	if (rc == 0 && n > TEXT)
		rc = -EMSGSIZE;
	if (rc != 0)
		return refuse(strerror(-rc));
	text = malloc(n + 1);
	rc = text != NULL ? read_all(text, n) : -ENOMEM;
	if (rc != 0) {
		free(text);
		return refuse(strerror(-rc));
	}
	text[n] = '\0';
	conf = conf_text(text, self_process.isolated);
	free(text);
	return conf;
}

const struct setup_role *isolated_role(void)
{
	static const char *modules[2];
	static const struct setup_role role = { .name = "isolated", .modules = modules };

	modules[0] = self_process.isolated;
	return &role;
}

/* ---- To the parent ------------------------------------------------------ */

static void flush(void);

static void written(uv_write_t *req, int status)
{
	(void)req;
	up.writing = false;
	if (up.flying.size > KEPT)
		sat_buf_free(&up.flying);
	up.flying.len = 0;
	if (status == 0)
		flush();
}

static void flush(void)
{
	struct sat_buf full = up.waiting;
	uv_buf_t buf;

	if (!up.open || up.writing || full.len == 0)
		return;
	up.waiting = up.flying;
	up.flying = full;
	buf = uv_buf_init(full.p, (unsigned)full.len);
	up.writing = uv_write(&up.write, (uv_stream_t *)&up.pipe, &buf, 1, written) == 0;
}

/* One that does not fit leaves nothing behind. */
static int settle(size_t before, size_t from)
{
	struct sat_buf *b = &up.waiting;

	if (b->full || b->len - from > ISOLATE_MESSAGE) {
		b->full = false;
		b->len = before;
		return -ENOBUFS;
	}
	wire_end(b, from);
	flush();
	return 0;
}

static int relay(const struct sat_event *ev, unsigned entry)
{
	struct sat_buf *b = &up.waiting;
	size_t before = b->len, from;
	char number[16];
	int rc;

	if (!up.open || (up.ending && entry != 0))
		return 0;	/* the parent has taken back what there was to take back of checks */
	b->max = WAITING;
	snprintf(number, sizeof(number), "%u", entry);
	from = entry != 0 ? wire_begin_query(b, number) : wire_begin(b);
	wire_add(b, ev);
	rc = settle(before, from);
	if (rc != 0)
		self_add(SELF_EMIT_DROPPED, 1);
	return rc;
}

/* ---- Beats -------------------------------------------------------------- */

static void add_figure(const char *kind, const char *name, int64_t value)
{
	struct sat_event ev = { .size = sizeof(ev), .has = SAT_HAS_INT, .state = kind, .service = name,
				.metric.i = value };

	wire_add(&up.waiting, &ev);
}

static void add_entries(const struct setup *s, const struct sat_self *self)
{
	const struct sat_probe *p;
	char number[16];

	for (unsigned n = 1; (p = checks_entry(s->checks, self, n)) != NULL; n++) {
		snprintf(number, sizeof(number), "%u", n);
		if (p->took != 0)
			add_figure(ISOLATE_TOOK, number, p->took);
	}
}

/* That it is there, and its figures. */
static void answer(void)
{
	const struct setup *s = life_setup();
	struct instance *i = s != NULL ? setup_find(s, self_process.isolated) : NULL;
	size_t before = up.waiting.len, from;

	up.waiting.max = WAITING;
	from = wire_begin_query(&up.waiting, ISOLATE_BEAT);
	add_figure(ISOLATE_DROPPED, "", self_get(SELF_EMIT_DROPPED));
	for (unsigned k = 0; i != NULL && k < i->self.n_counters; k++)
		add_figure(ISOLATE_COUNTER, i->self.module->counters[k]->name, sat_counted(&i->self, k));
	if (i != NULL)
		add_entries(s, &i->self);
	settle(before, from);
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	static char room[256];

	(void)handle;
	(void)suggested;
	*buf = uv_buf_init(room, sizeof(room));
}

static void came(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	(void)buf;
	if (n < 0) {		/* what its module says at its end is heard yet */
		uv_read_stop(stream);
		up.ending = true;
		up.ended();
		return;
	}
	for (up.came += (size_t)n; up.came >= BEAT; up.came -= BEAT)
		answer();
}

/* ---- Open and close ----------------------------------------------------- */

int isolated_open(void (*ended)(void))
{
	int rc = uv_pipe_init(self_process.loop, &up.pipe, 0);

	if (rc == 0)
		rc = uv_pipe_open(&up.pipe, ISOLATE_FD);
	if (rc == 0)
		rc = uv_read_start((uv_stream_t *)&up.pipe, give_room, came);
	up.ended = ended;
	up.open = rc == 0;
	engine_relay(relay);
	return rc;
}

static void closed(uv_handle_t *handle)
{
	(void)handle;
	sat_buf_free(&up.waiting);
	sat_buf_free(&up.flying);
}

void isolated_close(void)
{
	if (up.open)
		uv_close((uv_handle_t *)&up.pipe, closed);
	up.open = false;
}
