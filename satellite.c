/* SPDX-License-Identifier: Apache-2.0 */
/* satellite - main(): options, configuration, role, modules, loop, exit. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "account.h"
#include "alert.h"
#include "cli.h"
#include "client.h"
#include "clock.h"
#include "control.h"
#include "engine.h"
#include "http.h"
#include "isolate.h"
#include "isolated.h"
#include "life.h"
#include "loader.h"
#include "log.h"
#include "options.h"
#include "process.h"
#include "query.h"
#include "recorder.h"
#include "replay.h"
#include "save.h"
#include "show.h"
#include "slow.h"
#include "tls.h"
#include "vitals.h"
#include "work.h"

#define STOP_MS		4500

/* What a role is: a list of modules and a stream, where the file names none. */
static const char *const master_modules[] = { "riemann", "mesos-master", "whitelist", NULL };
static const char *const slave_modules[] = { "checks", "command", "forward", NULL };
static const struct setup_role roles[] = {
	{ .name = "master", .modules = master_modules, .stream = "index", .http = true,
	  .tells = 60 * SAT_SECOND },
	{ .name = "slave", .modules = slave_modules, .stream = "forward" },
};

static struct options options;
static uv_loop_t loop;
static uv_signal_t hangup, terminate, interrupt;
static uv_timer_t saver, watchdog;
static bool stopping, overdue, lost;

/* ---- Configuration ------------------------------------------------------ */

/* The file, or what stands for it where there is none.  NULL: reported. */
static struct conf *read_file(void)
{
	char path[512];

	if (options.isolated != NULL)
		return isolated_file();
	if (options.config != NULL)
		return conf_read(options.config);
	snprintf(path, sizeof(path), SAT_SYSCONFDIR "/%s.cfg", options.role);
	if (access(path, F_OK) == 0)
		return conf_read(path);
	log_line(LOG_NOTICE, NULL, "%s is not there: built-in defaults run", path);
	return conf_text("", "built-in defaults");
}

/* The command line wins.  Without a role the first serves to find more mistakes. */
static const struct setup_role *find_role(const struct top *top)
{
	const char *name = options.role != NULL ? options.role : top_role(top);

	if (options.isolated != NULL)
		return isolated_role();
	for (size_t i = 0; name != NULL && i < sizeof(roles) / sizeof(*roles); i++)
		if (strcmp(roles[i].name, name) == 0)
			return &roles[i];
	if (name == NULL)
		sat_conf_error(conf_root(top_file(top)), "role", "is not given, here or as --role=master|slave");
	return &roles[0];
}

static void fix(const struct top *top, const char *setting, char **now, char *next)
{
	if (*now == NULL && next == NULL)
		sat_conf_error(conf_root(top_file(top)), setting, "%s", strerror(ENOMEM));
	else if (*now == NULL)
		*now = next;
	else if (top_get(top, setting) != NULL && (next == NULL || strcmp(*now, next) != 0))
		sat_conf_error(conf_root(top_file(top)), setting, "cannot change in a running satellite (now %s)", *now);
	if (*now != next)
		free(next);
}

/* Who and where this process is: settled at the start. */
static void identify(const struct top *top)
{
	fix(top, "host", &self_process.host, top_host(top));
	if (options.state_dir == NULL)
		fix(top, "state-dir", &self_process.state_dir, top_state_dir(top));
	else if (self_process.state_dir == NULL)
		self_process.state_dir = top_absolute(options.state_dir);
}

static struct setup *build(void)
{
	const char *const folders[] = { options.modules, NULL };
	const struct setup_role *role;
	struct conf *file;
	struct top *top;

	if (loader_folders(options.modules != NULL ? folders : NULL) != 0)
		return NULL;
	file = read_file();
	if (file == NULL)
		return NULL;
	top = top_judge(file);
	if (top == NULL)
		return NULL;
	role = find_role(top);
	identify(top);
	return setup_build(top, role, life_setup());
}

/* NULL: all mistakes were reported. */
static struct setup *configure(void)
{
	struct setup *s;

	conf_collect();
	s = build();
	conf_tell();
	return s;
}

/* ---- Parts -------------------------------------------------------------- */

