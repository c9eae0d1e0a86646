#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# metrics - GET /metrics: for Prometheus, and under the names of mesos_exporter.

load common
load simulate
setup() { common_setup; }
teardown() { common_teardown; }

VECTORS=../shared/mesos-exporter-vectors
PROMETHEUS_ACCEPT='application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'

# master URL [SETTINGS [OF-MESOS-MASTER]]: a satellite beside that Mesos master; U is its URL.
master() {
	H=$(free_port)
	U=http://127.0.0.1:$H
	mkdir -p "$T/state"
	cat >"$T/master.cfg" <<-END
		role = "master"; state-dir = "$T/state"; leader = "always";
		http = { host = "127.0.0.1"; port = $H; };
		modules = ( "mesos-master" );
		mesos-master = { url = "$1"; interval = 0.5; leader-interval = 0.25; ${3-} };
		streams = ( "index" );
		$2
	END
	start master --modules "$BUILD/modules" --config "$T/master.cfg"
	until_true 10 listens "$H"
}

metrics() { get "$U/metrics"; }
# shows NAME VALUE: a series and its value.
shows() { metrics >"$T/shown" && grep -qxF -- "$1 $2" "$T/shown"; }
has() { metrics >"$T/shown" && grep -qF -- "$1" "$T/shown"; }
lacks() { metrics >"$T/shown" && ! grep -qF -- "$1" "$T/shown"; }

# canned PATH=FILE...: a server of these files; M is its URL.
canned() {
	local port
	port=$(free_port)
	python3 "$ROOT/test/clients/canned.py" "$port" "$@" >"$T/canned.log" 2>&1 3>&- &
	PIDS+=("$!")
	until_true 10 listens "$port"
	M=http://127.0.0.1:$port
}

# inputs VECTOR: what its server serves, as PATH=FILE.
inputs() { sed -n "s|^\(/[^ ]*\) <- \(.*\)|\1=$VECTORS/\2|p" "$VECTORS/$1/input.txt"; }

# vectors ROLE: the names of those that can be compared.
vectors() { (cd "$VECTORS" && ls -d "$1"[0-9]*); }

# same_packed: the same families; one more may have come in between.
same_packed() {
	get "$U/metrics" >"$T/text"
	get -D "$T/head" -H "Accept-Encoding: gzip" "$U/metrics" | gzip -dc >"$T/unpacked"
	[ "$(grep '^# TYPE' "$T/unpacked")" = "$(grep '^# TYPE' "$T/text")" ]
}

@test "both forms, compressed or not, as the client likes" {
	simulate --masters 1 --agents 3 --tasks 20
	master "$(address master 0)"
	until_true 5 shows 'mesos_master_slaves_state{state="connected_active"}' 3
	get -D "$T/head" "$U/metrics" >"$T/text"
	grep -qi '^content-type: text/plain; version=0.0.4; charset=utf-8' "$T/head"
	! grep -q '^# EOF' "$T/text"
	get -D "$T/head" -H "Accept: $PROMETHEUS_ACCEPT" "$U/metrics" >"$T/open"
	grep -qi '^content-type: application/openmetrics-text; version=1.0.0; charset=utf-8' "$T/head"
	[ "$(tail -n 1 "$T/open")" = "# EOF" ]
	until_true 5 same_packed
	grep -qi '^content-encoding: gzip' "$T/head"
	[ "$(get -I "$U/metrics" | grep -ci '^content-length: [1-9]')" = 1 ]
	[ "$(status_of -X POST "$U/metrics")" = 405 ]
}

@test "promtool has nothing to say of our families" {
	simulate --masters 1 --agents 3 --tasks 20
	master "$(address master 0)" 'whitelist = { path = "'"$T"'/whitelist"; };'
	sed -i 's/"mesos-master" )/"mesos-master", "riemann", "whitelist" )/' "$T/master.cfg"
	local riemann
	riemann=$(free_port)
	echo "riemann = { port = $riemann; };" >>"$T/master.cfg"
	kill -HUP "$PID"
	until_true 5 shows satellite_whitelist_hosts 3
	until_true 5 listens "$riemann"
	printf '\0\0\0\5\x32\3\x1a\1x' >"/dev/tcp/127.0.0.1/$riemann"	# an event, whose time in the streams is measured
	until_true 5 has satellite_process_stream_time_seconds
	metrics >"$T/all"
	awk '/^# / { ours = $3 !~ /^mesos_/ } !/^# / { ours = !/^mesos_/ } ours' "$T/all" >"$T/ours"
	run promtool check metrics <"$T/ours"
	echo "$output"
	[ "$status" = 0 ] && [ -z "$output" ]
	[ "$(grep -c '^# TYPE' "$T/ours")" -gt 100 ]
	! awk '/^# HELP/ && NF < 4' "$T/all" | grep .
	[ -z "$(awk '/^# TYPE/ { print $3 }' "$T/all" | sort | uniq -d)" ]
}

