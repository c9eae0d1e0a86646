#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tasks - how tasks ended is kept, found, outlives a restart and kill -9, and goes by age and size.

load common
load simulate

setup() {
	common_setup
	HTTP=$(free_port)
	mkdir -p "$T/state"
	configure ''
}
teardown() {
	[ -z "${SMALL:-}" ] || { kill -KILL "$MASTER" 2>/dev/null || true; umount -l "$SMALL"; }
	common_teardown
}

# configure SETTINGS: those of the group tasks.
configure() {
	cat >"$T/master.cfg" <<-END
		role = "master"; state-dir = "$T/state"; modules = ( "push", "tasks" );
		http = { port = $HTTP; }; tasks = { $1 };
		streams = ( { where = "service = 'mesos/tasks'"; do = ( "keep-task" ); }, { where = "service = 'satellite/tasks'"; do = ( "index" ); } );
	END
}

run_it() {
	start "$1" --config "$T/master.cfg"
	MASTER=$PID
	until_true 20 listens "$HTTP"
}

# ended ID STATE [HOST [FRAMEWORK [ARGUMENTS...]]]
ended() {
	sat send --service mesos/tasks --host "${3:-h1}" --state "$2" --description "Command exited with status 3" \
		--attribute task="$1" --attribute framework="${4:-marathon}" --attribute framework-id="${4:-marathon}-1" \
		--attribute agent=S1 --attribute name="$1" --attribute reason=REASON_COMMAND_EXECUTOR_FAILED \
		--attribute source=SOURCE_EXECUTOR --attribute exit=3 "${@:5}"
}
state_json() { get -G "http://127.0.0.1:$HTTP/state.json" --data-urlencode "task=$1"; }
tasks_json() { get "http://127.0.0.1:$HTTP/tasks?$1"; }
code() { status_of "http://127.0.0.1:$HTTP$1"; }
counter() { get "http://127.0.0.1:$HTTP/status" | jq ".. | objects | select(has(\"$1\")) | .[\"$1\"]" | head -1; }
has_kept() { [ "$(counter kept)" = "$1" ]; }
removed_all() { [ "$(tasks_json limit=1000 | jq '.tasks | length')" -le "$1" ]; }