static int open_log(const struct top *top)
{
	const char *file = options.log != NULL ? options.log : top != NULL ? top_log_file(top) : NULL;
	int usual = options.check || self_process.replay ? LOG_WARNING : LOG_INFO;
	int level = options.verbose ? LOG_DEBUG : top != NULL ? top_log_level(top) : usual;
	int rc = log_open(options.check ? NULL : file, level);

	if (rc != 0)
		fprintf(stderr, "satellite: %s: %s\n", file, strerror(-rc));
	return rc;
}

/* What is for this process is for those of isolated groups, too. */
static void pass_on(void)
{
	static char modules[] = "--modules", verbose[] = "--verbose", dry_run[] = "--dry-run";
	static const char *words[5];
	size_t n = 0;

	if (options.modules != NULL) {
		words[n++] = modules;
		words[n++] = options.modules;
	}
	if (options.verbose)
		words[n++] = verbose;
	if (options.dry_run)
		words[n] = dry_run;
	isolate_begin(words);
}

/* What instances may use from create() on. */
static int begin(void)
{
	int rc = uv_loop_init(&loop);

	if (rc != 0)
		return rc;
	self_process.loop = &loop;
	self_process.dry_run = options.dry_run;
	pass_on();
	clock_live();
	rc = engine_init(self_process.replay ? NULL : &loop);
	if (rc == 0)
		rc = work_init(&loop);
	if (rc == 0)
		rc = http_init();
	if (rc == 0)
		rc = lead_init(LEAD_MESOS);
	if (rc == 0)
		rc = alerts_init();
	if (rc == 0)
		rc = life_init();
	return rc;
}

/* Nothing of a setup is left.  Exit status. */
static int finish(int status)
{
	slow_end();
	isolated_close();
	http_end();
	engine_stop();
	alerts_end();
	lead_end();
	work_end();
	recorder_end();
	uv_run(&loop, UV_RUN_DEFAULT);
	if (process_close_loop(&loop) != 0)
		status = 1;
	query_free_cache();
	loader_close();
	process_unlock();
	free(self_process.host);
	free(self_process.state_dir);
	log_close();
	uv_library_shutdown();
	return status;
}

/* ---- Living ------------------------------------------------------------- */

/* Whether the state directory is this process's. */
static bool keeps(void)
{
	return !self_process.dry_run && options.isolated == NULL;
}

static void state_path(char *path, size_t size)
{
	snprintf(path, size, "%s/state", self_process.state_dir);
}

static void save(bool later)
{
	char path[4096];
	int rc;

	state_path(path, sizeof(path));
	rc = !keeps() ? 0 : later ? save_later(path) : save_now(path);
	if (rc != 0)
		log_line(LOG_WARNING, NULL, "%s: %s", path, strerror(-rc));
}

static void load(void)
{
	char path[4096];
	int rc;

	state_path(path, sizeof(path));
	rc = !keeps() ? 0 : save_load(path);
	if (rc != 0 && rc != -ENOENT)
		log_line(LOG_WARNING, NULL, "%s: %s", path, strerror(-rc));
}

static void save_now_and_then(uv_timer_t *timer)
{
	(void)timer;
	save(true);
}

/* What begins with a setup, beyond its parts. */
static void begin_with(const struct setup *s)
{
	uint64_t save_ms = (uint64_t)(top_save(s->top) / 1000);
	size_t max;
	char *path = top_record(s->top, &max);

	if (uv_timer_get_repeat(&saver) != save_ms)
		uv_timer_start(&saver, save_now_and_then, save_ms, save_ms);
	vitals_every(s->tells);
	if (!self_process.dry_run && recorder_use(path, max) != 0)
		log_line(LOG_ERR, "record", "%s: %s", path, strerror(ENOMEM));
	free(path);
}

static void reload(uv_signal_t *signal, int number)
{
	struct setup *next;

	(void)signal;
	(void)number;
	if (stopping || options.isolated != NULL)
		return;
	log_reopen();
	next = configure();
	if (next != NULL && setup_open(next) == 0) {
		open_log(next->top);
		life_swap(next);
		begin_with(next);
		tls_reload();
		self_add(SELF_RELOADS, 1);
		log_line(LOG_NOTICE, NULL, "reloaded");
		return;
	}
	setup_free(next);
	self_add(SELF_RELOADS_REFUSED, 1);
	log_line(LOG_WARNING, NULL, "reload refused: all goes on as before");
}

