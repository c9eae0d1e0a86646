# SPDX-License-Identifier: Apache-2.0
# spool - what waits for a master that is away is on disk: over a stop, a kill -9, and a disk that is full.

load common

setup() {
	common_setup
	PORT=$(free_port)
	HTTP=$(free_port)
}
teardown() {
	! grep -qF " $T/hung " /proc/mounts || umount -l "$T/hung"
	common_teardown
	[ ! -d "$T.small" ] || { umount "$T.small"; rmdir "$T.small"; }
}

# master: it prints what it hears to $T/m.out, behind what it printed before.
master() {
	cat >"$T/m.cfg" <<-END
		role = "master"; state-dir = "$T/m"; modules = ( "riemann" ); riemann = { port = $PORT; };
		http = { port = $(free_port); }; streams = ( "print" );
	END
	"$SATELLITE" --config "$T/m.cfg" >>"$T/m.out" 2>>"$T/m.log" 3>&- &
	MASTER=$!
	PIDS+=("$MASTER")
	until_true 10 listens "$PORT"
}

# slave [SETTINGS]: its check counts ten times a second, in $T/count.
slave() {
	cat >"$T/slave.cfg" <<-END
		role = "slave"; state-dir = "$T/slave"; host = "h1"; http = { port = $HTTP; };
		forward = { masters = ( "127.0.0.1:$PORT"$OTHER ); flush = 0.02; ${1-spool = true;} };
		checks = ( { command = "n=\$((\$(cat $T/count) + 1)); echo \$n > $T/count.new; mv $T/count.new $T/count; echo \$n"; shell = true;
			parse = "number"; service = "count"; interval = 0.1; timeout = 10; ttl = 100; } );
	END
	start slave --config "$T/slave.cfg"
	SLAVE=$PID
	until_true 10 eval "get http://127.0.0.1:$HTTP/healthz >/dev/null"
}

# heard_numbers: those that came, in the order they came.
heard_numbers() { jq -r 'select(.service == "mesos/slave/count" and .metric != null) | .metric' "$T/m.out"; }
counted_to() { [ "$(cat "$T/count")" -ge "$1" ]; }
counts_on() { until_true 20 counted_to $(($(cat "$T/count") + $1)); }
heard_to() { [ "$(heard_numbers | tail -n 1 | grep . || echo 0)" -ge "$1" ]; }
figure() { get "http://127.0.0.1:$HTTP/status" | jq ".instances[] | select(.name == \"forward\").counters[\"$1\"]"; }
spool_files() { find "$T/slave/spool" -name '*.spool' | wc -l; }
spool_is() { [ "$(spool_files)" = "$1" ]; }

@test "a clean stop loses nothing and sends nothing twice" {
	echo 0 >"$T/count"
	slave
	counts_on 20
	heard slave "127.0.0.1:$PORT: Connection refused"
	stops $SLAVE
	said slave "events are kept on disk"
	slave
	heard slave "events wait since before"
	counts_on 10
	stops $SLAVE
	slave
	master
	counts_on 10
	until_true 20 heard_to 40
	until_true 10 spool_is 0
	last=$(heard_numbers | tail -n 1)
	heard_numbers >"$T/numbers"
	# All of them, in order, each once; the check was under way at a stop, maybe.
	diff <(sort -n -u "$T/numbers") "$T/numbers"
	[ "$(wc -l <"$T/numbers")" -ge $((last - 2)) ]
	[ "$(figure dropped)" = 0 ]
	[ "$(figure spool-errors)" = 0 ]
	stops $SLAVE
}

@test "a kill -9 of the slave loses what came in the last second" {
	echo 0 >"$T/count"
	slave
	counts_on 30
	at=$(cat "$T/count")
	sleep 1.5	# what was counted by then is on disk: that is the promise
	kill -KILL $SLAVE
	wait $SLAVE || true
	until_true 5 counted_to "$at"
	slave
	heard slave "events wait since before"
	master
	until_true 20 eval '[ "$(heard_numbers | wc -l)" -ge 30 ]'
	counts_on 5
	heard_numbers >"$T/numbers"
	diff <(sort -n -u "$T/numbers") "$T/numbers"
	# From the first on.
	[ "$(awk -v at="$at" '$1 <= at' "$T/numbers" | wc -l)" -ge $((at - 1)) ]
	stops $SLAVE
	# Half of a record at the end is none.
	stops $MASTER
	slave
	counts_on 10
	stops $SLAVE
	f=$(find "$T/slave/spool" -name '*.spool' | head -n 1)
	truncate -s -7 "$f"
	slave
	heard slave "bytes at the end of files were no whole events"
	stops $SLAVE
}