@test "an ended task is found as the JVM Satellite stored it; without task 400, unknown 404" {
	run_it first
	ended app.1 TASK_FAILED
	ended run.1 TASK_RUNNING
	ended 'odd/ task"ü' TASK_LOST
	[ "$(code '/state.json')" = 400 ]
	[ "$(code '/state.json?task=')" = 400 ]
	[ "$(code '/state.json?task=nobody')" = 404 ]
	[ "$(code '/state.json?task=run.1')" = 404 ]
	[ "$(code '/state.json?task=app.1')" = 200 ]
	state_json app.1 >"$T/doc"
	[ "$(jq -c '[.hostname, .id, (.frameworks | length)]' "$T/doc")" = '["h1","S1",1]' ]
	[ "$(jq -r '.frameworks[].completed_executors[].completed_tasks[].id' "$T/doc")" = app.1 ]
	[ "$(jq -c '.frameworks[0] | [.id, .name, .completed_tasks[0].state, .completed_tasks[0].slave_id]' "$T/doc")" = \
		'["marathon-1","marathon","TASK_FAILED","S1"]' ]
	[ "$(jq -r '.frameworks[0].completed_tasks[0].statuses[0] | .reason, .source, .message' "$T/doc" | tr '\n' '|')" = \
		'REASON_COMMAND_EXECUTOR_FAILED|SOURCE_EXECUTOR|Command exited with status 3|' ]
	[ "$(state_json 'odd/ task"ü' | jq -r '.frameworks[0].completed_tasks[0].id')" = 'odd/ task"ü' ]
	# The last state counts, an older one does not.
	ended app.1 TASK_KILLED h1 marathon --time 100
	[ "$(state_json app.1 | jq -r '.frameworks[0].completed_tasks[0].state')" = TASK_FAILED ]
	ended app.1 TASK_KILLED
	[ "$(state_json app.1 | jq -r '.frameworks[0].completed_tasks[0].state')" = TASK_KILLED ]
	stops "$MASTER"
}

@test "people find a task by its name, and tasks by host, framework, state and time" {
	configure 'keep-days = 20000.0;'
	run_it first
	ended a.1 TASK_FAILED h1 one
	ended a.2 TASK_FINISHED h2 one
	ended b.1 TASK_FAILED h2 two
	ended old TASK_FAILED h3 two --time 1000000000
	run sat task a.1
	[ "$status" = 0 ]
	[[ $output == *'state         TASK_FAILED'*'exit          3'*'ended         20'* ]]
	[ "$(sat task a.1 --json | jq -r .host)" = h1 ]
	run sat task nobody
	[ "$status" = 1 ]
	run sat task
	[ "$status" = 2 ]
	run sat tasks --framework
	[ "$status" = 2 ]
	ids() { sat tasks "$@" --json | jq -r '[.tasks[].task] | join(" ")'; }
	[ "$(ids)" = "b.1 a.2 a.1 old" ]
	[ "$(ids --host h2)" = "b.1 a.2" ]
	[ "$(ids --framework=one --state TASK_FAILED)" = a.1 ]
	[ "$(ids --since 1hour)" = "b.1 a.2 a.1" ]
	[ "$(ids --since 2001-09-09T01:46:40Z)" = "b.1 a.2 a.1 old" ]
	[ "$(ids --since 1000000001)" = "b.1 a.2 a.1" ]
	[ "$(ids --until 2001-09-09T01:46:41Z)" = old ]
	[ "$(ids --since 1hour --until=0seconds)" = "b.1 a.2 a.1" ]
	[ "$(code '/tasks?until=never')" = 400 ]
	[ "$(sat tasks --limit 2 --json | jq -c '[(.tasks | length), .more]')" = '[2,true]' ]
	[ "$(sat tasks --limit 2 | grep -c ' TASK_F')" = 2 ]
	[[ "$(sat tasks --limit 2)" == *'there are more'* ]]
	# Page after page, each once, though some ended at the same time.
	ended b.2 TASK_KILLED h3 two --time 1000000000
	ended b.3 TASK_KILLED h3 two --time 1000000000
	local all="" page next=""
	while :; do
		page=$(tasks_json "limit=2$next")
		all+=$(jq -r '.tasks[].task + " "' <<<"$page" | tr -d '\n')
		jq -e .more >/dev/null <<<"$page" || break
		next="&before=$(jq -r .next <<<"$page")"
	done
	[ "$all" = "b.1 a.2 a.1 b.3 b.2 old " ]
	[ "$(jq -c 'has("next")' <<<"$page")" = false ]
	[ "$(ids --limit 1 --host h3 --before "$(sat tasks --host h3 --limit 2 | sed -n 's/.*--before \(.*\))/\1/p')")" = old ]
	[ "$(code '/tasks?before=7')" = 400 ]
	[ "$(code '/tasks?before=7.8x')" = 400 ]
	[ "$(tasks_json 'host=h1&limit=5' | jq -c '[.tasks[0].task, .more]')" = '["a.1",false]' ]
	[ "$(code '/tasks?limit=0')" = 400 ]
	[ "$(code '/tasks?limit=10001')" = 400 ]
	[ "$(code '/tasks?since=yesterday')" = 400 ]
	run sat tasks --since yesterday
	[ "$status" = 2 ]
	[[ $output == *'"yesterday" is no time'* ]]
	stops "$MASTER"
}

@test "what was committed outlives kill -9, and what waited a clean end" {
	run_it first
	for i in 1 2 3 4 5; do ended "k.$i" TASK_FAILED; done
	[ "$(tasks_json host=h1 | jq '.tasks | length')" = 5 ]
	kill -9 "$MASTER"
	wait "$MASTER" || true
	run_it second
	[ "$(tasks_json host=h1 | jq '.tasks | length')" = 5 ]
	for i in 6 7; do ended "k.$i" TASK_FAILED; done
	stops "$MASTER"
	run_it third
	[ "$(tasks_json host=h1 | jq '.tasks | length')" = 7 ]
	[ "$(times third damaged)" = 0 ]
	stops "$MASTER"
}

@test "records go by age and by number, the oldest first" {
	configure 'keep-days = 2.0; max-tasks = 5;'
	run_it first
	ended old TASK_FAILED h1 one --time $(($(date +%s) - 3 * 86400))
	until_true 10 removed_all 0
	for i in 1 2 3 4 5 6 7 8; do ended "n.$i" TASK_FAILED; done
	until_true 10 removed_all 5
	[ "$(tasks_json limit=9 | jq -r '[.tasks[].task] | join(" ")')" = "n.8 n.7 n.6 n.5 n.4" ]
	stops "$MASTER"
}

@test "a damaged file is put aside, and one that cannot be written costs no service" {
	head -c 20000 /dev/urandom >"$T/state/tasks.db"
	run_it first
	heard first 'was damaged, and lies beside as'
	ended a TASK_FAILED
	[ "$(code '/state.json?task=a')" = 200 ]
	[ "$(stat -c %s "$T/state/tasks.db.damaged")" = 20000 ]
	stops "$MASTER"
	configure 'path = "nowhere/tasks.db"; queue = 3;'
	run_it second
	heard second 'open: unable to open database file; records wait, up to 3 of them'
	for i in 1 2 3 4; do ended "w.$i" TASK_FAILED; done
	[ "$(code '/state.json?task=w.1')" = 200 ]
	[ "$(code '/state.json?task=w.4')" = 503 ]
	[ "$(code /tasks)" = 503 ]
	[ "$(code /healthz)" = 200 ]
	heard second 'is dropped, since 3 wait to be written'
	[ "$(sat query "service = 'satellite/tasks'" | jq -r '.[0].state')" = critical ]
	mkdir "$T/state/nowhere"
	heard second 'records are written again'
	found() { [ "$(code '/state.json?task=w.3')" = 200 ]; }
	until_true 10 found
	[ "$(code '/state.json?task=w.4')" = 404 ]
	[ "$(sat query "service = 'satellite/tasks'" | jq -r '.[0].state')" = ok ]
	stops "$MASTER"
}

@test "ids are any text: the odd, the long, and a million bytes of it" {
	run_it first
	local id long
	long=$(head -c 1024 /dev/zero | tr '\0' x)
	for id in '../../etc/passwd' '%00%2F' 'ünï/☃ ' "$long" "'; DROP TABLE tasks; --"; do
		ended "$id" TASK_FAILED
		[ "$(state_json "$id" | jq -r '.frameworks[0].completed_tasks[0].id')" = "$id" ]
	done
	ended "${long}x" TASK_FAILED || true
	heard first 'one over 1024 bytes'
	[ "$(code "/state.json?task=${long}x")" = 404 ]
	[ "$(code '/state.json?task=%ff%fe')" = 404 ]
	[[ $(code '/state.json?task=a%00b') == 40[04] ]]
	head -c 1048576 /dev/zero | tr '\0' x >"$T/huge"
	[[ $(status_of -G "http://127.0.0.1:$HTTP/state.json" --data-urlencode "task@$T/huge") == @(4??|000) ]]	# closed upon, or told
	[ "$(tasks_json limit=99 | jq '.tasks | length')" = 5 ]
	stops "$MASTER"
}

@test "on a full disk records wait and are found, and go to the file once there is room" {
	mkdir "$T/small"
	mount -t tmpfs -o size=256k none "$T/small" 2>/dev/null || skip "cannot mount here"
	SMALL=$T/small
	configure "path = \"$T/small/tasks.db\";"
	run_it first
	ended a TASK_FAILED
	[ "$(code '/state.json?task=a')" = 200 ]
	head -c 1048576 /dev/zero >"$T/small/filler" || true
	local i
	for i in $(seq 20); do ended "b.$i" TASK_FAILED; done
	heard first 'records wait, up to 20000 of them'
	[ "$(code '/state.json?task=a')" = 200 ]
	[ "$(code '/state.json?task=b.20')" = 200 ]
	[ "$(code '/state.json?task=nobody')" = 404 ]
	# Who asks does not bring about another try.
	local before
	before=$(counter errors)
	for i in $(seq 30); do [ "$(code '/state.json?task=b.1')" = 200 ]; done
	[ "$(counter errors)" -le $((before + 4)) ]
	rm "$T/small/filler"
	heard first 'records are written again'
	[ "$(tasks_json limit=99 | jq '.tasks | length')" = 21 ]
	[ "$(counter dropped)" = 0 ]
	stops "$MASTER"
}

@test "a file that another holds locked keeps nobody from asking, and one that is damaged is put aside" {
	run_it first
	ended a TASK_FAILED
	[ "$(code '/state.json?task=a')" = 200 ]
	python3 -c "import sqlite3, time; d = sqlite3.connect('$T/state/tasks.db', isolation_level=None); d.execute('BEGIN EXCLUSIVE'); print('held', flush=True); time.sleep(30)" >"$T/lock" 3>&- &
	PIDS+=("$!")
	local lock=$!
	until_true 10 grep -q held "$T/lock"
	ended b TASK_FAILED
	heard first 'database is locked; records wait'
	[ "$(code '/state.json?task=a')" = 200 ]
	[ "$(code '/state.json?task=b')" = 200 ]
	[ "$(code '/state.json?task=nobody')" = 404 ]
	kill "$lock"
	heard first 'records are written again'
	[ "$(tasks_json host=h1 | jq '.tasks | length')" = 2 ]
	stops "$MASTER"
	# Behind the head all is lost.
	python3 - "$T/state/tasks.db" <<-'END'
		import sys
		with open(sys.argv[1], "r+b") as f:
		    size = f.seek(0, 2)
		    f.seek(4096)
		    f.write(b"\xff" * (size - 4096))
	END
	run_it second
	heard second 'was damaged, and lies beside as'
	ended c TASK_FAILED
	until_true 10 [ "$(code '/state.json?task=c')" = 200 ]
	stops "$MASTER"
}

@test "with the module loaded, what a Mesos master says of its tasks is kept, without a word in streams" {
	simulate --masters 1 --agents 3 --tasks 30 --churn 20
	cat >"$T/master.cfg" <<-END
		role = "master"; state-dir = "$T/state"; modules = ( "mesos-master", "tasks" ); http = { port = $HTTP; };
		mesos-master = { url = "$(address master 0)"; interval = 1; }; streams = ( "bit-bucket" );
	END
	run_it first
	some() { tasks_json limit=1 | jq -e '.tasks | length == 1' >/dev/null; }
	until_true 20 some
	local id
	id=$(tasks_json limit=1 | jq -r '.tasks[0].task')
	[ "$(state_json "$id" | jq -r '.frameworks[0].completed_tasks[0].id')" = "$id" ]
	[ "$(sat task "$id" --json | jq -r '.host' | grep -c example.com)" = 1 ]
	stops "$MASTER"
}

@test "tasks that had ended before any master came are known, and no stream hears of them" {
	simulate --masters 1 --agents 3 --tasks 30 --completed 1000
	cat >"$T/master.cfg" <<-END
		role = "master"; state-dir = "$T/state"; modules = ( "mesos-master", "tasks" ); http = { port = $HTTP; };
		mesos-master = { url = "$(address master 0)"; interval = 1; };
		streams = ( { where = "service = 'mesos/tasks'"; do = ( "index" ); } );
	END
	run_it first
	all() { [ "$(tasks_json limit=9999 | jq '.tasks | length')" = 1000 ]; }
	until_true 20 all
	local id
	id=$(get "$(address master 0)/state" | jq -r '[.frameworks[].completed_tasks[]][7].id')
	run sat task "$id"
	[ "$status" = 0 ]
	[[ $output == *'state         TASK_'*'ended         20'* ]]
	[ "$(sat query true | jq length)" = 0 ]
	until_true 10 has_kept 1000
	stops "$MASTER"
	# What is there is not written again.
	python3 -c "import sqlite3; d = sqlite3.connect('$T/state/tasks.db'); d.execute('DELETE FROM tasks WHERE id = ?', ('$id',)); d.commit()"
	run_it second
	until_true 20 all
	until_true 10 has_kept 1
	stops "$MASTER"
}

@test "who begins to keep records with a reload gets those of before, too" {
	simulate --masters 1 --agents 3 --tasks 30 --completed 1000
	late() {
		cat >"$T/master.cfg" <<-END
			role = "master"; state-dir = "$T/state"; modules = ( "mesos-master"$1 ); http = { port = $HTTP; };
			mesos-master = { url = "$(address master 0)"; interval = 1; };
			streams = ( { where = "service = 'mesos/tasks'"; do = ( "index" ); } );
		END
	}
	late ''
	run_it first
	seen() { [ "$(counter tasks)" -ge 1000 ]; }
	until_true 20 seen
	[ "$(code /tasks)" = 404 ]
	late ', "tasks"'
	kill -HUP "$MASTER"
	all() { [ "$(tasks_json limit=9999 | jq '.tasks | length')" = 1000 ]; }
	until_true 20 all
	[ "$(times first '/api/v1: answers')" = 1 ]
	stops "$MASTER"
}

# lists ID...: what the Mesos agent of a slave says, which is a web server of files.
lists() {
	local id
	for id in "$@"; do
		printf '{"id":"%s","name":"n","framework_id":"f-1","slave_id":"S1","state":"TASK_FAILED","statuses":[{"state":"TASK_FAILED","timestamp":%s.25}]}\n' \
			"$id" "$ENDED"
	done | jq -cs '{id: "S1", hostname: "h1", attributes: {}, frameworks: [], completed_frameworks: [{id: "f-1", name: "marathon",
		completed_executors: [{id: "e", completed_tasks: .}]}]}' >"$T/agent/state.new"
	mv "$T/agent/state.new" "$T/agent/state"
}

