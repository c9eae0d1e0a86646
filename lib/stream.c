/* SPDX-License-Identifier: Apache-2.0 */
/* stream - builds the graph of nodes out of `streams` and `define`. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alert.h"
#include "clock.h"
#include "hash.h"
#include "node.h"
#include "slow.h"

enum { NESTING = 64, NODES = 100000 };

/* A stream of the `define` group, built when it is first named. */
struct define {
	struct define *next;
	const struct sat_conf *conf;
	struct nodes nodes;
	enum { DEFINE_NEW, DEFINE_BUILDING, DEFINE_BUILT } how;
};

/* A pipe's marker, good inside of its stages. */
struct marker {
	const struct marker *outer;
	const char *name;
	const struct nodes *target;
	bool named;
};

/* Where a list of nodes is being built. */
struct place {
	struct scope *scope;
	uint64_t key[2];		/* the parent's */
	uint32_t branch;
	struct marker *marker;
	struct node *guard;		/* the nearest that catches what fails here */
	const char *path;		/* of the list itself */
	unsigned depth;
};

/* What sat_branch() needs of the define() that calls it. */
static struct { struct streams *set; struct node *node; struct place place; bool failed; } defining;

static int build_list(struct streams *s, const struct place *at, const struct sat_conf *conf,
		      struct nodes *out);

/* ---- Small things ------------------------------------------------------- */

static int nodes_add(struct nodes *list, struct node *n)
{
	if (list->n == list->room) {
		uint32_t room = list->room != 0 ? 2 * list->room : 4;
		struct node **v = realloc(list->v, room * sizeof(struct node *));

		if (v == NULL)
			return -ENOMEM;
		list->v = v;
		list->room = room;
	}
	list->v[list->n++] = n;
	return 0;
}

static struct scope *scope_make(struct streams *s, struct scope *parent, struct node *owner)
{
	struct scope **v = realloc(s->scopes, (s->n_scopes + 1) * sizeof(struct scope *));
	struct scope *scope = calloc(1, sizeof(*scope));

	if (v != NULL)
		s->scopes = v;
	if (v == NULL || scope == NULL) {
		free(scope);
		return NULL;
	}
	scope->set = s;
	scope->parent = parent;
	scope->owner = owner;
	scope->max = 1000000;
	scope->keep = 86400 * SAT_SECOND;
	s->scopes[s->n_scopes++] = scope;
	return scope;
}

static const struct sat_option *option_of(const struct sat_op *op, const char *name)
{
	for (const struct sat_option *const *o = op->options; o != NULL && *o != NULL; o++)
		if (strcmp((*o)->name, name) == 0)
			return *o;
	return NULL;
}

/* ---- Keys --------------------------------------------------------------- */

/* The operator's own parameters as text: nothing of children or siblings. */
static int canonical(const struct sat_op *op, const struct sat_conf *conf, struct sat_buf *out)
{
	const char *skip[32] = { "do", "else", "id" };
	size_t n = 3;

	if (option_of(op, op->name) == NULL)
		skip[n++] = op->name;
	for (const struct sat_option *const *o = op->options; o != NULL && *o != NULL; o++)
		if ((*o)->type == SAT_NODES && n < 31)
			skip[n++] = (*o)->name;
	conf_canonical(conf, skip, out);
	return out->full ? -ENOMEM : 0;
}

static uint32_t siblings_alike(const struct streams *s, const uint64_t key[2])
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->all.n; i++)
		n += s->all.v[i]->key[0] == key[0] && s->all.v[i]->key[1] == key[1];
	return n;
}

/* The key that `id` gives: it outlives a change of the parameters. */
static int key_of_id(const struct streams *s, struct node *n, const struct sat_conf *id)
{
	const char *name = sat_conf_value(id).text;

	hash_lasting(n->key, "id", 3);
	hash_lasting(n->key, n->op->name, strlen(n->op->name) + 1);
	hash_lasting(n->key, name, strlen(name));
	if (siblings_alike(s, n->key) != 0)
		return sat_conf_error(id, NULL, "another node has the id \"%s\"", name);
	return 0;
}