@test "a master that comes and goes gets all, in order" {
	echo 0 >"$T/count"
	master
	slave 'spool = true; queue = 5;'
	for _ in 1 2 3; do
		counts_on 5
		stops $MASTER
		counts_on 25	# more than the queue holds
		master
		until_true 20 heard_to "$(cat "$T/count")"
	done
	counts_on 5
	[ "$(figure dropped)" = 0 ]
	heard_numbers >"$T/numbers"
	diff <(sort -n "$T/numbers") "$T/numbers"
	diff <(seq "$(tail -n 1 "$T/numbers")") <(sort -n -u "$T/numbers")
	stops $SLAVE
}

@test "a disk that is full costs an error, and the queue in memory goes on" {
	mkdir "$T.small"
	mount -t tmpfs -o size=16k tmpfs "$T.small" 2>/dev/null || { rmdir "$T.small"; skip "no right to mount"; }
	echo 0 >"$T/count"
	head -c 16000 /dev/zero >"$T.small/fill" || true
	slave "spool = \"$T.small\";"
	heard slave "spool: $T.small/127.0.0.1:$PORT"
	said slave "No space left on device"
	counts_on 10
	[ "$(times slave "spool: $T.small")" = 1 ]
	[ "$(figure dropped)" = 0 ]
	at=$(cat "$T/count")
	master
	until_true 20 heard_to "$at"
	diff <(seq "$at") <(heard_numbers | head -n "$at")
	# There is room again: it is used.
	stops $MASTER
	rm "$T.small/fill"
	until_true 15 eval "ls $T.small/127.0.0.1:$PORT/*.spool"
	stops $SLAVE
	said slave "events are kept on disk"
}

@test "mistakes of its settings have a line" {
	printf 'role = "slave";\nforward = { masters = "m1";\n spool = "here";\n spool-max = 5; };\n' >"$T/bad.cfg"
	run "$SATELLITE" --check --config "$T/bad.cfg"
	echo "$output"
	[ "$status" = 1 ]
	for line in 3 4; do [[ "$output" == *"bad.cfg:$line:"* ]]; done
}

@test "a disk that hangs in the kernel keeps nobody from checking, sending and ending" {
	[ "$(id -u)" = 0 ] && [ -w /dev/fuse ] || skip "wants root and /dev/fuse"
	mkdir "$T/hung"
	python3 "$ROOT/test/clients/hangfs.py" "$T/hung" names >"$T/hangfs.out" 2>"$T/hangfs.log" 3>&- &
	HANGFS=$!
	PIDS=("$HANGFS" "${PIDS[@]}")	# so that it ends first
	until_true 5 grep -q mounted "$T/hangfs.out" || skip "cannot mount: $(cat "$T/hangfs.log")"
	echo 0 >"$T/count"
	master
	OTHER=", \"127.0.0.1:$(free_port)\""
	slave "spool = \"$T/hung/spool\";"
	until_true 5 grep -q asked "$T/hangfs.out"
	counts_on 20
	until_true 20 heard_to 50	# it waits for the disk for ten seconds
	said slave "127.0.0.1:$PORT: spool: $T/hung/spool/127.0.0.1:$PORT: the disk does not answer; events wait in memory"
	diff <(seq 50) <(heard_numbers | head -n 50)
	counts_on 10
	[ "$(figure dropped)" = 0 ]
	[ "$(figure spool-errors)" = 2 ]
	# It ends, as far as the kernel lets it: the next one can begin.
	kill -TERM $SLAVE
	heard slave "events not delivered"
	first=$SLAVE
	slave "spool = false;"
	stops $SLAVE
	kill -KILL "$HANGFS"
	ends $first
}

@test "a disk that hangs for a while is used again once it answers" {
	! sanitized || skip "LD_PRELOAD"
	cat >"$T/hang.c" <<-'END'
		#define _GNU_SOURCE
		#include <dlfcn.h>
		#include <stdlib.h>
		#include <unistd.h>
		int fsync(int fd)
		{
			while (access(getenv("GATE"), F_OK) == 0)
				usleep(10000);
			return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
		}
	END
	cc -shared -fPIC -o "$T/hang.so" "$T/hang.c" -ldl
	echo 0 >"$T/count"
	GATE=$T/gate LD_PRELOAD=$T/hang.so slave
	until_true 10 spool_is 1
	touch "$T/gate"
	until_true 15 said slave "spool: $T/slave/spool/forward/127.0.0.1:$PORT: the disk does not answer"
	# What it holds does not come before it answers; what came since does.
	master
	at=$(cat "$T/count")
	until_true 30 heard_to $((at + 5))
	rm "$T/gate"
	heard slave "127.0.0.1:$PORT: spool: the disk works again"
	until_true 10 eval '[ "$(heard_numbers | sort -nu | head -n 1)" = 1 ]'
	until_true 10 spool_is 0
	diff <(seq $((at + 5))) <(heard_numbers | sort -nu | head -n $((at + 5)))
	stops $MASTER
	until_true 20 spool_is 1
	[ "$(figure dropped)" = 0 ]
	stops $SLAVE
}
