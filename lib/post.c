/* SPDX-License-Identifier: Apache-2.0 */
/* post - sat_post(), the only door into the loop from elsewhere. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "post.h"

#define POSTS_MAX	(1 << 20)

struct post {
	struct post *next;
	struct sat_self *self;
	void (*fn)(void *arg);
	void *arg;
};

/* Between threads. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct post *posts, **last_post = &posts;
static unsigned n_posts;
static uv_async_t *async;		/* NULL: the door is closed */

/* The loop's. */
static struct post *posts_now;		/* taken, not yet run */

int sat_post(struct sat_self *self, void (*fn)(void *arg), void *arg)
{
	struct post *p = malloc(sizeof(*p));
	int rc = 0;

	if (p == NULL)
		return -ENOMEM;
	*p = (struct post){ .self = self, .fn = fn, .arg = arg };
	pthread_mutex_lock(&lock);
	if (async == NULL)
		rc = -ECANCELED;
	else if (n_posts >= POSTS_MAX)
		rc = -ENOBUFS;
	if (rc == 0) {
		*last_post = p;
		last_post = &p->next;
		n_posts++;
		uv_async_send(async);
	}
	pthread_mutex_unlock(&lock);
	if (rc != 0)
		free(p);
	return rc;
}

void post_take(void)
{
	struct post *p;

	pthread_mutex_lock(&lock);
	posts_now = posts;
	posts = NULL;
	last_post = &posts;
	n_posts = 0;
	pthread_mutex_unlock(&lock);
	while ((p = posts_now) != NULL) {
		posts_now = p->next;
		p->fn(p->arg);
		free(p);
	}
}

static struct post **drop_posts_of(struct post **list, const struct sat_self *self)
{
	struct post *p;

	while ((p = *list) != NULL) {
		if (p->self != self) {
			list = &p->next;
			continue;
		}
		*list = p->next;
		free(p);
	}
	return list;
}

void post_forget(const struct sat_self *self)
{
	pthread_mutex_lock(&lock);
	last_post = drop_posts_of(&posts, self);
	pthread_mutex_unlock(&lock);
	drop_posts_of(&posts_now, self);
}

void post_init(uv_async_t *wake)
{
	pthread_mutex_lock(&lock);
	async = wake;
	pthread_mutex_unlock(&lock);
}

void post_end(void)
{
	struct post *p;

	pthread_mutex_lock(&lock);
	async = NULL;
	while ((p = posts) != NULL) {
		posts = p->next;
		free(p);
	}
	last_post = &posts;
	n_posts = 0;
	pthread_mutex_unlock(&lock);
}