@test "Prometheus scrapes it, in both forms" {
	local port
	port=$(free_port)
	simulate --masters 1 --agents 3 --tasks 20
	master "$(address master 0)"
	until_true 5 shows 'mesos_master_slaves_state{state="connected_active"}' 3
	# A proxy that asks for text only.
	local text
	text=$(free_port)
	cat >"$T/nginx.conf" <<-END
		daemon off; master_process off; pid $T/nginx.pid; error_log $T/nginx.log;
		events { }
		http {
			access_log $T/asked; client_body_temp_path $T/b; proxy_temp_path $T/p; fastcgi_temp_path $T/f;
			uwsgi_temp_path $T/u; scgi_temp_path $T/s;
			server {
				listen 127.0.0.1:$text;
				location / { proxy_pass $U; proxy_set_header Accept "text/plain;version=0.0.4"; }
			}
		}
	END
	"$(PATH=$PATH:/usr/sbin command -v nginx)" -c "$T/nginx.conf" 2>>"$T/nginx.log" 3>&- &
	PIDS+=("$!")
	until_true 10 listens "$text"
	cat >"$T/prometheus.yml" <<-END
		global: { scrape_interval: 1s, scrape_timeout: 1s }
		scrape_configs:
		  - job_name: open
		    static_configs: [ { targets: [ "127.0.0.1:$H" ] } ]
		  - job_name: text
		    static_configs: [ { targets: [ "127.0.0.1:$text" ] } ]
	END
	promtool check config "$T/prometheus.yml"
	prometheus --config.file="$T/prometheus.yml" --storage.tsdb.path="$T/tsdb" \
		--web.listen-address="127.0.0.1:$port" >"$T/prometheus.log" 2>&1 3>&- &
	PIDS+=("$!")
	until_true 20 listens "$port"
	value() { get -G "http://127.0.0.1:$port/api/v1/query" --data-urlencode "query=$1" | jq -r '.data.result[].value[1]'; }
	is() { [ "$(value "$1")" = "$2" ]; }
	for job in open text; do
		until_true 20 is "up{job=\"$job\"}" 1
		until_true 20 is "mesos_master_slaves_state{job=\"$job\",state=\"connected_active\"}" 3
		until_true 20 is "count(satellite_process_events_total{job=\"$job\"})" 1
	done
	get "http://127.0.0.1:$port/api/v1/targets" | jq -e '[.data.activeTargets[] | .lastError == "" and .health == "up"] | all'
	grep -q 'GET /metrics HTTP/1.1" 200' "$T/asked"
	get "http://127.0.0.1:$port/api/v1/metadata?metric=satellite_process_events" | jq -e '.data | tostring | contains("counter")'
}

@test "what a Mesos master says no longer is not there any longer" {
	simulate --masters 1 --agents 3 --tasks 5
	master "$(address master 0)"
	until_true 5 shows mesos_master_elected 1
	order master/0/mode "503"
	until_true 5 lacks mesos_master_elected
	order master/0/mode "ok"
	until_true 5 shows mesos_master_elected 1
	order master/0/mode "garbage"
	until_true 5 lacks mesos_master_elected
}

