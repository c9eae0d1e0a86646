#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# host.bats - the program itself: options, mistakes, roles, its folder, its beginning and its end.

load common

setup() {
	common_setup
	PORT=$(free_port)
	HTTP=$(free_port)
	cat >"$T/m.cfg" <<-EOF
		role = "master";
		host = "m1";
		state-dir = "$T/m";
		http = { port = $HTTP; };
		modules = ( "riemann" );
		riemann = { port = $PORT; };
		streams = ( "index" );
	EOF
}

teardown() { common_teardown; }

send() { riemann-client send -h "$1" -S "$2" -s ok -i 1 -L 300 127.0.0.1 "$PORT" >/dev/null; }
# unprivileged ARGS...: as somebody who may nothing, where the tests run as root.
unprivileged() {
	local as="setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all"
	if [ "$(id -u)" = 0 ] && $as test -r "$SATELLITE"; then
		exec $as "$SATELLITE" "$@"
	fi
	exec "$SATELLITE" "$@"
}
# fails PID: it ends by itself, with status 1.
fails() {
	local status=0
	ends "$1" || status=$?
	[ "$status" = 1 ]
}
up() { start "$1" --config "$T/m.cfg" && heard "$1" "runs on m1"; }

@test "--help fits a screen, --version is a line" {
	run "$SATELLITE" --help
	[ "$status" = 0 ]
	[ "${#lines[@]}" -le 24 ]
	for line in "${lines[@]}"; do [ "${#line}" -le 80 ]; done
	[ "$("$SATELLITE" --help | wc -l)" -le 24 ]
	run "$SATELLITE" --version
	[ "$status" = 0 ]
	[[ $output == "satellite "[0-9]* ]]
}

@test "a wrong command line is said, with status 2" {
	for args in "" "--frob" "--role" "--role=boss" "--check=yes" "replay" "module"; do
		# shellcheck disable=SC2086
		run "$SATELLITE" $args
		[ "$status" = 2 ]
		[ -n "$output" ]
	done
}

@test "--check shows every mistake at its line, and touches nothing" {
	cat >"$T/bad.cfg" <<-EOF
		role = "master";
		state-dir = "$T/bad";
		frobnicate = 1;
		http = { port = 70000; prot = 1; };
		modules = ( "riemann", "no-such" );
		riemann = { port = "5555"; };
		leader = "me";
		nonsense = { a = 1; };
		streams = ( "index", "no-such-op",
		            { where = "metric >"; do = ( "index" ); } );
	EOF
	run "$SATELLITE" --check --config "$T/bad.cfg"
	[ "$status" = 1 ]
	[[ $output == *"$T/bad.cfg:3: frobnicate: "* ]]
	[[ $output == *"$T/bad.cfg:4: http.port: "* ]]
	[[ $output == *"$T/bad.cfg:4: http.prot: "* ]]
	[[ $output == *"$T/bad.cfg:5: modules[1]: "* ]]
	[[ $output == *"$T/bad.cfg:6: riemann.port: "* ]]
	[[ $output == *"$T/bad.cfg:7: leader: "* ]]
	[[ $output == *"$T/bad.cfg:8: nonsense: "* ]]
	[[ $output == *"$T/bad.cfg:9: streams[1]: "* ]]
	[[ $output == *"$T/bad.cfg:10: streams[2].where: "* ]]
	[ ! -e "$T/bad" ]
}

