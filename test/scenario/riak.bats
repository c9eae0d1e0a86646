#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# riak - records of tasks go to a Riak, too, survive its absence and ours, and are found there.

load common

setup() {
	common_setup
	HTTP=$(free_port)
	RIAK=$(free_port)
	mkdir -p "$T/state"
	configure ''
}
teardown() { common_teardown; }

# configure SETTINGS [SETTINGS OF tasks]: those of the group riak.
configure() {
	cat >"$T/master.cfg" <<-END
		role = "master"; state-dir = "$T/state"; modules = ( "push", "tasks" ); http = { port = $HTTP; };
		tasks = { riak = { url = "http://127.0.0.1:$RIAK"; bucket = "b"; timeout = 2; $1 }; ${2:-} };
		streams = ( { where = "service = 'mesos/tasks'"; do = ( "keep-task" ); }, { where = "service =~ 'satellite/tasks%'"; do = ( "index" ); } );
	END
}

run_it() {
	start "$1" --config "$T/master.cfg"
	MASTER=$PID
	until_true 20 listens "$HTTP"
}

riak() {
	/usr/bin/python3 "$ROOT/test/clients/riak.py" "$RIAK" "$@" >>"$T/riak.log" 2>&1 3>&- &
	SERVER=$!
	PIDS+=("$SERVER")
	until_true 10 listens "$RIAK"
}
mode() { get -X POST "http://127.0.0.1:$RIAK/sim/$1" "${@:2}"; }
keys() { get "http://127.0.0.1:$RIAK/sim/keys"; }
asked() { get "http://127.0.0.1:$RIAK/sim/log" | grep -cF -- "$1" || true; }
asked_times() { [ "$(asked "$1")" -ge "$2" ]; }
has() { keys | jq -e --arg key "$1" 'has($key)' >/dev/null; }
has_keys() { [ "$(keys | jq length)" = "$1" ]; }
state_in_riak() { keys | jq -r --arg key "$1" '.[$key][0] | fromjson | .frameworks[0].completed_tasks[0].state'; }
state_is() { [ "$(state_in_riak "$1")" = "$2" ]; }

# ended ID STATE [ARGUMENTS...]
ended() {
	sat send --service mesos/tasks --host h1 --state "$2" --description "it ended" --attribute task="$1" \
		--attribute framework=marathon --attribute framework-id=m-1 --attribute agent=S1 "${@:3}"
}
code() { status_of -G "http://127.0.0.1:$HTTP/state.json" --data-urlencode "task=$1"; }
state_json() { get -G "http://127.0.0.1:$HTTP/state.json" --data-urlencode "task=$1"; }
figure() { get "http://127.0.0.1:$HTTP/status" | jq ".. | objects | select(has(\"$1\")) | .[\"$1\"]" | head -1; }
is() { [ "$(figure "$1")" = "$2" ]; }
stands() { [ "$(sat query "service = 'satellite/tasks/riak' and state = '$1'" | jq length)" = 1 ]; }
# What a Riak has that no master of ours put there.
foreign() {
	printf '{"id":"S7","hostname":"h7","frameworks":[],"completed_frameworks":[{"executors":[{"id":"e","completed_tasks":[{"id":"%s","name":"n","state":"%s","statuses":[{"state":"TASK_RUNNING","timestamp":5.5},{"state":"%s","timestamp":%s}]}]}],"id":"f-7","name":"chronos"}]}' \
		"$1" "$2" "$2" "$3"
}
forget_here() { rm -f "$T"/state/tasks.db*; }

