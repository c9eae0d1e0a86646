/* SPDX-License-Identifier: Apache-2.0 */
/* client - sat_fetch() over whichever module is the HTTP client. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "log.h"

/* Between who asked and the module, so that either may go first. */
struct sat_call {
	struct sat_call *next, **link;
	struct sat_self *user, *client;
	void *inner;			/* the module's */
	int (*data)(void *arg, int status, const void *p, size_t n);
	void (*done)(void *arg, const struct sat_answer *answer);	/* NULL: it was told */
	void *arg;
};

static struct sat_self *client;
static struct sat_call *calls;

void client_use(struct sat_self *self)
{
	client = self;
}

struct sat_self *client_instance(void)
{
	return client;
}

static void tell(struct sat_call *c, const struct sat_answer *answer)
{
	void (*done)(void *arg, const struct sat_answer *answer) = c->done;

	c->done = NULL;
	if (done != NULL)
		done(c->arg, answer);
}

static void call_free(struct sat_call *c)
{
	if (c->next != NULL)
		c->next->link = c->link;
	*c->link = c->next;
	free(c);
}

static void finished(void *arg, const struct sat_answer *answer)
{
	struct sat_call *c = arg;

	tell(c, answer);
	call_free(c);
}

static int received(void *arg, int status, const void *p, size_t n)
{
	struct sat_call *c = arg;

	return c->done == NULL ? -ECANCELED : c->data(c->arg, status, p, n);
}

static struct sat_call *call_new(struct sat_self *self, const struct sat_fetch *what, void *arg)
{
	struct sat_call *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->user = self;
	c->client = client;
	c->data = what->data;
	c->done = what->done;
	c->arg = arg;
	c->next = calls;
	c->link = &calls;
	if (calls != NULL)
		calls->link = &c->next;
	calls = c;
	return c;
}

struct sat_call *sat_fetch(struct sat_self *self, const struct sat_fetch *what, void *arg)
{
	struct sat_fetch ours = { 0 };
	struct sat_call *c;
	int rc = -ENOMEM;

	if (client == NULL) {
		log_line(LOG_ERR, self->name, "%s: no module is the HTTP client", what->url);
		return NULL;
	}
	memcpy(&ours, what, what->size < sizeof(ours) ? what->size : sizeof(ours));
	ours.size = sizeof(ours);
	c = call_new(self, &ours, arg);
	if (c != NULL) {
		ours.done = finished;
		ours.data = ours.data != NULL ? received : NULL;
		rc = client->module->http_client->fetch(client->state, &ours, c, &c->inner);
	}
	if (rc == 0)
		return c;
	log_line(LOG_ERR, self->name, "%s: %s", what->url, strerror(-rc));
	if (c != NULL)
		call_free(c);
	return NULL;
}

void sat_fetch_cancel(struct sat_call *c)
{
	if (c != NULL)
		c->client->module->http_client->cancel(c->client->state, c->inner);
}

/*
 * Its state is gone.  As a user it hears nothing more; as the client it has
 * answered all it was asked, but for what it got without ever being started.
 */
void client_forget(struct sat_self *self)
{
	static const struct sat_answer canceled = {
		.size = sizeof(canceled), .rc = -ECANCELED, .error = "canceled", .url = "", .body = "",
	};
	struct sat_call *c, *next;

	if (client == self)
		client = NULL;
	for (c = calls; c != NULL; c = next) {
		next = c->next;
		if (c->user == self) {
			c->done = NULL;
			sat_fetch_cancel(c);
		}
		if (c->client == self)
			finished(c, &canceled);
	}
}
