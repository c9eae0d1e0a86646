#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# whitelist.bats - where the inventory comes from, what streams do to it, and a file that is never wrong.
# takes: 60 s

load common

setup() {
	common_setup
	PORT=$(free_port) RIEMANN=$(free_port)
	URL=http://127.0.0.1:$PORT
	FILE=$T/dir/whitelist
	mkdir "$T/state" "$T/dir"
	MODULES='"riemann", "whitelist"' MODE=off WHITELIST= EXTRA=
	config
}

teardown() {
	chmod -R u+w "$T/dir" 2>/dev/null || true
	if mountpoint -q "$T/dir"; then umount "$T/dir"; fi
	if mountpoint -q "$T/state"; then
		for p in "${PIDS[@]}"; do kill -KILL "$p" 2>/dev/null || true; wait "$p" 2>/dev/null || true; done
		umount "$T/state"
	fi
	common_teardown
}

# The sample's streams, with a second instead of a minute.
config() {
	cat >"$T/master.cfg" <<-END
	role = "master";
	state-dir = "$T/state";
	http = { host = "127.0.0.1"; port = $PORT; };
	modules = ( $MODULES );
	riemann = { host = "127.0.0.1"; port = $RIEMANN; };
	index = { reap = 1; };
	whitelist = { path = "$FILE"; resolve = false; guard = { mode = "$MODE"; }; $WHITELIST };
	$EXTRA
	streams = (
	  "index",
	  { where = "service =~ 'mesos/slave/%'"; do = (
	    { where = "state = 'ok' or state = 'warning' or state = 'unknown' or tagged 'retired'";
	      do = ( "delete-event" ); else = ( "persist-event" ); },
	    { where = "state = 'expired'";
	      do = ( { where = "not tagged 'retired'"; do = ( "off-host" ); } );
	      else = ( { by = "host"; do = ( { coalesce = 1; do = ( "ensure-all-tests-pass" ); } ); } ); } ); },
	  { where = "service = 'satellite/host/heard' and state = 'critical'"; do = ( "off-host" ); },
	  { where = "service = 'blackhole'"; do = ( { where = "state = 'critical'";
	    do = ( { off-host = "blackhole"; ttl = 2; } ); else = ( { on-host = "blackhole"; } ); } ); }
	);
	END
}

master() {
	start master --config "$T/master.cfg"
	MASTER=$PID
	heard master 'hosts in the store'
}

restart() {
	stops "$MASTER"
	mv "$T/master.log" "$T/before.log"
	master
}

# says HOST CHECK STATE [OPTION...]: a slave's event.
says() {
	local host=$1 check=$2 state=$3
	shift 3
	riemann-client send -h "$host" -S "mesos/slave/$check" -s "$state" "$@" 127.0.0.1 "$RIEMANN"
}

file_is() { [ "$(cat "$FILE" 2>/dev/null | tr '\n' ' ')" = "$*${1:+ }" ]; }
record() { get "$URL/whitelist/host/$1"; }
record_is() { record "$1" | jq -e "$2" >/dev/null; }
post() { curl -sf -o /dev/null -d "{\"state\":\"$3\"}" "$URL/whitelist/host/$1/event/$2"; }
index_has() { [ "$(get -G --data-urlencode "query=$1" "$URL/index" | jq length)" -gt 0 ]; }

@test "first start: the file is imported as it is, and not touched" {
	printf 'b\nA.example\n::1\n-no\nb\nwith blank\nc\n' >"$FILE"
	cp "$FILE" "$T/was"
	master
	heard master 'imported 4 hosts'
	heard master '"with blank": not a legal name'
	until_true 3 file_is ::1 A.example b c
	[ "$(get "$URL/whitelist/on" | jq -c 'keys')" = '["::1","A.example","b","c"]' ]
	restart
	said master '4 hosts in the store, 4 on'
	stays_true 1 file_is ::1 A.example b c
}

@test "first start without file or agents: nothing is written, however long it takes" {
	master
	heard master 'waiting for Mesos'
	stays_true 1 lacks_figures
	post only disk ok
	until_true 5 index_has 'service = "mesos/prop-available-hosts" and metric = 1'
	stays_true 1 test ! -e "$FILE"
	restart
	stays_true 1 test ! -e "$FILE"
}

