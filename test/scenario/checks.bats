#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# checks - each check of a host against what another program says of the same machine; and what hangs.

load common

setup_file() { "$BATS_TEST_DIRNAME/../certs.sh" "$BATS_FILE_TMPDIR/certs"; }
setup() {
	common_setup
	CERTS=$BATS_FILE_TMPDIR/certs
	PORT=$(free_port)
	TLS=$(free_port)
}
teardown() {
	[ -z "$HANGFS" ] || kill -KILL "$HANGFS" 2>/dev/null || true	# ends what hangs
	umount -l "$T/hung" 2>/dev/null || true
	common_teardown
}

# slave CHECKS: one that prints its events.
slave() {
	cat >"$T/slave.cfg" <<-END
		role = "slave"; state-dir = "$T/slave"; host = "h1";
		checks = ( $1 );
	END
	start slave --dry-run --config "$T/slave.cfg"
	SLAVE=$PID
}

# event SERVICE: the last one; metric SERVICE: its figure.
event() { grep -F "\"service\":\"mesos/slave/$1\"" "$T/slave.out" | tail -n 1 | jq -c '.events[0]'; }
metric() { event "$1" | jq '.metric // empty'; }
events() { grep -cF "\"service\":\"mesos/slave/$1\"" "$T/slave.out"; }
shows() {
	local e
	e=$(event "$1")
	[ -n "$e" ] && jq -e "$2" >/dev/null <<<"$e"
}
comes() { until_true 15 shows "$@" || { event "$1"; return 1; }; }

# near A B TOLERANCE
near() { awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN { exit !(a != "" && b != "" && a - b <= t && b - a <= t) }'; }
# agrees SERVICE TOLERANCE COMMAND...: its figure is the one that the command prints now.
is_as() { near "$(metric "$1")" "$("${@:3}")" "$2"; }
agrees() { until_true 15 is_as "$@" || { echo "$1: $(metric "$1"), not $("${@:3}")"; return 1; }; }

of_free() { free -m | awk -v line="$1:" -v column="$2" '$1 == line { print $column }'; }
of_df() { df --output="$1" / | tail -n 1 | tr -d ' %'; }
of_uptime() { LC_ALL=C uptime | awk '{ print $NF }'; }
in_state_d() { ps -eo state= | grep -c '^D' || true; }

@test "memory, swap, load and disks are what free, uptime and df say" {
	slave '{ check = "free-memory"; interval = 0.2; }, { check = "available-memory"; interval = 0.2; },
		{ check = "free-swap"; interval = 0.2; }, { check = "free-swap-iff-swap"; interval = 0.2; },
		{ check = "percentage-used"; path = "/"; interval = 0.2; threshold = 101; },
		{ check = "inodes-used"; path = "/"; interval = 0.2; threshold = 101; },
		{ check = "load-average"; interval = 0.2; threshold = 1000; },
		{ check = "num-uninterruptable-processes"; interval = 0.2; }'
	agrees "free memory in MB" 200 of_free Mem 4
	agrees "available memory in MB" 200 of_free Mem 7
	agrees "free swap in MB" 1 of_free Swap 4
	agrees "free swap iff swap in MB" 1 of_free Swap 4
	agrees "percentage used of /" 1 of_df pcent
	agrees "percentage of inodes used of /" 1 of_df ipcent
	agrees "load average over past 15 minutes" 0.05 of_uptime
	agrees "number of processes in uninterruptible sleep" 1 in_state_d
	shows "free swap iff swap in MB" "$([ "$(of_free Swap 2)" = 0 ] && echo '.state == "ok"' || echo true)"
	stops $SLAVE
}

# The kernel's clock, asked by another program: "OFFSET-IN-MS SYNCHRONISED".
of_adjtimex() {
	python3 -c '
import ctypes, struct
room = ctypes.create_string_buffer(208)
state = ctypes.CDLL(None).adjtimex(room)
offset, status = struct.unpack_from("8xq24xi", room)
print(offset / (1e6 if status & 0x2000 else 1e3), state != 5 and not status & 0x40)'
}
offset() { of_adjtimex | cut -d' ' -f1; }
of_pressure() { awk -v line="$2" -v key="$3" -F'[ =]' '$1 == line { for (i = 2; i < NF; i++) if ($i == key) print $(i + 1) }' "/proc/pressure/$1"; }
read_only() {
	findmnt -rno SOURCE,FSTYPE,FS-OPTIONS |
		awk '$1 ~ "^/" && $2 !~ /^(squashfs|iso9660|erofs|cramfs|romfs)$/ && $3 ~ /^ro(,|$)/ { n++ } END { print n + 0 }'
}

@test "pressure, the clock and mounts are what the kernel tells others" {
	slave '{ check = "pressure"; resource = "cpu"; over = 300; interval = 0.2; },
		{ check = "pressure"; resource = "io"; stall = "full"; interval = 0.2; },
		{ check = "clock-offset"; interval = 0.2; unsynchronised = "warning"; threshold = 1e9; },
		{ check = "read-only-mounts"; interval = 0.2; }, { check = "df-returns"; interval = 0.2; }'
	if [ -r /proc/pressure/cpu ] && cat /proc/pressure/cpu >/dev/null 2>&1; then
		agrees "cpu pressure some over past 300 seconds" 1 of_pressure cpu some avg300
		agrees "io pressure full over past 60 seconds" 3 of_pressure io full avg60
	else
		comes "cpu pressure some over past 300 seconds" '.state == "critical" and (.description | contains("/proc/pressure/cpu"))'
	fi
	agrees "clock offset in ms" 5 offset
	case $(of_adjtimex) in
	*True) shows "clock offset in ms" '.state == "ok"' ;;
	*) shows "clock offset in ms" '.state == "warning" and (.description | contains("not synchronised"))' ;;
	esac
	agrees "read-only mounts" 0 read_only
	status=0
	df >/dev/null 2>&1 || status=1
	comes "df returns in timely fashion" ".state == \"$([ $status = 0 ] && echo ok || echo critical)\""
	stops $SLAVE
}