/* Equal siblings: the first has the plain key, the others a number more. */
static void key_of_place(const struct streams *s, struct node *n, const struct place *at)
{
	uint64_t plain[2];

	hash_lasting(n->key, at->key, sizeof(at->key));
	hash_lasting(n->key, &at->branch, sizeof(at->branch));
	hash_lasting(n->key, n->op->name, strlen(n->op->name) + 1);
	hash_lasting(n->key, n->settings, sizeof(n->settings));
	memcpy(plain, n->key, sizeof(plain));
	for (uint32_t twin = 1; siblings_alike(s, n->key) != 0; twin++) {
		memcpy(n->key, plain, sizeof(plain));
		hash_lasting(n->key, &twin, sizeof(twin));
	}
}

static int node_key(const struct streams *s, struct node *n, const struct place *at,
		    const struct sat_conf *conf)
{
	const struct sat_conf *id = conf_find(conf, "id");
	struct sat_buf text = { .max = 1 << 20 };
	int rc = canonical(n->op, conf, &text);

	memcpy(n->key, hash_basis, sizeof(hash_basis));
	memcpy(n->settings, hash_basis, sizeof(hash_basis));
	hash_lasting(n->settings, text.p != NULL ? text.p : "", text.len);
	sat_buf_free(&text);
	if (rc != 0)
		return sat_conf_error(conf, NULL, "no memory, or settings over 1 MiB");
	/* The node of op->within has the same settings; its key comes of its outer node's. */
	if (id != NULL && sat_conf_value(id).kind == SAT_TEXT &&
	    (at->scope->owner == NULL || at->scope->owner->op->within != n->op))
		return key_of_id(s, n, id);
	key_of_place(s, n, at);
	return 0;
}

/* ---- One node ----------------------------------------------------------- */

static int lay_out(struct node *n, struct scope *scope)
{
	uint32_t ahead = n->op->flags & SAT_FORKS ? 16 : 0;

	n->scope = scope;
	n->index = scope->nodes.n;
	n->offset = scope->bytes + ahead;
	scope->bytes = (n->offset + n->op->state_size + 15) & ~15u;
	return nodes_add(&scope->nodes, n);
}

static struct node *node_make(struct streams *s, const struct sat_op *op, struct sat_self *self,
			      const struct place *at, const struct sat_conf *conf, const char *path, int *rc)
{
	struct node *n = calloc(1, sizeof(*n));
	struct sat_node *handle = calloc(1, sizeof(*handle));

	if (n == NULL || handle == NULL)
		goto fail;
	n->handle = handle;
	handle->node = n;
	handle->self = self;
	handle->path = strdup(path);
	n->op = op;
	n->set = s;
	n->guard = at->guard;
	n->n_branches = 2;
	n->branches = calloc(2, sizeof(*n->branches));
	if (handle->path == NULL || n->branches == NULL)
		goto fail;
	if (op->flags & SAT_FORKS && (n->inner = scope_make(s, at->scope, n)) == NULL)
		goto fail;
	if (lay_out(n, at->scope) != 0)
		goto fail;
	*rc = node_key(s, n, at, conf);		/* a mistake; the node is there all the same */
	if (nodes_add(&s->all, n) != 0) {
		at->scope->nodes.n--;
		goto fail;
	}
	n->file = conf_ref(s->file);
	return n;
fail:
	if (handle != NULL)
		free(handle->path);
	if (n != NULL)
		free(n->branches);
	free(handle);
	free(n);
	sat_conf_error(conf, NULL, "no memory");
	return NULL;
}

/* The node whose branches hold the children. */
static struct node *parent_of(struct node *n)
{
	return n->within != NULL ? n->within : n;
}

static int build_branch(struct node *n, uint32_t branch, const struct place *at, const struct sat_conf *conf,
			const char *name)
{
	char path[512];
	struct place in = { .scope = n->inner != NULL ? n->inner : n->scope,
			    .key = { n->key[0], n->key[1] }, .branch = branch,
			    .marker = at->marker, .guard = at->guard, .path = path, .depth = at->depth + 1 };

	if ((n->op->flags & SAT_CATCHES) && branch == 0)
		in.guard = n;
	snprintf(path, sizeof(path), "%s.%s", n->handle->path, name);
	return build_list(n->set, &in, conf, &parent_of(n)->branches[branch]);
}