# slow READS THEN: a scraper reads so many bytes, touches begun and, when go-on is there, "hangs-up", or "reads-on" into part.
slow() {
	python3 - "$H" "$T" "$1" "$2" 2>"$T/slow.log" 3>&- <<-'END' &
		import os, socket, sys, time
		s = socket.socket()
		s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
		s.connect(("127.0.0.1", int(sys.argv[1])))
		s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
		got = bytearray()
		while len(got) < int(sys.argv[3]):
		    got += s.recv(4096) or sys.exit("it ended early")
		open(sys.argv[2] + "/begun", "w").close()
		while not os.path.exists(sys.argv[2] + "/go-on"):
		    time.sleep(0.05)
		if sys.argv[4] == "reads-on":
		    while more := s.recv(65536):
		        got += more
		    with open(sys.argv[2] + "/part", "wb") as f:
		        f.write(got)
		s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
		s.close()
	END
	PIDS+=("$!")
}
# whole FORM: an answer that has all agents, each family in one piece.
whole() {
	get -H "Accept: $1" "$U/metrics" >"$T/whole" &&
		[ "$(grep -c '^mesos_slave_cpus{' "$T/whole")" = "$agents" ] &&
		[ "$(grep -v '^#' "$T/whole" | sed 's/[{ ].*//' | uniq | sort | uniq -d)" = "" ]
}
buffers() { get "$U/status" | jq '.counters."memory-buffers"'; }
holds() { [ "$(buffers)" -gt 1000000 ]; }
lets_go() { [ "$(buffers)" -lt 1000000 ]; }

@test "a scraper that hangs up in the middle, or reads nothing, keeps nothing from others" {
	local agents=20000
	simulate --masters 1 --agents $agents --tasks 100
	master "$(address master 0)"
	until_true 20 shows satellite_mesos_master_agents $agents
	slow 0 hangs-up
	slow 100000 hangs-up
	until_true 10 test -e "$T/begun"
	until_true 10 holds
	for form in text/plain application/openmetrics-text; do whole $form; done
	[ "$(tail -n 1 "$T/whole")" = "# EOF" ]
	whole text/plain & one=$!
	get -H "Accept-Encoding: gzip" "$U/metrics" | gzip -dc >"$T/unpacked"
	wait $one
	[ "$(grep -c '^mesos_slave_cpus{' "$T/unpacked")" = $agents ]
	touch "$T/go-on"
	until_true 10 lets_go
	whole text/plain
	stops "$PID"
}

@test "a scrape under way ends with its module, and is seen to" {
	local agents=20000
	simulate --masters 1 --agents $agents --tasks 100
	master "$(address master 0)"
	until_true 20 shows satellite_mesos_master_agents $agents
	slow 1000 reads-on
	one=$!
	until_true 10 test -e "$T/begun"
	sed -i 's/"mesos-master" );/"mesos-master" ); metrics = { max-series = 1000; };/' "$T/master.cfg"
	kill -HUP "$PID"
	until_true 10 lets_go
	touch "$T/go-on"
	wait $one
	[ "$(sed -n 's/\r$//; s/^Content-Length: //p; /^$/q' "$T/part")" -gt "$(wc -c <"$T/part")" ]
	[ "$(metrics | grep -vc '^#')" = 1000 ]
}

@test "series over the cap are left out and counted" {
	simulate --masters 1 --agents 3
	master "$(address master 0)" 'metrics = { max-series = 120; };'
	until_true 5 shows satellite_metrics_series 120
	[ "$(metrics | grep -vc '^#')" = 120 ]
	[ "$(metrics | sed -n 's/^satellite_metrics_left_out_total //p')" -gt 0 ]
}

@test "families, labels and values are those of mesos_exporter on a master" {
	[ -d "$VECTORS" ] || skip "no $VECTORS: nothing to compare with"
	local v n=0
	for v in $(vectors m); do
		mapfile -t served < <(inputs "$v")
		canned "${served[@]}"
		master "$M" "" "$(settings "$v")"
		until_true 10 shows satellite_mesos_master_agents "$(get "$M/state" | jq '.slaves | length')"
		metrics >"$T/ours"
		python3 test/clients/exporter.py "$T/ours" "$VECTORS/$v"
		common_teardown
		common_setup
		n=$((n + 1))
	done
	[ $n -ge 5 ]
}

@test "where a name of mesos_exporter is wrong, another has the right figure" {
	[ -d "$VECTORS" ] || skip "no $VECTORS: nothing to compare with"
	local all=$VECTORS/inputs/all-master-keys.json key
	mapfile -t served < <(inputs m10-all-keys-distinct)
	canned "${served[@]}"
	master "$M"
	until_true 10 shows mesos_master_elected "$(jq '."master/elected"' "$all")"
	said() { grep -qE "^$1 $(jq ".\"$2\"" "$all" | sed 's/\.0$//')\$" "$T/shown"; }
	said satellite_mesos_allocation_run_samples allocator/mesos/allocation_run_ms/count
	said 'satellite_mesos_event_queue_dispatches\{of="master"\}' master/event_queue_dispatches
	said 'satellite_mesos_event_queue_dispatches\{of="allocator"\}' allocator/mesos/event_queue_dispatches
	said 'satellite_mesos_messages_outcomes_total\{type="status_update_acknowledgement",source="framework",destination="slave",outcome="valid"\}' \
		master/valid_status_update_acknowledgements
	said 'satellite_mesos_messages_outcomes_total\{type="message",source="executor",destination="framework",outcome="invalid"\}' \
		master/invalid_executor_to_framework_messages
	said satellite_mesos_slave_removals_total master/slave_removals
	# No key is lost, and none is there twice.
	for key in $(jq -r 'keys[]' "$all"); do
		grep -E "^(satellite_)?mesos_" "$T/shown" | grep -qE " $(jq ".\"$key\"" "$all" | sed 's/\.0$//')\$" ||
			{ echo "lost: $key"; false; }
	done
}