static void settled(void)
{
	engine_run();
	recorder_flush();
	save(false);
}

static void close_handles(void)
{
	uv_handle_t *const handles[] = {
		(uv_handle_t *)&hangup, (uv_handle_t *)&terminate, (uv_handle_t *)&interrupt,
		(uv_handle_t *)&saver, (uv_handle_t *)&watchdog,
	};

	for (size_t i = 0; i < sizeof(handles) / sizeof(*handles); i++)
		uv_close(handles[i], NULL);
}

static void stopped(void)
{
	close_handles();
	uv_stop(&loop);
}

/* Something hangs: say what, and end all the same. */
static void give_up(uv_timer_t *timer)
{
	(void)timer;
	overdue = true;
	lost = life_overdue();
	uv_stop(&loop);
}

static void end(void)
{
	if (stopping)
		return;
	stopping = true;
	vitals_every(0);
	uv_timer_start(&watchdog, give_up, STOP_MS, 0);
	http_end();
	control_close();
	life_stop(settled, stopped);
}

static void stop(uv_signal_t *signal, int number)
{
	(void)signal;
	if (options.isolated != NULL)
		return;		/* its parent knows, and says when */
	if (!stopping)
		log_line(LOG_NOTICE, NULL, "%s: ending", number == SIGINT ? "interrupted" : "terminated");
	end();
}

static void open_handles(void)
{
	uv_signal_init(&loop, &hangup);
	uv_signal_init(&loop, &terminate);
	uv_signal_init(&loop, &interrupt);
	uv_timer_init(&loop, &saver);
	uv_timer_init(&loop, &watchdog);
	uv_signal_start(&hangup, reload, SIGHUP);
	uv_signal_start(&terminate, stop, SIGTERM);
	uv_signal_start(&interrupt, stop, SIGINT);
}

static int open_control(void)
{
	char path[4096];
	int rc;

	if (!keeps())
		return 0;
	snprintf(path, sizeof(path), "%s/" CONTROL_NAME, self_process.state_dir);
	rc = control_open(&loop, path);
	if (rc != 0)
		log_line(LOG_ERR, NULL, "%s: %s", path, strerror(-rc));
	return rc;
}

/* Take what only one process can have.  -errno: reported. */
static int take(struct setup *s)
{
	int rc = open_log(s->top);

	if (rc == 0 && options.isolated != NULL)
		rc = isolated_open(end);
	if (rc != 0)
		return rc;
	if (options.isolated == NULL)
		process_raise_files();
	if (keeps())
		rc = process_lock(self_process.state_dir);
	if (rc == 0)
		rc = setup_open(s);
	return rc == 0 ? open_control() : rc;
}

static int run(void)
{
	struct setup *s;
	int rc = process_init();

	if (rc != 0) {
		fprintf(stderr, "satellite: fork: %s\n", strerror(-rc));
		return 1;
	}
	signal(SIGHUP, SIG_IGN);	/* until it can be obeyed */
	if (open_log(NULL) != 0 || begin() != 0)
		return 1;
	s = configure();
	if (s == NULL || take(s) != 0) {
		setup_free(s);
		life_end();
		return finish(1);
	}
	if (self_process.dry_run) {
		setvbuf(stdout, NULL, _IOLBF, 0);
		streams_show(replay_show);
	}
	open_handles();
	if (options.isolated == NULL)
		slow_begin(streams_describe);
	life_swap(s);
	begin_with(s);
	load();
	if (options.isolated == NULL)
		log_line(LOG_NOTICE, NULL, "satellite " SAT_VERSION " runs on %s, state in %s", self_process.host,
		 self_process.state_dir);
	uv_run(&loop, UV_RUN_DEFAULT);
	if (overdue || life_left()) {	/* something of it may still be in use */
		log_close();
		_exit(lost);
	}
	return finish(0);
}

/* ---- Other things to do ------------------------------------------------- */

static int check(void)
{
	struct setup *s;
	char where[512];
	int status = 1;

	if (open_log(NULL) != 0 || begin() != 0)
		return 1;
	s = configure();
	if (s != NULL) {
		printf("%s: ok\n", conf_where(conf_root(top_file(s->top)), where, sizeof(where)));
		status = 0;
	}
	setup_free(s);
	life_end();
	return finish(status);
}

static struct setup *replayed;