lacks_figures() { ! index_has 'service =~ "mesos/%hosts%"'; }

@test "first start without a Mesos to ask, if one says so" {
	WHITELIST='import = false;'
	config
	master
	until_true 5 post only disk ok
	until_true 2 file_is only
}

with_sim() {
	MESOS=$(free_port)
	MODULES='"riemann", "mesos-master", "whitelist"'
	EXTRA="mesos-master = { url = \"http://127.0.0.1:$MESOS\"; interval = 1; };"
}

sim() {
	"$SIM" --port "$MESOS" --control 0 --ports-file "$T/ports" "$@" >"$T/sim.log" 2>&1 3>&- &
	SIM_PID=$!
	PIDS+=($SIM_PID)
	until_true 10 test -s "$T/ports"
}

end_sim() {
	kill "$SIM_PID"
	ends "$SIM_PID" || true
	rm "$T/ports"
}

@test "first start without a file: the registered agents are imported; later ones come in once" {
	with_sim
	config
	printf 'a1\na2\na3\n' >"$T/agents"
	sim --hosts "$T/agents"
	master
	until_true 15 test -e "$FILE"
	file_is a1 a2 a3
	# one more registers; a deleted one stays deleted as long as its agent is the same
	curl -sf -o /dev/null -X DELETE "$URL/whitelist/host/a2"
	until_true 2 file_is a1 a3
	stays_true 3 file_is a1 a3
	restart
	stays_true 3 file_is a1 a3
	end_sim
	printf 'a1\na2\na3\na4\n' >"$T/agents"
	sim --hosts "$T/agents"
	until_true 15 grep -qx a4 "$FILE"
}

@test "a file that is there outweighs the agents: those it lacks come in as off" {
	with_sim
	WHITELIST='new-agents = "on";'
	config
	printf 'a1\n' >"$FILE"
	printf 'a1\na2\na3\n' >"$T/agents"
	sim --hosts "$T/agents"
	master
	until_true 15 record_is a3 '.["managed-flag"] == "off"'
	file_is a1
	end_sim
	printf 'a1\na2\na3\na4\n' >"$T/agents"
	sim --hosts "$T/agents"
	until_true 15 file_is a1 a4
}

@test "new agents wait for their tests, if so set" {
	with_sim
	WHITELIST='new-agents = "tests";'
	config
	printf 'a1\n' >"$FILE"
	printf 'a1\n' >"$T/agents"
	sim --hosts "$T/agents"
	master
	until_true 10 index_has 'service = "mesos/num-hosts-up" and metric = 1'
	until_true 15 said_mark complete
	end_sim
	printf 'a1\na2\n' >"$T/agents"
	sim --hosts "$T/agents"
	until_true 15 record_is a2 '.["managed-flag"] == "off"'
	says a2 load ok
	until_true 5 file_is a1 a2
}

said_mark() { sqlite3 "$T/state/store.db" "SELECT value FROM map WHERE key = 'inventory/import'" | grep -q "$1"; }

@test "streams turn a host off, keep it off until all its checks pass, and back on" {
	seq -f 'h%g' 1 4 >"$FILE"
	master
	heard master 'imported 4 hosts'
	says h2 load critical -i 99
	says h2 swap critical -i 1
	until_true 5 file_is h1 h3 h4
	until_true 5 record_is h2 '.["managed-flag"] == "off" and (.["managed-events"] | length == 2)'
	record_is h2 '.["managed-events"]["mesos/slave/load"] | .state == "critical" and .metric == 99 and .host == "h2"'
	until_true 5 index_has 'host = "h2" and service = "satellite/host/off"'
	says h2 load ok
	until_true 5 record_is h2 '.["managed-events"] | keys == ["mesos/slave/swap"]'
	stays_true 2 file_is h1 h3 h4
	says h2 swap ok
	until_true 5 file_is h1 h2 h3 h4
	record_is h2 '.["managed-flag"] == "on" and .["managed-events"] == {}'
	until_true 5 index_has 'host = "h2" and service = "satellite/host/on"'
	# warning and unknown never turn a host off; strangers are not acted on
	says h1 load warning
	says h3 load unknown
	says stranger load critical
	heard master 'stranger: not in the inventory'
	stays_true 2 file_is h1 h2 h3 h4
	[ "$(status_of "$URL/whitelist/host/stranger")" = 404 ]
}