@test "--check tells all that is wrong in one run: of every kind, in the order of the lines, each once" {
	cat >"$T/streams.cfg" <<-'EOF'
		streams = ( "index", "no-such-op",
		  { wehre = "true"; do = ( { throttle = 1; dtt = 5; } ); },
		  { where = "metric >"; do = ( { by = ( ); do = ( { rollup = "x"; dt = 60; } ); } ); },
		  { split = ( ( "service ~= '('", "index" ), ( "metric >", ( "nothing" ) ) ); },
		  { pipe = ( { where = "state ="; do = ( "-" ); },
		             { coalesce = "x"; do = ( "-" ); } ); },
		  { by = "host"; do = ( { log = "loud"; }, { off-host = 5; ttl = 9; } ); } );
	EOF
	cat >"$T/all.cfg" <<-EOF
		host = "m1"; state-dir = "$T/bad"; frobnicate = 1; record = "";
		http = { port = 70000; };
		modules = ( "riemann", "no-such", "mesos-master", "whitelist", "forward" );
		riemann = { port = "5555"; udp = "yes"; frame-limit = 5000000000; };
		@include "streams.cfg"
		mesos-master = { url = "ftp://x"; interval = "often"; user = "me"; };
		whitelist = { store = "zookeeper"; new-agents = "maybe"; silent = "long";
		              reachable = ( 22, 99999, 0 );
		              guard = { mode = "strict"; max-off = 1.5; }; };
		forward = { masters = ( "m1", "m2:70000", 5 ); };
		checks = ( { check = "free-memory"; interval = "x"; },
		           { command = ""; parse = "nagos"; interval = 0; service = "s"; },
		           { check = "file-exists"; path = "x"; tll = 9; } );
	EOF
	run "$SATELLITE" --check --config "$T/all.cfg"
	[ "$status" = 1 ]
	diff - <(sed "s|$T/||" <<<"$output") <<-'EOF'
		all.cfg: role: is not given, here or as --role=master|slave
		all.cfg:1: frobnicate: is unknown
		all.cfg:1: record: is empty: it is the file to write to
		all.cfg:2: http.port: must be from 1 to 65535
		all.cfg:3: modules[1]: no module has the name "no-such"
		all.cfg:4: 5000000000 is over 2147483647: write 5000000000L
		all.cfg:4: riemann.port: must be an integer
		all.cfg:4: riemann.udp: is a port, or true or false
		streams.cfg:1: streams[1]: no module has the operator "no-such-op"
		streams.cfg:2: streams[2].wehre: no module has the operator "wehre"
		streams.cfg:2: streams[2].do[0].dtt: is unknown; did you mean "dt"?
		streams.cfg:3: streams[3].where: at character 9: expected a number, not the end
		streams.cfg:3: streams[3].do[0].do[0].rollup: must be an integer
		streams.cfg:3: streams[3].do[0].by: names no field
		streams.cfg:4: streams[4].split[0][0]: at character 12: regular expression, at 1: missing closing parenthesis
		streams.cfg:4: streams[4].split[1][0]: at character 9: expected a number, not the end
		streams.cfg:4: streams[4].split[1][1][0]: no module has the operator "nothing"
		streams.cfg:5: streams[5].pipe[0].where: at character 8: expected a field or a value, not the end
		streams.cfg:6: streams[5].pipe[1].coalesce: must be a number of seconds
		streams.cfg:7: streams[6].do[0].log: "loud" is none of debug, info, notice, warning, error, critical
		streams.cfg:7: streams[6].do[1].off-host: must be a string
		all.cfg:6: mesos-master.interval: must be a number of seconds
		all.cfg:6: mesos-master.url: is not http://HOST:PORT or https://HOST:PORT
		all.cfg:6: mesos-master.user: needs password beside it
		all.cfg:7: whitelist.silent: must be a number of seconds
		all.cfg:7: whitelist.new-agents: "maybe" is none of on, off, tests
		all.cfg:7: store-zookeeper.hosts: is missing
		all.cfg:8: whitelist.reachable[1]: is not a port from 1 to 65535
		all.cfg:8: whitelist.reachable[2]: is not a port from 1 to 65535
		all.cfg:9: whitelist.guard.max-off: must be from 0 to 1
		all.cfg:9: whitelist.guard.mode: "strict" is none of enforce, observe, off
		all.cfg:10: forward.masters[2]: must be a string
		all.cfg:10: forward.masters[1]: "m2:70000" has no port from 1 to 65535
		all.cfg:11: checks[0].interval: must be a number of seconds
		all.cfg:12: checks[1].interval: must be from 0.1 to 2678400
		all.cfg:12: checks[1].command: names no program
		all.cfg:12: checks[1].parse: "nagos" is none of exit, nagios, number, json
		all.cfg:13: checks[2].tll: is unknown; did you mean "ttl"?
		all.cfg:13: checks[2].path: "x" is not absolute
	EOF
	[ ! -e "$T/bad" ]
}

@test "--check of a setting of another type says so, whatever is built from it" {
	for setting in service-prefix state-dir host leader record define checks streams; do
		for value in 5 true '( 5 )' '( { } )' '{ a = 5; }'; do
			case "$setting $value" in 'define {'* | 'streams ('*) continue ;; esac
			cat >"$T/kind.cfg" <<-EOF
				role = "slave";
				$setting = $value;
				$([ $setting = checks ] || echo 'checks = ( { check = "free-memory"; threshold = 1; } );')
			EOF
			run "$SATELLITE" --check --config "$T/kind.cfg"
			echo "$setting = $value: $status: $output"
			[ "$status" = 1 ]
			[[ ${lines[0]} == *"kind.cfg:2: $setting"* ]]
		done
	done
}