with_name() { pgrep -xc "$1" || true; }
with_words() { pgrep -fc "$1" || true; }

@test "processes are found as pgrep finds them, and missed when they are gone" {
	cp "$(command -v sleep)" "$T/snooze"
	slave "{ check = \"process-present\"; name = \"snooze\"; min = 2; interval = 0.2; },
		{ check = \"process-present\"; pattern = \"$T/snooze 4[0-9]+\$\"; interval = 0.2; service = \"words\"; }"
	comes "number of processes snooze" '.state == "critical" and .metric == 0'
	for n in 4321 4322 5000; do
		"$T/snooze" $n 3>&- &
		PIDS+=("$!")
	done
	comes "number of processes snooze" '.state == "ok" and .metric == 3'
	agrees "number of processes snooze" 0 with_name snooze
	comes words '.state == "ok" and .metric == 2'
	agrees words 0 with_words "^$T/snooze 4[0-9]+\$"
	kill "${PIDS[@]: -2}"
	comes "number of processes snooze" '.state == "critical" and .metric == 1 and (.description | contains("at least 2"))'
	stops $SLAVE
}

# An HTTP server, with and without TLS.
serves() {
	echo "u:$(openssl passwd -apr1 secret)" >"$T/users"
	cat >"$T/nginx.conf" <<-END
		daemon off; master_process off; pid $T/nginx.pid; error_log $T/nginx.log;
		events { worker_connections 64; }
		http {
			access_log off; default_type text/plain;
			client_body_temp_path $T/b; proxy_temp_path $T/p; fastcgi_temp_path $T/f; uwsgi_temp_path $T/u; scgi_temp_path $T/s;
			server {
				listen 127.0.0.1:$PORT;
				listen 127.0.0.1:$TLS ssl;
				ssl_certificate $CERTS/server.crt; ssl_certificate_key $CERTS/server.key;
				location /fine { return 200 "all is well"; }
				location /bad { return 503 "no"; }
				location /moved { return 302 http://127.0.0.1:$PORT/fine; }
				location /secret { auth_basic x; auth_basic_user_file $T/users; alias $T/secret; }
			}
		}
	END
	echo treasure >"$T/secret"
	chmod -R go+rX "$T"
	PATH=$PATH:/usr/sbin nginx -c "$T/nginx.conf" 2>>"$T/nginx.log" 3>&- &
	PIDS+=("$!")
	NGINX=$!
	until_true 10 listens "$PORT"
}

http() { echo "{ check = \"http-reachable\"; url = \"http://127.0.0.1:$PORT$1\"; interval = 0.5; timeout = 5; service = \"$2\"; $3 },"; }

@test "ports and URLs are reached where curl reaches them" {
	serves
	slave "$(http /fine fine 'contains = "is well";') $(http /fine other 'contains = "treasure";') $(http /bad bad)
		$(http /moved moved) $(http /moved stays 'status = 302;') $(http /secret open)
		$(http /secret secret 'user = "u"; password = "secret"; contains = "treasure";')
		{ check = \"http-reachable\"; url = \"https://localhost:$TLS/fine?token=xyzzy\"; ca = \"$CERTS/ca.crt\"; interval = 0.5; timeout = 5; },
		{ check = \"http-reachable\"; url = \"https://localhost:$TLS/fine\"; service = \"unknown\"; interval = 0.5; timeout = 5; },
		{ check = \"tcp-reachable\"; address = \"localhost:$PORT\"; interval = 0.5; timeout = 5; }"
	comes fine ".state == \"ok\" and .metric > 0 and (.description | contains(\"answers $(status_of "http://127.0.0.1:$PORT/fine") in\"))"
	comes other '.state == "critical" and (.description | contains("without"))'
	comes bad ".state == \"critical\" and (.description | contains(\"answers $(status_of "http://127.0.0.1:$PORT/bad") in\"))"
	comes moved ".state == \"ok\" and (.description | contains(\"answers $(status_of -L "http://127.0.0.1:$PORT/moved") in\"))"
	comes stays ".state == \"ok\" and (.description | contains(\"answers $(status_of "http://127.0.0.1:$PORT/moved") in\"))"
	comes open ".state == \"critical\" and (.description | contains(\"answers $(status_of "http://127.0.0.1:$PORT/secret") in\"))"
	comes secret '.state == "ok"'
	comes "https://localhost:$TLS/fine reachable in ms" '.state == "ok"'
	comes unknown '.state == "critical" and (.description | contains("certificate"))'
	comes "localhost:$PORT reachable in ms" '.state == "ok" and .metric < 5000'
	! grep -q 'secret"\|xyzzy' "$T/slave.out"
	kill -KILL "$NGINX"
	comes "localhost:$PORT reachable in ms" '.state == "critical" and (.description | contains("refused"))'
	comes fine '.state == "critical" and (.description | contains("127.0.0.1"))'
	stops $SLAVE
}

@test "a slave that only connects does without the HTTP client" {
	slave '{ check = "tcp-reachable"; address = "127.0.0.1:9"; interval = 0.5; }, { check = "df-returns"; interval = 0.5; },
		{ check = "process-present"; pattern = "x"; interval = 0.5; }'
	comes "127.0.0.1:9 reachable in ms" '.state == "critical"'
	comes "df returns in timely fashion" true
	! grep -q 'libcurl' "/proc/$SLAVE/maps"
	rss=$(awk '/^VmRSS/{print $2}' "/proc/$SLAVE/status")
	echo "# slave: $rss KiB resident" >&3
	sanitized || [ "$rss" -le 4096 ]
	stops $SLAVE
}

# What goes on while df-returns has one that hangs: nobody waits, and no thread is lost again.
nobody_waits() {
	comes "df returns in timely fashion" ".state == \"critical\" and .metric == 110 and .description == \"$T/hung: no answer in 0.8 s\""
	load=$(events "load average over past 15 minutes")
	used=$(events "percentage used of /")
	runs=$(events "df returns in timely fashion")
	until_true 10 eval "[ \$(events 'df returns in timely fashion') -ge $((runs + 4)) ]"
	# At 0.2 s, some 20 in the time of four runs at 1 s.
	[ $(($(events "load average over past 15 minutes") - load)) -ge 12 ]
	[ $(($(events "percentage used of /") - used)) -ge 12 ]
	[ "$(times slave "a job is overdue; its thread is left to it")" = 1 ]
	[ "$(ls "/proc/$SLAVE/task" | wc -l)" -le 10 ]
	shows "percentage used of /" '.metric >= 0'
}
# hanging [SETTINGS]: df-returns with those, and two others.
hanging() {
	echo "{ check = \"df-returns\"; interval = 1; timeout = 0.8; $1 },
		{ check = \"load-average\"; interval = 0.2; },
		{ check = \"percentage-used\"; path = \"/\"; threshold = 101; interval = 0.2; }"
}

@test "a mount whose statvfs hangs is named, and nothing else waits" {
	! sanitized || skip "the sanitizer's library must come first"
	cat >"$T/hang.c" <<-'END'
		#define _GNU_SOURCE
		#include <dlfcn.h>
		#include <stdlib.h>
		#include <string.h>
		#include <sys/statvfs.h>
		#include <unistd.h>
		int statvfs(const char *path, struct statvfs *fs)
		{
			while (strcmp(path, getenv("HANG")) == 0 && access(getenv("GATE"), F_OK) == 0)
				usleep(10000);
			return ((int (*)(const char *, struct statvfs *))dlsym(RTLD_NEXT, "statvfs"))(
				strcmp(path, getenv("HANG")) == 0 ? "/" : path, fs);
		}
	END
	cc -shared -fPIC -o "$T/hang.so" "$T/hang.c" -ldl
	touch "$T/gate"
	root=$(awk '$5 == "/" { id = $1 } END { print id }' /proc/self/mountinfo)
	{ cat /proc/self/mountinfo; echo "99999 $root 251:251 / $T/hung rw - nfs4 gone:/export rw"; } >"$T/mountinfo"
	HANG=$T/hung GATE=$T/gate LD_PRELOAD=$T/hang.so slave "$(hanging "file = \"$T/mountinfo\";")"
	nobody_waits
	rm "$T/gate"
	comes "df returns in timely fashion" '.state == "ok" and .metric == 0'
	stops $SLAVE
}

@test "a file system that hangs in the kernel is named, and nothing else waits" {
	[ "$(id -u)" = 0 ] && [ -w /dev/fuse ] || skip "wants root and /dev/fuse"
	mkdir "$T/hung"
	python3 "$ROOT/test/clients/hangfs.py" "$T/hung" >"$T/hangfs.out" 2>"$T/hangfs.log" 3>&- &
	HANGFS=$!
	until_true 5 grep -q mounted "$T/hangfs.out" || skip "cannot mount: $(cat "$T/hangfs.log")"
	slave "$(hanging)"
	nobody_waits
	[ "$(grep -c asked "$T/hangfs.out")" = 1 ]
	kill -KILL "$HANGFS"
	umount -l "$T/hung"
	comes "df returns in timely fashion" '.state == "ok" and .metric == 0'
	stops $SLAVE
}

@test "what cannot be read is critical, and says what that is" {
	slave "{ check = \"free-memory\"; file = \"$T/none\"; interval = 0.5; }, { check = \"available-memory\"; file = \"$T/old\"; interval = 0.5; },
		{ check = \"load-average\"; file = \"$T/none\"; interval = 0.5; }, { check = \"pressure\"; resource = \"cpu\"; file = \"$T\"; interval = 0.5; },
		{ check = \"df-returns\"; file = \"$T/none\"; interval = 0.5; }, { check = \"read-only-mounts\"; file = \"$T/none\"; interval = 0.5; },
		{ check = \"num-uninterruptable-processes\"; file = \"$T/none\"; interval = 0.5; },
		{ check = \"process-present\"; name = \"x\"; file = \"$T/none\"; interval = 0.5; },
		{ check = \"inodes-used\"; path = \"$T/none\"; interval = 0.5; }, { check = \"percentage-used\"; path = \"$T/none\"; interval = 0.5; }"
	echo "MemFree: 1 kB" >"$T/old"
	for s in "free memory in MB" "load average over past 15 minutes" "df returns in timely fashion" "read-only mounts" \
		"number of processes in uninterruptible sleep" "number of processes x" "percentage of inodes used of $T/none" \
		"percentage used of $T/none"; do
		comes "$s" ".state == \"critical\" and .metric == null and (.description | contains(\"$T/none: No such file\"))"
	done
	comes "available memory in MB" ".state == \"critical\" and (.description | contains(\"$T/old: tells no MemAvailable\"))"
	comes "cpu pressure some over past 60 seconds" ".state == \"critical\" and (.description | contains(\"$T/cpu: No such file\"))"
	stops $SLAVE
}

@test "the old names of checks are taken as they are" {
	slave '{ check = "satellite-slave.recipes/free-memory"; interval = 0.5; },
		{ check = "satellite-slave.recipes/free-swap"; interval = 0.5; }, { check = "satellite-slave.recipes/free-swap-iff-swap"; interval = 0.5; },
		{ check = "satellite-slave.recipes/percentage-used"; path = "/"; interval = 0.5; }, { check = "satellite-slave.recipes/df-returns"; interval = 0.5; },
		{ check = "satellite-slave.recipes/num-uninterruptable-processes"; interval = 0.5; }, { check = "satellite-slave.recipes/load-average"; interval = 0.5; },
		{ check = "satellite-slave.recipes/file-exists"; path = "/etc/passwd"; interval = 0.5; },
		{ check = "satellite-slave.mesos.recipes/total-tasks-failed"; interval = 0.5; }, { check = "satellite-slave.mesos.recipes/total-tasks-finished"; interval = 0.5; },
		{ check = "satellite-slave.mesos.recipes/total-tasks-started"; interval = 0.5; }'
	for s in "free memory in MB" "free swap in MB" "free swap iff swap in MB" "percentage used of /" "df returns in timely fashion" \
		"number of processes in uninterruptible sleep" "load average over past 15 minutes" "/etc/passwd exists" \
		total-tasks-failed total-tasks-finished total-tasks-started; do
		comes "$s" '.host == "h1"'
	done
	stops $SLAVE
	sed -i 's/total-tasks-failed/cache-state/' "$T/slave.cfg"
	run "$SATELLITE" --check --config "$T/slave.cfg"
	[ "$status" = 1 ]
	[[ "$output" == *"the master follows the tasks by itself"* ]]
}