@test "a person's word outweighs the streams, and the streams' survives a restart" {
	seq -f 'h%g' 1 4 >"$FILE"
	master
	heard master 'imported 4 hosts'
	says h2 load critical
	post h3 disk critical
	until_true 5 file_is h1 h4
	post h2 keep ok
	until_true 5 file_is h1 h2 h4
	record_is h2 '.["managed-flag"] == "off" and .["manual-flag"] == "on"'
	restart
	stays_true 1 file_is h1 h2 h4
	curl -sf -o /dev/null -X DELETE "$URL/whitelist/host/h2/event/keep"
	until_true 2 file_is h1 h4
	# the other check passes; what was kept before the restart still fails
	says h2 swap ok
	stays_true 2 file_is h1 h4
	says h2 load ok
	until_true 5 file_is h1 h2 h4
}

@test "a check that goes silent turns its host off; a named hold ends by itself" {
	seq -f 'h%g' 1 4 >"$FILE"
	master
	heard master 'imported 4 hosts'
	says h1 load ok -L 1
	until_true 8 file_is h2 h3 h4
	record_is h1 '.["managed-events"]["mesos/slave/load"].state == "expired"'
	says h1 load ok -L 60
	until_true 5 file_is h1 h2 h3 h4
	riemann-client send -h h4 -S blackhole -s critical 127.0.0.1 "$RIEMANN"
	until_true 5 file_is h1 h2 h3
	record_is h4 '.satellite.holds.blackhole.flag == "off"'
	until_true 6 file_is h1 h2 h3 h4
	riemann-client send -h h4 -S blackhole -s critical 127.0.0.1 "$RIEMANN"
	until_true 5 file_is h1 h2 h3
	riemann-client send -h h4 -S blackhole -s ok 127.0.0.1 "$RIEMANN"
	until_true 5 file_is h1 h2 h3 h4
}

@test "a silent host is noticed, one that never spoke is not judged" {
	WHITELIST='silent = 3;'
	config
	seq -f 'h%g' 1 3 >"$FILE"
	master
	heard master 'imported 3 hosts'
	says h1 load ok -L 600
	until_true 5 index_has 'host = "h1" and service = "satellite/host/heard" and state = "ok"'
	until_true 12 file_is h2 h3
	index_has 'host = "h1" and service = "satellite/host/heard" and state = "critical" and metric > 2'
	[ "$(get -G --data-urlencode 'query=host = "h2" and service = "satellite/host/heard"' "$URL/index")" = '[]' ]
	stops "$MASTER"
	grep -q ' h1$' "$T/state/heard"
}

@test "observe: everything is decided, and nothing changes" {
	MODE=observe
	config
	seq -f 'h%g' 1 4 >"$FILE"
	master
	heard master 'imported 4 hosts'
	says h2 load critical
	heard master 'h2: wished off, only observed'
	until_true 5 index_has 'host = "h2" and service = "satellite/host/guard"'
	stays_true 1 file_is h1 h2 h3 h4
	record_is h2 '.["managed-flag"] == "on" and (.["managed-events"] | length == 1)'
	post h2 disk critical
	until_true 2 file_is h1 h3 h4
}