# slave URL SETTINGS: a slave with HTTP beside that Mesos agent; U is its URL.
slave() {
	H=$(free_port)
	U=http://127.0.0.1:$H
	mkdir -p "$T/slave"
	cat >"$T/slave.cfg" <<-END
		role = "slave"; state-dir = "$T/slave"; host = "a0";
		http = { host = "127.0.0.1"; port = $H; };
		modules = ( "mesos-agent" );
		mesos-agent = { url = "$1"; interval = 0.5; $2 };
		streams = ( "index" );
	END
	start slave --modules "$BUILD/modules" --config "$T/slave.cfg"
	until_true 10 listens "$H"
}

# settings VECTOR: those that mesos_exporter's flags were.
settings() {
	sed -n 's/^flags: //p' "$VECTORS/$1/input.txt" | awk '{
		for (i = 1; i < NF; i++) {
			name = $i == "-exportedTaskLabels" ? "task-labels" : $i == "-exportedSlaveAttributes" ? "attributes" : ""
			list = $(i + 1); gsub(/,/, "\", \"", list)
			if (name != "") printf "%s = ( \"%s\" ); ", name, list
		} }'
}

@test "families, labels and values are those of mesos_exporter on an agent" {
	[ -d "$VECTORS" ] || skip "no $VECTORS: nothing to compare with"
	local v n=0
	for v in $(vectors a); do
		mapfile -t served < <(inputs "$v")
		canned "${served[@]}"
		slave "$M" "$(settings "$v")"
		until_true 10 shows mesos_slave_registered "$(get "$M/metrics/snapshot" | jq '."slave/registered"')"
		until_true 10 has mesos_slave_task_labels
		metrics >"$T/ours"
		python3 test/clients/exporter.py "$T/ours" "$VECTORS/$v"
		common_teardown
		common_setup
		n=$((n + 1))
	done
	[ $n -ge 5 ]
}

@test "what a Mesos agent says is events and figures, and gone when it is" {
	simulate --masters 1 --agents 2 --tasks 6 --agent-ports 1
	slave "$(address agent "$(awk '$1 == "agent" { print $2 }' "$T/ports")")" ""
	indexed() { get -G "$U/index" --data-urlencode "query=$1"; }
	is() { indexed "service = '$1'" | jq -e "any(.[]; $2)" >/dev/null 2>&1; }
	until_true 5 is mesos/slave/registered '.metric == 1 and .host == "a0" and .ttl == 1.5'
	until_true 5 is mesos/slave/system/cpus_total '.metric > 0'
	indexed "service =~ 'mesos/slave/containers/%/mem_rss_bytes'" |
		jq -e 'length > 0 and all(.[]; .metric > 0 and .executor != null and .framework != null)'
	shows mesos_slave_registered 1
	has 'satellite_mesos_snapshot{from="agent",key="system/cpus_total"}'
	has mesos_agent_mem_rss_bytes
	has mesos_slave_task_labels
	has process_resident_memory_bytes
	order "agent/$(awk '$1 == "agent" { print $2 }' "$T/ports")/mode" 503
	until_true 5 lacks mesos_slave_registered
	until_true 5 lacks mesos_agent_mem_rss_bytes
	until_true 5 lacks mesos_slave_task_labels
	heard slave "answers 503"
	order "agent/$(awk '$1 == "agent" { print $2 }' "$T/ports")/mode" ok
	until_true 5 shows mesos_slave_registered 1
	metrics >"$T/all"
	awk '/^# / { ours = $3 !~ /^mesos_/ } !/^# / { ours = !/^mesos_/ } ours' "$T/all" >"$T/ours"
	run promtool check metrics <"$T/ours"
	echo "$output"
	[ "$status" = 0 ] && [ -z "$output" ]
	stops "$PID"
}