@test "what a slave's Mesos agent lists of ended tasks is kept, though no master saw it" {
	local riemann agent n
	riemann=$(free_port)
	agent=$(free_port)
	mkdir "$T/agent"
	ENDED=$(($(date +%s) - 3600))
	lists a b
	python3 -u -m http.server "$agent" --bind 127.0.0.1 -d "$T/agent" >/dev/null 2>"$T/agent.log" 3>&- &
	PIDS+=("$!")
	cat >"$T/master.cfg" <<-END
		role = "master"; state-dir = "$T/state"; modules = ( "riemann", "tasks" ); http = { port = $HTTP; };
		riemann = { port = $riemann; };
		streams = ( "index", { where = "service = 'mesos/tasks/ended'"; do = ( "keep-task" ); } );
	END
	cat >"$T/slave.cfg" <<-END
		role = "slave"; state-dir = "$T/slave"; host = "h1"; modules = ( "mesos-agent" );
		mesos-agent = { url = "http://127.0.0.1:$agent"; interval = 0.5; events = false; };
		forward = { masters = "127.0.0.1:$riemann"; flush = 0.02; };
	END
	until_true 10 listens "$agent"
	run_it first
	start slave --config "$T/slave.cfg"
	known() { [ "$(tasks_json limit=9 | jq -cS '[.tasks[].task] | sort')" = "$1" ]; }
	until_true 20 known '["a","b"]'
	[ "$(sat task a --json | jq -c '[.host, .framework, .agent, .state]')" = '["h1","marathon","S1","TASK_FAILED"]' ]
	[ "$(tasks_json until=50minutes | jq '.tasks | length')" = 2 ]
	# It ends while the master is away.
	stops "$MASTER"
	lists b c
	n=$(times agent '"GET /state ')
	asked() { [ "$(times agent '"GET /state ')" -ge $((n + 3)) ]; }	# one of them after it began
	until_true 20 asked
	lists d
	run_it second
	until_true 30 known '["a","b","c","d"]'
	until_true 10 has_kept 2
	stops "$MASTER"
}