@test "records are put there as the JVM Satellite stored them, and found there once they are not here" {
	riak
	run_it first
	ended app.1 TASK_FAILED
	ended 'a/b c?d%e#"ü&=+' TASK_LOST
	ended run.1 TASK_RUNNING
	until_true 10 has_keys 2
	has 'a/b c?d%e#"ü&=+'
	state_json app.1 >"$T/here"
	[ "$(keys | jq -r '.["app.1"][0]')" = "$(cat "$T/here")" ]
	until_true 10 is riak-unsent 0
	is riak-sent 2
	[ "$(asked 'GET /buckets/b/keys')" = 0 ]
	stops "$MASTER"
	forget_here
	run_it second
	cmp <(state_json app.1) "$T/here"
	[ "$(code app.1)" = 200 ]
	[ "$(state_json 'a/b c?d%e#"ü&=+' | jq -r '.frameworks[0].completed_tasks[0].id')" = 'a/b c?d%e#"ü&=+' ]
	[ "$(code nobody)" = 404 ]
	[ "$(code ..)" = 404 ]
	[ "$(sat task app.1 --json | jq -c '[.task, .host, .framework, .state, .message]')" = \
		'["app.1","h1","marathon","TASK_FAILED","it ended"]' ]
	run sat task nobody
	[ "$status" = 1 ]
	[[ $output == *'no such task has ended'* ]]
	stops "$MASTER"
}

@test "the older paths, credentials, and what the JVM Satellite left there" {
	riak ops:secret
	configure 'style = "riak"; user = "ops"; password = "secret";'
	run_it first
	ended app.1 TASK_FAILED
	until_true 10 has app.1
	[ "$(asked 'PUT /riak/b/app.1 204')" = 1 ]
	mode sibling/old.1 -d "$(foreign old.1 TASK_KILLED 1400000000.5)"
	[ "$(code old.1)" = 200 ]
	[ "$(sat task old.1 --json | jq -c '[.task, .host, .agent, .framework, ."framework-id", .state, .time]')" = \
		'["old.1","h7","S7","chronos","f-7","TASK_KILLED","2014-05-13T16:53:20Z"]' ]
	# Of siblings that counts which ended last.
	mode sibling/old.1 -d "$(foreign old.1 TASK_LOST 1400000009)"
	mode sibling/old.1 -d "$(foreign old.1 TASK_FINISHED 1400000003)"
	[ "$(state_json old.1 | jq -r '.completed_frameworks[0].executors[0].completed_tasks[0].state')" = TASK_LOST ]
	[ "$(sat task old.1 --json | jq -r .state)" = TASK_LOST ]
	stops "$MASTER"
	configure 'style = "riak"; user = "ops"; password = "wrong";'
	run_it second
	[ "$(code old.1)" = 503 ]
	ended app.2 TASK_FAILED
	heard second 'it does not take these credentials (settings: user, password, or token); records wait in the file, up to 100000'
	[ "$(times second secret)" = 0 ]
	[ "$(times second 'password, or token); records wait')" = 1 ]
	stops "$MASTER"
}

@test "the later of two records stays, whoever put it there" {
	riak
	mode sibling/a -d "$(foreign a TASK_KILLED 4000000000)"
	mode sibling/b -d "$(foreign b TASK_KILLED 1400000000)"
	mode sibling/c -d 'no JSON'
	run_it first
	for id in a b c d; do ended $id TASK_FAILED; done
	until_true 10 is riak-unsent 0
	until_true 10 has_keys 4
	[ "$(keys | jq -r '.a[0]')" = "$(foreign a TASK_KILLED 4000000000)" ]
	for id in b c d; do state_is $id TASK_FAILED; done
	ended d TASK_LOST
	until_true 10 state_is d TASK_LOST
	is riak-refused 0
	stops "$MASTER"
}

@test "where a Riak keeps siblings, what takes the place of others makes one of them" {
	riak
	mode allow_mult/true
	mode sibling/one -d "$(foreign one TASK_KILLED 1400000000)"
	for time in 1300000000 1400000000; do mode sibling/two -d "$(foreign two TASK_KILLED $time)"; done
	mode sibling/two -d 'no JSON'
	mode sibling/late -d 'no JSON'
	mode sibling/late -d "$(foreign late TASK_KILLED 4000000000)"
	run_it first
	for id in one two late new; do ended $id TASK_FAILED; done
	lengths() { [ "$(keys | jq -cS 'map_values(length)')" = "$1" ]; }
	until_true 10 lengths '{"late":2,"new":1,"one":1,"two":1}'
	until_true 10 is riak-unsent 0
	until_true 10 is riak-sent 3
	for id in one two new; do state_is $id TASK_FAILED; done
	[ "$(keys | jq -r '.late[1]')" = "$(foreign late TASK_KILLED 4000000000)" ]
	ended new TASK_LOST
	until_true 10 state_is new TASK_LOST
	lengths '{"late":2,"new":1,"one":1,"two":1}'
	# Of siblings the later one answers.
	stops "$MASTER"
	forget_here
	run_it second
	[ "$(state_json late | jq -r '.completed_frameworks[0].executors[0].completed_tasks[0].state')" = TASK_KILLED ]
	stops "$MASTER"
}

@test "while it is away records wait in the file, over a restart and kill -9, and questions are answered" {
	run_it first
	ended a.1 TASK_FAILED
	heard first 'records wait in the file, up to 100000 of them'
	until_true 10 stands critical
	[ "$(code a.1)" = 200 ]
	[ "$(code nobody)" = 503 ]
	run sat task nobody
	[ "$status" = 1 ]
	[[ $output == *"cannot be read now: http://127.0.0.1:$RIAK: "* ]]
	[ "$(status_of "http://127.0.0.1:$HTTP/healthz")" = 200 ]
	stops "$MASTER"
	run_it second
	ended a.2 TASK_FAILED
	[ "$(code a.2)" = 200 ]
	kill -9 "$MASTER"
	wait "$MASTER" || true
	run_it third
	until_true 10 stands critical
	riak
	until_true 60 has_keys 2
	heard third 'takes records again'
	until_true 10 stands ok
	until_true 10 is riak-unsent 0
	stops "$MASTER"
	run_it fourth
	[ "$(code a.1)" = 200 ]
	is riak-unsent 0
	stops "$MASTER"
}

@test "a store that lies, breaks off or hangs holds up nothing, and gets all of it once it is well" {
	riak
	run_it first
	for m in 500 503 404 close half html; do
		mode $m
		[[ $(code nobody) == $([ $m = 404 ] && echo 404 || echo 503) ]]
		mode well
	done
	mode huge
	[ "$(code nobody)" = 503 ]
	mode 503
	ended a.1 TASK_FAILED
	heard first 'PUT: it answers 503; records wait'
	mode hang
	# It hangs 2 seconds, and others do not wait.
	curl -s -o "$T/slow" -w '%{http_code}' --max-time 30 "http://127.0.0.1:$HTTP/state.json?task=nobody" >"$T/slow.code" &
	local slow=$!
	until_true 10 asked_times 'GET /buckets/b/keys/nobody -' 1
	[ "$(code a.1)" = 200 ]
	[ "$(status_of --max-time 1 "http://127.0.0.1:$HTTP/healthz")" = 200 ]
	wait "$slow"
	[ "$(cat "$T/slow.code")" = 503 ]
	# No more than 64 wait for it.
	for _ in $(seq 80); do curl -s -o /dev/null -w '%{http_code} ' --max-time 30 "http://127.0.0.1:$HTTP/state.json?task=nobody" >>"$T/many" & done
	too_many() { get "http://127.0.0.1:$HTTP/state.json?task=nobody" | grep -q 'too many ask'; }
	until_true 10 too_many
	wait $(jobs -p | grep -vx -e "$MASTER" -e "$SERVER") || true
	mode well
	until_true 60 has a.1
	# One that it does not take costs the others nothing.
	mode 400
	ended bad TASK_FAILED
	until_true 10 is riak-refused 1
	heard first 'the record of task bad is not taken, and is kept here alone: it answers 400'
	mode well
	ended a.2 TASK_FAILED
	until_true 10 has a.2
	[ "$(code bad)" = 200 ]
	stops "$MASTER"
}

@test "of too many that wait the oldest go unsent, and of several stores one that answers is asked" {
	configure 'queue = 3;'
	run_it first
	for i in 1 2 3 4 5; do ended "t.$i" TASK_FAILED; done
	until_true 10 is riak-dropped 2
	is riak-unsent 3
	stops "$MASTER"
	riak
	configure "url = ( \"http://127.0.0.1:$(free_port)\", \"http://127.0.0.1:$RIAK/\" );"
	sed -i "s|riak = { url = \"http://127.0.0.1:$RIAK\";|riak = {|" "$T/master.cfg"
	run_it second
	[ "$(code t.1)" = 200 ]
	until_true 20 has_keys 3
	has t.5
	[ "$(code nobody)" = 404 ]
	stops "$MASTER"
	run "$SATELLITE" --check --config <(sed 's|bucket = "b";|style = "new"; cert = "x";|' "$T/master.cfg")
	[ "$status" = 1 ]
	[[ $output == *'bucket'* ]]
}
