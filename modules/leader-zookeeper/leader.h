/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leader-zookeeper - what the files of this module share.
 *
 *   url       zk://USER:PASSWORD@HOSTS/PATH
 *   session   the connection to the servers: one request at a time
 *   election  whom their nodes name, asked for again and again
 *   info      what such a node says of its master
 */
#ifndef LEADER_H
#define LEADER_H

#include <pthread.h>

#include <satellite/module.h>

enum { COUNT_CHANGES, COUNT_DISCONNECTS, COUNT_EXPIRED, GAUGE_SUCCESS };

/* A master: hostname or ip may be "", not both. */
struct info { char hostname[256], ip[48]; int port; };

struct _zhandle;
enum stage { STAGE_CLOSED, STAGE_OPENING, STAGE_OPEN, STAGE_SHUT, STAGE_CLOSING };
enum asked { ASKED_NOTHING, ASKED_NAMES, ASKED_NODE };
enum stand { STAND_UNKNOWN, STAND_NOBODY, STAND_LEADS };

/* Filled in by the client's threads; each thing has its place, so that none needs memory. */
struct inbox {
	pthread_mutex_t lock;
	bool posted;			/* the loop will look */
	bool gone;			/* nobody will look any more */
	int state;			/* the last that was told; 0: none */
	bool changed;			/* a watch fired */
	bool answered;
	int rc;				/* 0, or -errno; then bytes and len */
	char *bytes;
	size_t len;
};

struct leader {
	struct sat_self *self;
	char *hosts, *path, *auth;	/* auth: "USER:PASSWORD", or NULL */
	int timeout;			/* ms */
	struct sat_alarm alarm;
	bool stopping, stopped;

	enum stage stage;
	struct _zhandle *zh;
	struct inbox inbox;
	bool in_touch, refused, overdue;
	bool unopened;			/* and that was said */
	int64_t reopen, backoff;	/* when closed */
	int64_t lost;			/* since when it is out of touch */

	enum asked asked;
	int64_t asked_at;		/* CLOCK_BOOTTIME */
	bool again;			/* something changed meanwhile */
	char node[256];			/* the lowest, being read */
	int64_t heard;			/* when it last became known who leads, or that nobody does */
	bool told;
	enum stand stand;
	struct info info;
	char why[512];
};

/* url: what is wrong, in words; NULL: nothing.  -ENOMEM leaves *hosts NULL. */
const char *url_parse(const char *text, char **hosts, char **path, char **auth);

/* info: 0, or -EBADMSG. */
int info_json(struct info *to, const char *text, size_t len);
int info_protobuf(struct info *to, const char *text, size_t len);

/* session */
void session_open(struct leader *l);
void session_look(struct leader *l);		/* now and then */
void session_close(struct leader *l);		/* for good */
/* 0: election_came() will be called, once; -ENOTCONN.  The answer: names with NUL after
 * each, or the node's value. */
int session_names(struct leader *l);		/* and tell of the next change */
int session_node(struct leader *l, const char *name);

/* election */
void election_look(struct leader *l);		/* now and then, and when something changed */
void election_came(struct leader *l, int rc, const char *bytes, size_t len);
void election_changed(struct leader *l);
int64_t leader_boot(void);

void leader_idle(struct leader *l);		/* stopping: is all over? */

#endif