@test "a file that cannot be written: said, the old one whole, and well again by itself" {
	[ "$(id -u)" = 0 ] || skip "needs root to mount"
	mount -t tmpfs -o size=64k none "$T/dir" 2>/dev/null || skip "cannot mount here"
	seq -f 'host-number-%04g.example.com' 1 200 >"$FILE"
	master
	heard master 'imported 200 hosts'
	[ "$(wc -l <"$FILE")" = 200 ]
	# the disk is full
	head -c 60000 /dev/zero >"$T/dir/ballast" 2>/dev/null || true
	dd if=/dev/zero of="$T/dir/more" bs=4k 2>/dev/null || true
	post host-number-0007.example.com disk critical
	heard master "$FILE: No space left on device; make room there; what was there stays"
	until_true 5 index_has 'service = "satellite/whitelist/file" and state = "critical"'
	[ "$(status_of "$URL/readyz")" = 503 ]
	[[ $(get "$URL/readyz") == *"$FILE: No space left"* ]]
	[ "$(wc -l <"$FILE")" = 200 ]
	rm "$T/dir/ballast" "$T/dir/more"
	until_true 20 lacks host-number-0007.example.com
	until_true 5 index_has 'service = "satellite/whitelist/file" and state = "ok"'
	[ "$(status_of "$URL/readyz")" = 200 ]
	# it is read-only
	mount -o remount,ro "$T/dir"
	post host-number-0008.example.com disk critical
	heard master 'Read-only file system'
	[ "$(wc -l <"$FILE")" = 199 ]
	mount -o remount,rw "$T/dir"
	until_true 20 lacks host-number-0008.example.com
	# a folder stands in its place
	mv "$FILE" "$T/dir/aside" && mkdir "$FILE"
	post host-number-0009.example.com disk critical
	heard master 'Is a directory'
	rmdir "$FILE"
	until_true 20 test -f "$FILE"
	[ "$(wc -l <"$FILE")" = 197 ]
	runs "$MASTER"
}

lacks() { ! grep -qx "$1" "$FILE"; }