/* A line of replay asks for the same again, as a reload or a restart has it. */
static int replay_anew(bool restart)
{
	struct setup *next = configure(), *prev = replayed;
	struct sat_buf file = { .max = (size_t)1 << 30 };
	struct index_conf index;
	int rc = next != NULL ? 0 : -EINVAL;

	if (rc == 0 && restart)
		rc = save_dump(&file);
	if (rc != 0) {
		setup_free(next);
		sat_buf_free(&file);
		top_use(prev->top);
		return rc;
	}
	top_use(next->top);
	account_limit(top_memory(next->top));
	top_index(next->top, &index);
	if (restart) {
		rc = engine_restart(next->streams, &index, &file);
	} else {
		index_init(&index);
		engine_swap(next->streams);
	}
	replayed = next;
	setup_free(prev);
	sat_buf_free(&file);
	return rc;
}

static int replay(void)
{
	struct index_conf index;
	struct setup *s;
	int status = 1;

	if (options.argc != 2) {
		fputs("usage: satellite replay [--config FILE] [--reap] EVENTS\n", stderr);
		return 2;
	}
	if (options.role == NULL && options.config == NULL)
		options.role = "master";
	self_process.replay = true;
	if (open_log(NULL) != 0 || begin() != 0)
		return 1;
	s = configure();
	if (s != NULL) {
		top_use(s->top);
		account_limit(top_memory(s->top));
		top_index(s->top, &index);
		index_init(&index);
		lead_mode(LEAD_ALWAYS, NULL);
		replayed = s;
		status = replay_main(s->streams, options.argv[1], options.reap, replay_anew);
		engine_swap(NULL);
		s = replayed;
	}
	setup_free(s);
	life_end();
	return finish(status);
}

static int module(void)
{
	const struct sat_module *m;
	struct sat_buf names = { 0 };
	const char *why;

	if (options.argc != 2) {
		fputs("usage: satellite module FILE.so [--names]\n", stderr);
		return 2;
	}
	if (loader_open(options.argv[1], &m, &why) != 0) {
		fprintf(stderr, "satellite: %s\n", why);
		return 1;
	}
	if (options.names) {
		loader_names(m, &names);
		fwrite(names.p, 1, names.len, stdout);
		sat_buf_free(&names);
	} else {
		show_module(m);
	}
	loader_close();
	return fflush(stdout) == 0 ? 0 : 1;
}

/* The state directory of the one to talk to, as its file has it. */
static char *find_state_dir(void)
{
	struct top *top = NULL;
	struct conf *file;
	char *dir = NULL;

	if (options.state_dir != NULL)
		return top_absolute(options.state_dir);
	if (options.role == NULL)
		options.role = access(SAT_SYSCONFDIR "/master.cfg", F_OK) == 0 ? "master" : "slave";
	log_open(NULL, LOG_ERR);
	file = read_file();
	if (file != NULL)
		top = top_judge(file);
	if (top != NULL)
		dir = top_state_dir(top);
	top_free(top);
	return dir;
}

/* What the command line says of whom to talk to wins over the environment. */
static int operate(void)
{
	const char *url = getenv("SATELLITE_URL");
	char *dir;
	int status;

	if (options.url == NULL && options.config == NULL && options.state_dir == NULL && url != NULL && *url != '\0')
		options.url = url;
	dir = options.url == NULL ? find_state_dir() : NULL;
	if (options.url == NULL && dir == NULL)
		return 1;
	status = cli_main(options.argc, options.argv, dir, options.url);
	free(dir);
	return status;
}

int main(int argc, char **argv)
{
	process_begin();
	if (options_parse(&options, argc, argv) != 0)
		return 2;
	if (options.help || options.version) {
		options.help ? options_help() : (void)puts("satellite " SAT_VERSION);
		return 0;
	}
	if (options.argc > 0 && strcmp(options.argv[0], "module") == 0)
		return module();
	if (options.argc > 0 && strcmp(options.argv[0], "replay") == 0)
		return replay();
	if (options.argc > 0)
		return operate();
	if (options.isolated != NULL)
		isolated_begin(options.isolated);
	else if (options.role == NULL && options.config == NULL) {
		fputs("satellite: neither --role nor --config is given; see satellite --help\n", stderr);
		return 2;
	}
	return options.check ? check() : run();
}