@test "containers of two frameworks that call their executors the same are told apart, to the byte" {
	cat >"$T/statistics" <<-END
		[ { "executor_id": "0", "framework_id": "F1", "source": "s", "statistics": { "mem_rss_bytes": 9007199254740993 } },
		  { "executor_id": "0", "framework_id": "F2", "source": "s", "statistics": { "mem_rss_bytes": 2, "cpus_limit": 1.5 } },
		  { "executor_id": "", "container_id": "c3", "statistics": { "mem_limit_bytes": 9223372036854771712 } } ]
	END
	echo '{ "slave/registered": 1.0, "slave/big": 9007199254740993, "slave/huge": 1e300 }' >"$T/snapshot"
	canned "/monitor/statistics=$T/statistics" "/metrics/snapshot=$T/snapshot"
	mkdir -p "$T/slave/mesos-agent.told"	# where a file is to be
	slave "$M" ""
	heard slave "mesos-agent.told: Is a directory: what ends while"
	until_true 5 shows mesos_slave_registered 1
	told() { get -G "$U/index" --data-urlencode "query=service = 'mesos/slave/$1'" | tr -d ' ' | grep -qF "\"metric\":$2,"; }
	until_true 5 told containers/F1/0/mem_rss_bytes 9007199254740993
	told containers/F2/0/mem_rss_bytes 2
	told containers/F2/0/cpus_limit 1.5
	told containers/c3/mem_limit_bytes 9223372036854771712
	told big 9007199254740993
	told registered 1
	told huge 1e300 || told huge 1e+300
	shows 'mesos_agent_mem_rss_bytes{id="0",framework_id="F2",source="s"}' 2
	shows 'mesos_agent_mem_limit_bytes{id="c3",framework_id="",source=""}' 9.223372036854772e+18
}

@test "what an agent says no more is retired at the masters, and no host turned off for it" {
	local up=$(free_port) m=$(free_port)
	echo '[ { "executor_id": "e", "framework_id": "f", "statistics": { "threads": 1, "processes": 2 } } ]' >"$T/statistics"
	echo '{ "slave/registered": 1.0, "slave/p99": 3 }' >"$T/snapshot"
	canned "/monitor/statistics=$T/statistics" "/metrics/snapshot=$T/snapshot"
	mkdir -p "$T/state"
	printf 'a0\nb1\nb2\n' >"$T/whitelist"
	cat >"$T/master.cfg" <<-END
		role = "master"; state-dir = "$T/state"; leader = "always"; index = { reap = 0.2; };
		http = { host = "127.0.0.1"; port = $m; }; modules = ( "riemann", "whitelist" );
		riemann = { port = $up; }; whitelist = { path = "$T/whitelist"; guard = { mode = "off"; }; };
		streams = ( "index", { where = "service =~ 'mesos/slave/%' and state = 'expired'"; do = ( { print = "gone"; },
			{ where = "not tagged 'retired'"; do = ( "off-host" ); } ); } );
	END
	start master --modules "$BUILD/modules" --config "$T/master.cfg"
	until_true 10 listens "$up"
	slave "$M" ''
	sed -i 's/"mesos-agent" )/"mesos-agent", "forward" )/; /^streams/d' "$T/slave.cfg"
	echo "forward = { masters = ( \"127.0.0.1:$up\" ); };" >>"$T/slave.cfg"
	kill -HUP "$PID"
	services() { get -G "http://127.0.0.1:$m/index" --data-urlencode "query=service =~ 'mesos/slave/%'" | jq -r '.[].service' | sort | tr '\n' ' '; }
	are() { [ "$(services)" = "$1" ]; }
	until_true 5 are 'mesos/slave/containers/f/e/processes mesos/slave/containers/f/e/threads mesos/slave/p99 mesos/slave/registered '
	echo '[ { "executor_id": "e", "framework_id": "f", "statistics": { "threads": 1 } } ]' >"$T/statistics"
	echo '{ "slave/registered": 1.0 }' >"$T/snapshot"
	until_true 5 are 'mesos/slave/containers/f/e/threads mesos/slave/registered '
	echo '<html>' >"$T/statistics"
	until_true 5 are 'mesos/slave/registered '
	echo '[ { "executor_id": "e", "framework_id": "f", "statistics": { "threads": 1 } } ]' >"$T/statistics"
	until_true 5 are 'mesos/slave/containers/f/e/threads mesos/slave/registered '
	grep 'gone: ' "$T/master.out" >"$T/gone"
	[ "$(wc -l <"$T/gone")" -ge 3 ]
	[ "$(grep -vc '"tags":\["retired"\]' "$T/gone")" = 0 ]
	[ "$(cat "$T/whitelist")" = "$(printf 'a0\nb1\nb2')" ]
	# Killed, and what ended meanwhile is retired when it comes back, however late.
	until_true 5 grep -qx '1 mesos/slave/containers/f/e/threads' "$T/slave/mesos-agent.told"
	retired() { grep 'gone: ' "$T/master.out" | grep 'containers/f/e/threads' | grep -cF '"tags":["retired"]'; }
	more_retired() { [ "$(retired)" -gt "$1" ]; }
	n=$(retired)
	kill -KILL "$PID"
	wait "$PID" || true
	echo '[]' >"$T/statistics"
	start slave --modules "$BUILD/modules" --config "$T/slave.cfg"
	until_true 5 more_retired "$n"
	until_true 5 are 'mesos/slave/registered '
	forgotten() { ! grep -q containers "$T/slave/mesos-agent.told"; }
	until_true 5 forgotten
	stops "$PID"
	until_true 5 are ''
	# In a process of its own it says so as well.
	sed -i 's/interval = 0.5;/& isolate = true;/' "$T/slave.cfg"
	n=$(grep 'mesos/slave/registered' "$T/master.out" | grep -cF '"tags":["retired"]')
	start slave --modules "$BUILD/modules" --config "$T/slave.cfg"
	until_true 10 are 'mesos/slave/registered '
	stops "$PID"
	until_true 5 are ''
	[ "$(grep 'mesos/slave/registered' "$T/master.out" | grep -cF '"tags":["retired"]')" -gt "$n" ]
}