static const struct sat_option *const shared[] = {
	SAT_OPTION("do", SAT_NODES, .help = "the streams below"),
	SAT_OPTION("else", SAT_NODES, .help = "the streams of the second branch"),
	SAT_OPTION("id", SAT_STRING, .help = "a name that keeps the state over changes"),
	NULL
};

/* A group's operator is its first key; its options, and the host's, are judged.
 * The table lives as long as the node, since conf points to it from then on. */
static int judge(const struct sat_op *op, const struct sat_conf *conf, struct host_options **made)
{
	struct host_options *o = calloc(1, sizeof(*o));

	*made = o;
	if (o == NULL)
		return -ENOMEM;
	o->own = (struct sat_option){ .size = sizeof(o->own), .name = op->name, .type = SAT_NODES,
				      .help = "the streams below" };
	memcpy(o->table, shared, sizeof(shared));
	if (option_of(op, op->name) == NULL)
		o->table[3] = &o->own;
	return conf_judge(conf, op->options, o->table);
}

/* An operator with a state in its own forks: a second node, in their scope. */
static int build_within(struct node *n, const struct place *at, const struct sat_conf *conf)
{
	struct place in = *at;
	int rc = 0;

	in.scope = n->inner;
	memcpy(in.key, n->key, sizeof(in.key));
	n->within = node_make(n->set, n->op->within, n->handle->self, &in, conf, n->handle->path, &rc);
	if (n->within == NULL || nodes_add(&n->branches[0], n->within) != 0)
		return -ENOMEM;
	return rc;
}

static int define_node(struct node *n, const struct place *at, const struct sat_conf *conf)
{
	struct sat_self *self = n->handle->self;
	int rc;

	if (!conf_usable(conf) || (self != NULL && self->failed))
		return -EINVAL;
	if (n->op->define == NULL) {
		n->defined = true;
		return 0;
	}
	defining.set = n->set;
	defining.node = n;
	defining.place = *at;
	defining.failed = false;
	rc = n->op->define(n->handle, self != NULL ? self->state : NULL, conf, &n->def);
	n->defined = rc == 0;
	if (n->within != NULL)
		n->within->def = n->def;
	return defining.failed && rc == 0 ? -EINVAL : rc;
}

static int build_node(struct streams *s, const struct place *at, const struct sat_op *op,
		      struct sat_self *self, const struct sat_conf *conf, const char *path, struct nodes *out)
{
	const struct sat_conf *below[2] = { conf_find(conf, "do"), conf_find(conf, "else") };
	const struct sat_conf *own = option_of(op, op->name) == NULL ? conf_find(conf, op->name) : NULL;
	struct host_options *options;
	struct node *n;
	int rc = judge(op, conf, &options), more = 0;

	n = options != NULL ? node_make(s, op, self, at, conf, path, &more) : NULL;
	if (n == NULL) {
		free(options);
		return -ENOMEM;
	}
	rc = rc != 0 ? rc : more;
	n->options = options;
	if (nodes_add(out, n) != 0)
		return -ENOMEM;
	if (n->inner != NULL && op->within != NULL) {
		more = build_within(n, at, conf);
		rc = rc != 0 ? rc : more;
		if (n->within == NULL)
			return rc;
	}
	if (own != NULL && below[0] != NULL)
		rc = sat_conf_error(below[0], NULL, "%s has its streams as its own value already", op->name);
	for (uint32_t b = 0; b < 2; b++) {
		const struct sat_conf *list = b == 0 && own != NULL ? own : below[b];

		if (list != NULL) {
			more = build_branch(n, b, at, list, sat_conf_name(list));
			rc = rc != 0 ? rc : more;
		}
	}
	/* All below was looked at; so is, whatever came of that, the node itself. */
	more = define_node(n, at, conf);
	return rc != 0 ? rc : more;
}

/* ---- Names that stand for nodes ----------------------------------------- */

static int add_all(struct nodes *out, const struct nodes *from)
{
	for (uint32_t i = 0; i < from->n; i++)
		if (nodes_add(out, from->v[i]) != 0)
			return -ENOMEM;
	return 0;
}