@test "--check of a right file says ok; a syntax error is one line" {
	run "$SATELLITE" --check --config "$T/m.cfg"
	[ "$status" = 0 ]
	[ "$output" = "$T/m.cfg: ok" ]
	[ ! -e "$T/m" ]
	echo 'streams = ( "index" ' >"$T/broken.cfg"
	run "$SATELLITE" --check --config "$T/broken.cfg"
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 1 ]
	[[ $output == *"$T/broken.cfg:"* ]]
	run "$SATELLITE" --check --config "$T/not-there.cfg"
	[ "$status" = 1 ]
}

@test "the sample files are right, and run unprivileged" {
	for role in master slave; do
		sed "s|^role = .*|&\nstate-dir = \"$T/$role\";|" "$ROOT/etc/$role.cfg" >"$T/$role.cfg"
		run "$SATELLITE" --check --config "$T/$role.cfg"
		[ "$output" = "$T/$role.cfg: ok" ]
		[ "$status" = 0 ]
		run "$SATELLITE" --check --config "$ROOT/etc/$role.cfg"
		[ "$status" = 0 ]
	done
	sed -i "s/port = 5001/port = $HTTP/; s/port = 5555/port = $PORT/" "$T/master.cfg"
	chmod 777 "$T"
	for role in master slave; do
		unprivileged --config "$T/$role.cfg" >/dev/null 2>"$T/$role.log" 3>&- &
		PIDS+=($!)
		heard "$role" "runs on"
		"$SATELLITE" --state-dir "$T/$role" status >/dev/null
	done
	until_true 5 eval '[ "$(status_of "http://127.0.0.1:$HTTP/whitelist/all")" != 000 ]'
	for p in "${PIDS[@]}"; do stops "$p"; done
}

@test "the role: the command line wins, agent is slave, and without one nothing runs" {
	echo "state-dir = \"$T/x\"; streams = ( \"no-such\" );" >"$T/norole.cfg"
	run "$SATELLITE" --check --config "$T/norole.cfg"
	[ "$status" = 1 ]
	[[ $output == *"norole.cfg: role: "* ]]
	[[ $output == *"no-such"* ]]
	echo "role = \"agent\"; state-dir = \"$T/x\"; modules = ( ); checks = ( { check = \"free-memory\"; } );" >"$T/agent.cfg"
	run "$SATELLITE" --check --config "$T/agent.cfg"
	[ "$status" = 0 ]
	run "$SATELLITE" --check --role=agent --config "$T/agent.cfg"
	[ "$status" = 0 ]
	# A master has HTTP and an index, a slave forwards and has none.
	sed -i '/^role/d; /^http/d; /^streams/d' "$T/m.cfg"
	start slave --role slave --config "$T/m.cfg"
	heard slave "runs on m1"
	! said slave "http-civetweb"
	"$SATELLITE" --state-dir "$T/m" status >"$T/status"
	grep -Eq '^events +0 in the index( |$)' "$T/status"
	grep -Eq '^forward +[0-9]+\.[0-9]+\.[0-9]+( |$)' "$T/status"
	stops "$PID"
}

@test "without a file built-in defaults run" {
	run "$SATELLITE" --check --role=master
	[ "$status" = 0 ]
	run "$SATELLITE" --check --role=slave
	[ "$status" = 0 ]
	start bare --role=slave --state-dir "$T/bare"
	heard bare "built-in defaults"
	heard bare "state in $T/bare"
	stops "$PID"
}

@test "SIGTERM and SIGINT end it cleanly, with work under way" {
	up one
	send h1 s1
	kill -INT "$PID"
	ends "$PID"
	! said one "left open"
	! said one "has not stopped"
	[ ! -e "$T/m/control" ]
	up two
	exec 9<>"/dev/tcp/127.0.0.1/$PORT"
	printf '\0\0' >&9
	curl -sN "http://127.0.0.1:$HTTP/index?query=true&subscribe=true" >/dev/null 2>&1 3>&- &
	PIDS+=($!)
	stops "$PID"
	exec 9>&-
	! said two "left open"
	! said two "has not stopped"
}

@test "a clean restart remembers the index; SIGKILL leaves nothing in the way" {
	up one
	send h1 kept
	[[ $("$SATELLITE" --config "$T/m.cfg" query "true") == *kept* ]]
	stops "$PID"
	up two
	[[ $("$SATELLITE" --config "$T/m.cfg" query "service = 'kept'") == *kept* ]]
	kill -KILL "$PID"
	ends "$PID" || true
	up three
	[[ $("$SATELLITE" --config "$T/m.cfg" query "service = 'kept'") == *kept* ]]
	stops "$PID"
}