@test "rules and dashboard are good, and of figures that there are" {
	promtool check rules "$ROOT/etc/prometheus-rules.yml"
	promtool test rules "$ROOT/test/data/prometheus-rules.yml"
	jq -e '.title == "Satellite" and ([.panels[].id] | length == (unique | length))' "$ROOT/etc/grafana-dashboard.json"
	{
		sed -n '/expr:/,/^ *\(for\|labels\):/p' "$ROOT/etc/prometheus-rules.yml"
		jq -r '.panels[].targets[]?.expr' "$ROOT/etc/grafana-dashboard.json"
	} | grep -oE '\b(satellite|mesos|process)_[a-z0-9_]+' | sort -u >"$T/used"
	[ "$(wc -l <"$T/used")" -gt 40 ]
	simulate --masters 1 --agents 3 --tasks 20 --agent-ports 1
	master "$(address master 0)" 'whitelist = { path = "'"$T"'/whitelist"; };'
	sed -i 's/"mesos-master" )/"mesos-master", "riemann", "whitelist" )/' "$T/master.cfg"
	local riemann
	riemann=$(free_port)
	echo "riemann = { port = $riemann; };" >>"$T/master.cfg"
	kill -HUP "$PID"
	until_true 5 shows satellite_whitelist_hosts 3
	until_true 5 listens "$riemann"
	printf '\0\0\0\5\x32\3\x1a\1x' >"/dev/tcp/127.0.0.1/$riemann"	# an event, whose time in the streams is measured
	until_true 5 has satellite_process_stream_time_seconds
	until_true 5 has satellite_mesos_master_snapshot_last_success_timestamp_seconds
	metrics >"$T/all"
	slave "$(address agent "$(awk '$1 == "agent" { print $2 }' "$T/ports")")" ""
	sed -i 's/"mesos-agent" )/"mesos-agent", "checks", "forward" )/' "$T/slave.cfg"
	echo 'forward = { masters = ( "127.0.0.1:1" ); }; checks = ( { check = "load-average"; interval = 0.2; } );' >>"$T/slave.cfg"
	kill -HUP "$PID"
	until_true 5 has satellite_check_seconds
	until_true 5 has mesos_agent_mem_rss_bytes
	until_true 5 has satellite_mesos_agent_snapshot_last_success_timestamp_seconds
	metrics >>"$T/all"
	run comm -23 "$T/used" <(sed -nE 's/^([a-z0-9_]+).*/\1/p' "$T/all" | sort -u)
	echo "no such figure: $output"
	[ -z "$output" ]
}