static int use_define(struct streams *s, struct define *d, unsigned depth, const struct sat_conf *where,
		      struct nodes *out)
{
	char path[300];
	struct place at = { .scope = s->scopes[0], .path = path, .depth = depth };
	int rc = 0;

	if (d->how == DEFINE_BUILDING)
		return sat_conf_error(where, NULL, "the stream \"%s\" would run into itself", sat_conf_name(d->conf));
	if (d->how == DEFINE_NEW) {
		snprintf(path, sizeof(path), "define.%s", sat_conf_name(d->conf));
		hash_lasting(at.key, path, strlen(path));
		d->how = DEFINE_BUILDING;
		rc = build_list(s, &at, d->conf, &d->nodes);
		d->how = DEFINE_BUILT;
	}
	if (out != NULL && add_all(out, &d->nodes) != 0)
		return -ENOMEM;
	return rc;
}

static int build_name(struct streams *s, const struct place *at, const char *name,
		      const struct sat_conf *where, const char *path, struct nodes *out)
{
	const struct sat_conf *none;
	const struct sat_op *op;
	struct sat_self *self = NULL;
	struct define *d;

	for (const struct marker *m = at->marker; m != NULL; m = m->outer)
		if (strcmp(m->name, name) == 0) {
			((struct marker *)(uintptr_t)m)->named = true;
			return add_all(out, m->target);
		}
	for (d = s->defines; d != NULL; d = d->next)
		if (strcmp(sat_conf_name(d->conf), name) == 0)
			return use_define(s, d, at->depth + 1, where, out);
	op = s->finder->find(s->finder->arg, name, where, &self);
	if (op == NULL)
		return -EINVAL;
	none = conf_empty(s->file, name, where);
	if (none == NULL)
		return -ENOMEM;
	if (option_of(op, name) != NULL && option_of(op, name)->required)
		return sat_conf_error(where, NULL, "%s needs an argument: { %s = …; }", name, name);
	return build_node(s, at, op, self, none, path, out);
}

/* What stands below an operator that nobody knows: for its mistakes only. */
static void build_below(struct streams *s, const struct place *at, const struct sat_conf *conf, const char *path)
{
	static const char *const names[] = { "do", "else" };
	struct nodes lost = { 0 };
	struct place in = *at;

	in.path = path;
	in.depth++;
	for (size_t i = 0; i < 2; i++) {
		const struct sat_conf *list = conf_find(conf, names[i]);

		if (list != NULL)
			build_list(s, &in, list, &lost);
	}
	free(lost.v);
}

static int build_group(struct streams *s, const struct place *at, const struct sat_conf *conf,
		       const char *path, struct nodes *out)
{
	const struct sat_conf *first = NULL;
	const struct sat_op *op;
	struct sat_self *self = NULL;

	if (sat_conf_count(conf) != 0)
		first = sat_conf_at(conf, 0);
	if (first == NULL)
		return sat_conf_error(conf, NULL, "an empty group names no operator");
	for (struct define *d = s->defines; d != NULL; d = d->next)
		if (strcmp(sat_conf_name(d->conf), sat_conf_name(first)) == 0)
			return sat_conf_error(first, NULL, "a stream of `define` is named by a string");
	op = s->finder->find(s->finder->arg, sat_conf_name(first), first, &self);
	if (op == NULL) {
		build_below(s, at, conf, path);
		return -EINVAL;
	}
	return build_node(s, at, op, self, conf, path, out);
}

static int build_one(struct streams *s, const struct place *at, const struct sat_conf *conf, size_t i,
		     struct nodes *out)
{
	char path[512];
	struct sat_value v;

	snprintf(path, sizeof(path), "%s[%zu]", at->path, i);
	if (at->depth >= NESTING)
		return sat_conf_error(conf, NULL, "streams nest over %d deep", NESTING);
	if (s->all.n >= NODES)
		return sat_conf_error(conf, NULL, "over %d streams", NODES);
	if (sat_conf_is_group(conf))
		return build_group(s, at, conf, path, out);
	v = sat_conf_value(conf);
	if (v.kind != SAT_TEXT)
		return sat_conf_error(conf, NULL, "a stream is a name or a group { operator = …; }");
	return build_name(s, at, v.text, conf, path, out);
}