@test "a damaged state file does not keep it from starting" {
	up one
	send h1 kept
	stops "$PID"
	printf 'garbage' >"$T/m/state"
	up two
	runs "$PID"
	stops "$PID"
}

@test "a second satellite in the same state-dir is refused, the first goes on" {
	up one
	first=$PID
	sed "s/$PORT/$(free_port)/; s/$HTTP/$(free_port)/" "$T/m.cfg" >"$T/again.cfg"
	start second --config "$T/again.cfg"
	fails "$PID"
	said second "another satellite uses this state-dir (pid $first)"
	send h1 s1
	"$SATELLITE" --config "$T/m.cfg" status >/dev/null
	stops "$first"
}

@test "a taken port is said, and nothing runs" {
	up one
	sed "s|$T/m|$T/n|; s/$HTTP/$(free_port)/" "$T/m.cfg" >"$T/n.cfg"
	start second --config "$T/n.cfg"
	fails "$PID"
	said second "port $PORT (TCP): Address already in use"
	sed "s|$T/m|$T/n|; s/$PORT/$(free_port)/" "$T/m.cfg" >"$T/n.cfg"
	start third --config "$T/n.cfg"
	fails "$PID"
	said third "port $HTTP (TCP): Address already in use"
}

@test "the state-dir: made as it is needed, in the user's own where nothing is said" {
	sed -i "s|$T/m|$T/a/b/c|" "$T/m.cfg"
	up one
	[ "$(stat -c %a "$T/a/b/c")" = 750 ]
	stops "$PID"
	touch "$T/file"
	sed -i "s|$T/a/b/c|$T/file/x|" "$T/m.cfg"
	start two --config "$T/m.cfg"
	fails "$PID"
	said two "state-dir $T/file/x: "
}

@test "the log goes to a file, which may be moved" {
	echo "log = { file = \"$T/sat.txt\"; level = \"info\"; };" >>"$T/m.cfg"
	start one --config "$T/m.cfg"
	until_true 10 grep -q "runs on m1" "$T/sat.txt"
	mv "$T/sat.txt" "$T/sat.txt.1"
	kill -HUP "$PID"
	until_true 10 grep -q reloaded "$T/sat.txt"
	! grep -q reloaded "$T/sat.txt.1"
	stops "$PID"
	grep -q "ending" "$T/sat.txt"
	sed -i '/^log/d' "$T/m.cfg"
	start two --config "$T/m.cfg" --log "$T/other.txt"
	until_true 10 grep -q "runs on m1" "$T/other.txt"
	stops "$PID"
}

@test "as many open files as the system lets it" {
	(ulimit -Sn 256; exec "$SATELLITE" --config "$T/m.cfg") >/dev/null 2>"$T/one.log" 3>&- &
	PID=$!
	PIDS+=("$PID")
	heard one "runs on m1"
	hard=$(ulimit -Hn)
	[ "$(awk '/open files/ { print $4 }' "/proc/$PID/limits")" = "$(awk '/open files/ { print $5 }' "/proc/$PID/limits")" ]
	said one "open files (256 before)"
	stops "$PID"
}

@test "a dry run prints what would be sent, and leaves nothing behind" {
	echo "role = \"slave\"; host = \"h1\"; state-dir = \"$T/dry\"; checks = ( { check = \"free-memory\"; interval = 1; } );" >"$T/dry.cfg"
	start dry --dry-run --config "$T/dry.cfg"
	until_true 10 grep -q '"does": "forward"' "$T/dry.out"
	stops "$PID"
	grep '"does": "forward"' "$T/dry.out" | head -1 | jq -e '.events[0].service == "mesos/slave/free memory in MB"'
	[ ! -e "$T/dry" ]
}

@test "satellite module tells what a module has" {
	run "$SATELLITE" module "$BUILD/modules/checks.so"
	[ "$status" = 0 ]
	[[ $output == *"check free-memory"* ]]
	[[ $output == *"threshold: number"* ]]
	run "$SATELLITE" module "$BUILD/modules/checks.so" --names
	[[ $output == "module checks"* ]]
	run "$SATELLITE" module "$T/m.cfg"
	[ "$status" = 1 ]
}

@test "commands: nobody answers is status 3" {
	run "$SATELLITE" --state-dir "$T/nobody" status
	[ "$status" = 3 ]
	run "$SATELLITE" --config "$T/m.cfg" status
	[ "$status" = 3 ]
}