@test "a state directory that is full: the store says so, and so does the whitelist" {
	[ "$(id -u)" = 0 ] || skip "needs root to mount"
	mount -t tmpfs -o size=512k none "$T/state" 2>/dev/null || skip "cannot mount here"
	seq -f 'h%g' 1 3 >"$FILE"
	master
	until_true 5 said_mark imported
	dd if=/dev/zero of="$T/state/ballast" bs=4k 2>/dev/null || true
	[ "$(status_of -d "{\"state\":\"critical\",\"x\":\"$(head -c 20000 /dev/zero | tr '\0' x)\"}" \
		"$URL/whitelist/host/h1/event/e")" = 503 ]
	heard master 'the store is out of touch: No space left on device; hosts stay as they are'
	stays_true 1 file_is h1 h2 h3
	rm "$T/state/ballast"
	until_true 20 post h1 e critical
	until_true 2 file_is h2 h3
	# nor does a limit of the size of files end the process
	prlimit --pid "$MASTER" --fsize=4096:unlimited
	[ "$(status_of -d '{"state":"critical"}' "$URL/whitelist/host/h2/event/e")" = 503 ]
	runs "$MASTER"
	prlimit --pid "$MASTER" --fsize=unlimited
	until_true 20 post h2 e critical
	until_true 2 file_is h3
	stops "$MASTER"
}

@test "a file that another changes, empties or removes is put back" {
	printf 'h3\nh2\nh1\n' >"$FILE"
	master
	until_true 10 file_is h1 h2 h3
	echo h9 >>"$FILE"
	until_true 6 file_is h1 h2 h3
	heard master "$FILE: another had changed or removed it"
	rm "$FILE"
	until_true 6 file_is h1 h2 h3
	: >"$FILE"
	until_true 6 file_is h1 h2 h3
	said_times master 'another had changed' 3
	until_true 5 repairs 3
	# what a person says goes on, and what says the same is nobody's business
	post h2 disk critical
	until_true 2 file_is h1 h3
	touch "$FILE"
	stays_true 3 file_is h1 h3
	repairs 3
	stops "$MASTER"
	printf 'h8\n' >"$FILE"
	master
	until_true 6 file_is h1 h3
}

repairs() {
	[ "$(get "$URL/status" | jq '.instances[] | select(.name == "whitelist").counters["file-repairs"]')" = "$1" ]
}

@test "a link stays a link, and modes stay" {
	mkdir "$T/real"
	seq -f 'h%g' 1 3 >"$T/real/list"
	chmod 640 "$T/real/list"
	ln -s ../real/list "$FILE"
	master
	heard master 'imported 3 hosts'
	post h2 disk critical
	until_true 3 file_is h1 h3
	[ -L "$FILE" ]
	[ "$(stat -c %a "$T/real/list")" = 640 ]
	[ "$(ls "$T/real")" = list ]
}

@test "an emptied store takes no work away" {
	seq -f 'h%g' 1 3 >"$FILE"
	master
	heard master 'imported 3 hosts'
	until_true 5 said_mark imported
	stops "$MASTER"
	sqlite3 "$T/state/store.db" "DELETE FROM map WHERE key LIKE 'whitelist/%'"
	master
	stays_true 2 file_is h1 h2 h3
	# nor is there anything to put back then
	echo h9 >>"$FILE"
	stays_true 5 file_is h1 h2 h3 h9
	sed -i /h9/d "$FILE"
	# and a lost one is imported anew
	stops "$MASTER"
	rm "$T/state/store.db"
	master
	until_true 5 hosts_on 3
	file_is h1 h2 h3
}

hosts_on() { [ "$(get "$URL/whitelist/on" | jq length)" = "$1" ]; }

@test "a dry run decides, and touches nothing" {
	seq -f 'h%g' 1 3 >"$FILE"
	cp "$FILE" "$T/was"
	start dry --dry-run --config "$T/master.cfg"
	until_true 10 listens "$RIEMANN"
	says h1 load critical
	until_true 5 grep -q '"does": *"off-host"' "$T/dry.out"
	[ "$(curl -s -o /dev/null -w '%{http_code}' -d '{"state":"ok"}' "$URL/whitelist/host/h1/event/e")" = 503 ]
	cmp "$FILE" "$T/was"
	[ ! -e "$T/state/store.db" ]
}

@test "a dry run beside the living one reads its records, and goes without its ports" {
	seq -f 'h%g' 1 3 >"$FILE"
	master
	until_true 5 said_mark imported
	start dry --dry-run --config "$T/master.cfg"
	heard dry '3 hosts in the store, 3 on'
	said dry 'riemann: a dry run goes on without it'
	stops "$PID"
	post h2 disk critical
	until_true 3 file_is h1 h3
}

@test "in replay, a check that is retired is no reason for anything" {
	cat >"$T/events" <<-'END'
	{"start": 1000}
	{"at": 1000, "host": "h1", "service": "mesos/slave/load", "state": "ok", "ttl": 300}
	{"at": 1001, "host": "h1", "service": "mesos/slave/load", "state": "expired", "tags": ["retired"]}
	{"at": 1002, "host": "h2", "service": "mesos/slave/load", "state": "expired"}
	{"at": 1400, "expire": true}
	END
	"$SATELLITE" replay --config "$ROOT/etc/master.cfg" "$T/events" >"$T/out" 2>"$T/replay.log"
	[ "$(jq -c 'select(.does == "log" or .does == "off-host") | [.does, .events[].host]' "$T/out" | tr '\n' ' ')" = \
		'["log","h2"] ["off-host","h2"] ' ]
}

@test "in replay, a host whose checks go silent one by one leaves, and stays off until they speak" {
	cat >"$T/events" <<-'END'
	{"start": 1000}
	{"at": 1000, "host": "h1", "service": "mesos/slave/load", "state": "ok", "ttl": 30}
	{"at": 1000, "host": "h1", "service": "mesos/slave/mem", "state": "ok", "ttl": 60}
	{"at": 1040, "expire": true}
	{"at": 1065, "expire": true}
	{"at": 1070, "host": "h1", "service": "mesos/slave/load", "state": "ok", "ttl": 300}
	{"at": 1140, "host": "h1", "service": "mesos/slave/mem", "state": "ok", "ttl": 300}
	{"at": 1205}
	END
	"$SATELLITE" replay --config "$ROOT/etc/master.cfg" "$T/events" >"$T/out" 2>"$T/replay.log"
	jq -r 'select(.does | endswith("-host")) | "\(.clock) \(.does)"' "$T/out" >"$T/wishes"
	[ "$(awk '$2 != was { print; was = $2 }' "$T/wishes" | tr '\n' ,)" = \
		'1000 on-host,1040 off-host,1180 on-host,' ]
}