/* Streams: one of them, or a list.  All mistakes are reported. */
static int build_list(struct streams *s, const struct place *at, const struct sat_conf *conf,
		      struct nodes *out)
{
	int rc = 0, more;

	if (!sat_conf_is_list(conf))
		return build_one(s, at, conf, 0, out);
	for (size_t i = 0; i < sat_conf_count(conf); i++) {
		more = build_one(s, at, sat_conf_at(conf, i), i, out);
		rc = rc != 0 ? rc : more;
	}
	return rc;
}

/* ---- What define() may call --------------------------------------------- */

static int add_branch(struct node *n)
{
	struct nodes *v = realloc(n->branches, (n->n_branches + 1) * sizeof(*v));

	if (v == NULL)
		return -ENOMEM;
	n->branches = v;
	v[n->n_branches] = (struct nodes){ 0 };
	return (int)n->n_branches++;
}

/* Building a branch defines other nodes: what is being defined is put aside. */
static int branch_with(struct sat_node *handle, const struct sat_conf *conf, size_t clause,
		       struct marker *marker)
{
	__typeof__(defining) aside = defining;
	struct place at = aside.place;
	int branch = add_branch(parent_of(handle->node)), rc;
	char name[80];

	if (branch < 0)
		return branch;
	at.marker = marker != NULL ? marker : at.marker;
	snprintf(name, sizeof(name), "%s[%zu]", parent_of(handle->node)->op->name, clause);
	rc = build_branch(handle->node, (uint32_t)branch, &at, conf, name);
	defining = aside;
	/* It was reported, and fails the node: its other clauses are looked at all the same. */
	if (rc != 0)
		defining.failed = true;
	return rc == -ENOMEM ? rc : branch;
}

int sat_branch(struct sat_node *node, const struct sat_conf *nodes)
{
	return branch_with(node, nodes, parent_of(node->node)->n_branches - 2, NULL);
}

/* A stage that names the marker nowhere passes on by its first branch. */
static int chain_stage(const struct nodes *stage, const struct nodes *target, const struct streams *s,
		       const struct sat_conf *where)
{
	for (uint32_t i = 0; i < stage->n; i++) {
		if (stage->v[i]->piped)
			return sat_conf_error(where, NULL, "a pipe as a stage must say where it passes to: give it "
					      "another marker, and name that of the outer one");
		for (const struct define *d = s->defines; d != NULL; d = d->next)
			for (uint32_t k = 0; k < d->nodes.n; k++)
				if (d->nodes.v[k] == stage->v[i])
					return sat_conf_error(where, NULL, "a defined stream cannot be a stage "
							      "before the last");
		if (add_all(&stage->v[i]->branches[0], target) != 0)
			return -ENOMEM;
	}
	return 0;
}

int sat_branch_pipe(struct sat_node *node, const struct sat_conf *stages, const char *marker)
{
	size_t n = sat_conf_is_list(stages) ? sat_conf_count(stages) : 0;
	struct nodes target = { 0 };
	int branch = -EINVAL, rc = 0;

	if (n == 0)
		return sat_conf_error(stages, NULL, "a list of stages is wanted");
	node->node->piped = true;
	if (add_all(&target, &parent_of(node->node)->branches[0]) != 0)
		rc = -ENOMEM;
	for (size_t i = n; i-- > 0 && rc == 0;) {
		struct marker m = { defining.place.marker, marker, &target, false };
		struct nodes *stage;

		branch = branch_with(node, sat_conf_at(stages, i), i, &m);
		if (branch < 0) {
			rc = branch;
			break;
		}
		stage = &parent_of(node->node)->branches[branch];
		if (!m.named && target.n != 0 && !defining.failed)
			rc = chain_stage(stage, &target, node->node->set, sat_conf_at(stages, i));
		free(target.v);
		target = (struct nodes){ 0 };
		if (rc == 0)
			rc = add_all(&target, stage);
	}
	free(target.v);
	return rc != 0 ? rc : branch;
}

