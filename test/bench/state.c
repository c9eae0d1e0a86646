/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state - a Mesos state read into the model, beside a bare yajl pass and cJSON over the same bytes.
 *
 * state FILE [NAME]: each, or the one, in a process of its own, which reads the file in pieces as curl hands
 * them on (cJSON: whole).  A line each: name, seconds, CPU seconds, MB at most above what it
 * keeps, MB kept, as malloc counts it.  What it keeps is the model, or cJSON's tree.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cjson/cJSON.h>
#include <yajl/yajl_parse.h>

#include "../../modules/mesos-master/reader.h"

#define PIECE 16384

static const char *file;
static struct model model;

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "state: %s: %s\n", what, why);
	exit(1);
}

/* ---- What it cost ------------------------------------------------------- */

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* A line of /proc/self/status, in MB. */
static double memory(const char *name)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	double kib = 0;

	if (f == NULL)
		fail("/proc/self/status", strerror(errno));
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, name, strlen(name)) == 0)
			kib = strtod(line + strlen(name) + 1, NULL);
	fclose(f);
	return kib * 1024 / 1e6;
}

/* ---- The three ---------------------------------------------------------- */

static void in_pieces(int (*feed)(void *arg, const void *p, size_t n), void *arg)
{
	static char piece[PIECE];
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		fail(file, strerror(errno));
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		if (feed(arg, piece, (size_t)n) != 0)
			fail(file, "not understood");
	close(fd);
}

static int no_null(void *x) { (void)x; return 1; }
static int no_bool(void *x, int b) { (void)x; (void)b; return 1; }
static int no_text(void *x, const unsigned char *s, size_t n) { (void)x; (void)s; (void)n; return 1; }
static int no_number(void *x, const char *s, size_t n) { (void)x; (void)s; (void)n; return 1; }

static int feed_yajl(void *yajl, const void *p, size_t n)
{
	return yajl_parse(yajl, p, n) != yajl_status_ok;
}

static void with_yajl(void)
{
	static const yajl_callbacks calls = {
		.yajl_null = no_null, .yajl_boolean = no_bool, .yajl_number = no_number, .yajl_string = no_text,
		.yajl_start_map = no_null, .yajl_map_key = no_text, .yajl_end_map = no_null,
		.yajl_start_array = no_null, .yajl_end_array = no_null,
	};
	yajl_handle yajl = yajl_alloc(&calls, NULL, NULL);

	in_pieces(feed_yajl, yajl);
	if (yajl_complete_parse(yajl) != yajl_status_ok)
		fail(file, "cut short");
	yajl_free(yajl);
}

static void with_cjson(void)
{
	struct stat st;
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	char *text;
	ssize_t n;
	size_t at = 0;

	if (fd < 0 || fstat(fd, &st) != 0)
		fail(file, strerror(errno));
	text = malloc((size_t)st.st_size + 1);
	if (text == NULL)
		fail(file, strerror(ENOMEM));
	while ((n = read(fd, text + at, (size_t)st.st_size - at)) > 0)
		at += (size_t)n;
	close(fd);
	text[at] = '\0';
	if (cJSON_Parse(text) == NULL)
		fail(file, "not understood");
	free(text);
}

static int feed_reader(void *reader, const void *p, size_t n)
{
	return reader_feed(reader, p, n);
}

static void with_model(void)
{
	static struct reader reader;
	char why[160];

	model_init(&model, NULL, NULL);
	model_begin(&model);
	if (reader_expect(&reader, &model) != 0)
		fail(file, strerror(ENOMEM));
	in_pieces(feed_reader, &reader);
	if (reader_end_state(&reader, why, sizeof(why)) != 0)
		fail(file, why);
	model_end(&model, true);
	while (model_settle(&model, 4096))
		continue;
	reader_free(&reader);
}

static void measure(const char *name, void (*work)(void))
{
	double before, kept, began, used;
	struct mallinfo2 all;
	pid_t pid;
	int rc;

	fflush(stdout);
	pid = fork();
	if (pid != 0) {
		if (pid < 0 || waitpid(pid, &rc, 0) != pid || rc != 0)
			fail(name, "failed");
		return;
	}
	began = seconds();
	used = cpu();
	before = memory("VmRSS");
	work();
	began = seconds() - began;
	used = cpu() - used;
	all = mallinfo2();
	kept = (double)(all.uordblks + all.hblkhd) / 1e6;
	printf("%s %.3f %.3f %.1f %.1f\n", name, began, used, memory("VmHWM") - before - kept, kept);
	exit(0);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*work)(void);
	} all[] = { { "yajl", with_yajl }, { "model", with_model }, { "cjson", with_cjson } };

	if (argc != 2 && argc != 3)
		fail("usage", "state FILE [yajl | model | cjson]");
	file = argv[1];
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (argc == 2 || strcmp(argv[2], all[i].name) == 0)
			measure(all[i].name, all[i].work);
	return 0;
}
