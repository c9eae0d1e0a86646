# SPDX-License-Identifier: Apache-2.0
# observe.bash - satellites beside masters of a simulated Mesos, and what they tell; after simulate.bash.

requests() { get "$C/sim/requests" | jq ".masters[0].paths[\"$1\"].count // 0"; }

# watch_mesos NAME N SETTINGS: a satellite master beside simulated master N; its URL goes to U_NAME.
# LEADER, INTERVAL, LEADER_INTERVAL, SUBSCRIBE and STREAMS are its settings, too; with MORE, the whitelist's, it has one.
watch_mesos() {
	local port streams=${STREAMS:-'"index"'} modules='"mesos-master"'
	[ -z "${MORE:-}" ] || modules+=', "whitelist"'
	port=$(free_port)
	mkdir -p "$T/$1"
	cat >"$T/$1.cfg" <<-END
		role = "master"; state-dir = "$T/$1"; leader = "${LEADER:-mesos}";
		http = { host = "127.0.0.1"; port = $port; };
		modules = ( $modules );
		${MORE:-}
		mesos-master = { url = "$(address master "$2")"; host = "$1"; interval = ${INTERVAL:-0.5}; leader-interval = ${LEADER_INTERVAL:-0.25}; subscribe = ${SUBSCRIBE:-false}; $3 };
		streams = ( $streams );
	END
	printf -v "U_$1" '%s' "http://127.0.0.1:$port"
	start "$1" --modules "$BUILD/modules" --config "$T/$1.cfg"
	until_true 10 listens "$port"
}

# indexed NAME QUERY: the events of its index.
indexed() {
	local url="U_$1"
	get -G "${!url}/index" --data-urlencode "query=$2"
}
# is NAME SERVICE EXPRESSION: jq says true of that event.
is() { indexed "$1" "service = '$2'" | jq -e "any(.[]; $3)" >/dev/null 2>&1; }
leads() { is "$1" mesos/leader ".metric == 1 and .state == \"ok\""; }
# follows NAME [TEXT]: and its description has this.
follows() { is "$1" mesos/leader ".metric == 0 and .state == \"ok\" and (.description // \"\" | contains(\"${2:-}\"))"; }
critical() { is "$1" "mesos/endpoint/$2" ".state == \"critical\" and (.description | contains(\"$3\"))"; }
well() { is "$1" "mesos/endpoint/$2" '.state == "ok"'; }
launch() { curl -sSf -X POST "$C/sim/task/add?host=$1&framework=0" | jq -r .id; }
# hwm: the most memory that process $pid had, in kB.
hwm() { awk '/^VmHWM/ { print $2 }' "/proc/$pid/status"; }