void sat_fork_limits(struct sat_node *node, uint32_t max, int64_t keep)
{
	if (node->node->inner == NULL)
		return;
	node->node->inner->max = max != 0 ? max : 1;
	node->node->inner->keep = keep;
}

struct sat_self *sat_node_self(struct sat_node *node)
{
	return node->self;
}

const char *sat_node_path(struct sat_node *node)
{
	return node->path;
}

/* ---- The set ------------------------------------------------------------ */

/* What is no group has been complained of. */
static int add_defines(struct streams *s, const struct sat_conf *group)
{
	struct define **at = &s->defines;

	for (size_t i = 0; group != NULL && sat_conf_is_group(group) && i < sat_conf_count(group); i++) {
		*at = calloc(1, sizeof(**at));
		if (*at == NULL)
			return -ENOMEM;
		(*at)->conf = sat_conf_at(group, i);
		at = &(*at)->next;
	}
	return 0;
}

static int build_all(struct streams *s, const struct sat_conf *list, const char *otherwise)
{
	struct place at = { .scope = s->scopes[0], .path = "streams" };
	int rc = 0, more;

	for (struct define *d = s->defines; d != NULL; d = d->next)
		if (d->how == DEFINE_NEW) {
			more = use_define(s, d, 0, d->conf, NULL);
			rc = rc != 0 ? rc : more;
		}
	if (list != NULL)
		more = build_list(s, &at, list, &s->top);
	else
		more = build_name(s, &at, otherwise, conf_root(s->file), "streams[0]", &s->top);
	return rc != 0 ? rc : more;
}

struct streams *streams_build(struct conf *file, const struct sat_conf *list, const struct sat_conf *define,
			      const char *otherwise, const struct stream_finder *finder)
{
	struct streams *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->file = conf_ref(file);
	s->finder = finder;
	if (scope_make(s, NULL, NULL) == NULL || add_defines(s, define) != 0 ||
	    build_all(s, list, otherwise) != 0 ||
	    (s->root = fork_make(s->scopes[0], NULL, NULL, 0)) == NULL) {
		streams_free(s);
		return NULL;
	}
	s->finder = NULL;
	return s;
}

static void free_node(struct node *n)
{
	if (n->defined && n->op->undefine != NULL)
		n->op->undefine(n->def);
	for (uint32_t i = 0; i < n->n_branches; i++)
		free(n->branches[i].v);
	free(n->branches);
	free(n->options);
	conf_unref(n->file);
	free(n->handle->path);
	free(n->handle);
	free(n);
}

void streams_forget(struct streams *s)
{
	if (s->root != NULL)
		fork_free(s->root);
	s->root = NULL;
	for (uint32_t i = 0; i < s->all.n; i++)
		alerts_forget(s->all.v[i]);
}

void streams_free(struct streams *s)
{
	struct define *d;

	if (s == NULL)
		return;
	slow_settle();
	streams_forget(s);
	for (uint32_t i = 0; i < s->all.n; i++)
		free_node(s->all.v[i]);
	free(s->all.v);
	free(s->top.v);
	while ((d = s->defines) != NULL) {
		s->defines = d->next;
		free(d->nodes.v);
		free(d);
	}
	for (uint32_t i = 0; i < s->n_scopes; i++) {
		free(s->scopes[i]->nodes.v);
		free(s->scopes[i]);
	}
	free(s->scopes);
	conf_unref(s->file);
	free(s);
}

/* ---- Stopping ----------------------------------------------------------- */

static void one_stopped(struct streams *s)
{
	if (--s->stopping == 0 && s->stopped != NULL)
		s->stopped(s->stopped_arg);
}

void sat_node_stopped(struct sat_node *node)
{
	one_stopped(node->node->set);
}

void streams_stop(struct streams *s, void (*done)(void *arg), void *arg)
{
	s->stopped = done;
	s->stopped_arg = arg;
	s->stopping = 1;
	for (uint32_t i = 0; i < s->all.n; i++) {
		struct node *n = s->all.v[i];

		if (!n->started)
			continue;
		n->started = false;
		if (n->op->stop != NULL) {
			s->stopping++;
			n->op->stop(n->def);
		}
	}
	one_stopped(s);
}
