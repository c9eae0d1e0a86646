/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store-zookeeper - what the files of this module share.
 *
 *   session  one connection to the servers: its threads, requests and events
 *   folder   a mirror: the nodes of a folder, watched and read
 *   news     what a commit set, in one node, so that not each of them need be read
 *   commit   changes, as one multi
 *
 * Watches are spread over sessions: after a dropped connection the client names
 * all watched paths of a session in one packet, and a server refuses one over
 * 1 MiB, again and again.  What is under leader/ has a session of its own.
 */
#ifndef ZK_H
#define ZK_H

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <satellite/module.h>
#include <zookeeper/zookeeper.h>

enum {
	SESSIONS_MAX = 128, WATCH_BYTES = 512 << 10,	/* of paths, a session */
	READS_MAX = 512,				/* under way, a session */
	PATH_BYTES = 2048, PATH_EXTRA = 8,		/* around a path, in a packet */
	COMMIT_BYTES = 900 << 10,			/* a server takes 1 MiB */
	COMMITS_MAX = 4096, COMMITS_BYTES = 32 << 20,	/* under way */
	/* A client on the JVM takes answers of 1 MiB less 1, unless its jute.maxbuffer says otherwise;
	 * a list of names is in one, behind a header and a stat, and each name behind its length. */
	LIST_MAX = (1 << 20) - 1 - 88, NAME_EXTRA = 4,
	NEWS_SLOTS = 64, NEWS_BYTES = 128 << 10, NEWS_KEY = 16,
};
#define NEWS "news/"
enum { SESSION_LEADER, SESSION_HOME };			/* the first two */

enum count {
	COUNT_COMMITS, COUNT_REFUSED, COUNT_ERRORS, COUNT_READS, COUNT_EVENTS, COUNT_DISCONNECTS,
	COUNT_EXPIRED, COUNT_SESSIONS, COUNT_NODES,
};

struct zk;
struct session;

/* Something asked of a server.  done() is called exactly once, on the loop. */
struct request {
	struct request *next;
	struct session *session;
	void (*done)(struct request *r);
	int rc;				/* ZOK, or what zookeeper.h has */
	struct Stat stat;
	char *bytes;			/* a value, or names with NUL after each; freed after done() */
	size_t len;
};

/* What a watch said, of a path; owned by the inbox. */
struct notice { struct notice *next; int type, state; char path[]; };

/* From the client's threads to the loop. */
struct inbox {
	pthread_mutex_t lock;
	struct request *requests, **last_request;
	struct notice *notices, **last_notice;
	bool posted;
	bool missed;			/* a notice was lost for want of memory */
	bool shut;			/* the instance has gone */
};

/* SHUT: of no use any more, and to be closed. */
enum session_state { SESSION_CLOSED, SESSION_OPENING, SESSION_CONNECTING, SESSION_CONNECTED, SESSION_SHUT,
		     SESSION_CLOSING };

struct session {
	struct zk *zk;
	unsigned index;
	enum session_state state;
	zhandle_t *zh;			/* the loop's while CONNECTING or CONNECTED */
	bool auth_refused, overdue;	/* overdue: a job of it, which uses it still */
	struct inbox inbox;
	struct sat_alarm alarm;		/* to open it again, or to look into the inbox */
	int64_t backoff, reopen;	/* clock; 0: not waiting to */
	unsigned asked;			/* requests under way */
	size_t watch_bytes;
	unsigned reads;			/* of nodes, under way */
	struct node *stale, **last_stale;
};

struct node {
	struct node *bucket, *next_stale;
	struct node *next_parked, **parked_at;	/* it waits for news, or to be watched again; or NULL */
	struct folder *folder;
	struct session *session;	/* which watches it */
	int64_t czxid, mzxid;		/* as last told */
	int version;
	bool armed;			/* its watch is set, */
	bool known;			/* and what it will say was told already */
	bool told;			/* the mirror knows it */
	bool queued, reading, again;	/* to be read */
	bool doubt;			/* the session's server may lag behind what we know: sync first */
	bool listed, gone;
	char name[];
};

struct folder {
	struct folder *next;
	struct zk *zk;
	struct session *home;		/* lists it, and commits to it */
	const struct sat_mirror *cb;
	void *arg;
	bool listing, again, listed;
	bool synced, told;		/* told: something since it was last lost */
	bool dropped;			/* unmirrored; freed once nothing is under way */
	bool failed;			/* and that was logged */
	bool large;			/* its list is over LIST_MAX, and that was said */
	unsigned asked;			/* requests and nodes in reading */
	size_t list_bytes;
	size_t unread, n_nodes, n_buckets;
	struct node **buckets;
	char prefix[];			/* "whitelist/" */
};

struct zk {
	struct sat_self *self;
	/* settings */
	char *hosts, *root;
	int timeout;			/* ms */
	char *auth_scheme, *auth;
	struct ACL_vector acl;

	struct session *sessions[SESSIONS_MAX];
	unsigned n_sessions;
	struct folder *folders, *news;	/* news: one of them, or NULL */
	struct node *waiting, *rearm;	/* for news; to be watched again */
	struct sat_alarm rearm_alarm;
	int64_t rearm_due, last_news;	/* clock; due 0: none waits */
	unsigned next_news;		/* slot */
	unsigned n_commits;
	size_t commit_bytes;
	bool stopping, stopped, full;
};

/* session */
struct session *session_new(struct zk *zk);		/* NULL: no memory, or too many */
void session_open(struct session *s);
void session_close(struct session *s);			/* for good: the instance stops */
bool session_end(struct session *s);			/* no thread uses it any more; false: one still does */
void session_free(struct session *s);
int session_sync(struct session *s);			/* what is read after it is not older than now */
/* 0, or -errno: not asked, done() will not be called. */
int session_get(struct session *s, const char *path, struct request *r);
int session_list(struct session *s, const char *path, struct request *r);
int session_exists(struct session *s, const char *path, struct request *r);	/* watches for it to appear */
int session_multi(struct session *s, const zoo_op_t *ops, int n, zoo_op_result_t *results, struct request *r);
/* Make path and what is above it; done() when that is over, well or not. */
int session_make_path(struct session *s, const char *path, struct request *r);
int zk_errno(int rc);					/* of a rc of zookeeper.h */

/* folder */
int folder_mirror(void *state, const char *prefix, const struct sat_mirror *cb, void *arg);
void folder_unmirror(void *state, void *arg);
void folder_connected(struct session *s);
void folder_disconnected(struct session *s, int rc);
void folder_look(struct session *s);			/* now and then: what could not be asked */
void folder_notice(struct session *s, const struct notice *n);
void folder_committed(struct zk *zk, const struct sat_change *c, const struct Stat *stat);
void folder_pump(struct zk *zk);			/* read what is stale */
void node_stale(struct node *n, bool doubt);		/* it is to be read; doubt: after a sync */
void folder_news(struct zk *zk, const char *key, const void *value, size_t len, int64_t zxid, int version);
void folders_free(struct zk *zk);
/* PATH_BYTES of buf: where a key is; false: too long. */
bool zk_path(const struct zk *zk, const char *key, char *buf);

/* news */
int news_start(struct zk *zk);
void news_stop(struct zk *zk);
/* Of changes that are to be: NEWS_KEY of key, and out, to be freed; false: there are none. */
bool news_write(struct zk *zk, const struct sat_change *changes, size_t n, char *key, struct sat_buf *out);
void news_read(struct zk *zk, const char *value, size_t len, int64_t zxid);
void news_fired(struct node *n);			/* its watch said that it changed */
void news_told(struct node *n);				/* the mirror was told of it without a read */
void news_came(struct zk *zk);				/* perhaps no news are on their way any more */
void node_unpark(struct node *n);

/* commit */
int commit_make(void *state, const struct sat_change *changes, size_t n, sat_committed *done, void *arg);

void zk_idle(struct zk *zk);				/* stopping: is all over? */

#endif
