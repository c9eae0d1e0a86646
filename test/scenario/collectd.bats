#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# collectd - a minute of this machine's own metrics by write_riemann, over TCP and over UDP at once.
# takes: 60 s

load common

setup() {
	common_setup
	HTTP=$(free_port)
	PORT=$(free_port)
}
teardown() { common_teardown; }

configure() {
	cat >"$T/master.cfg" <<-END
		role = "master";
		state-dir = "$T/state";
		http = { port = $HTTP; };
		modules = ( "riemann" );
		riemann = { port = $PORT; };
		streams = ( "index" );
	END
	mkdir -p "$T/state"
	cat >"$T/collectd.conf" <<-END
		Hostname "collectd.example"
		FQDNLookup false
		BaseDir "$T"
		PIDFile "$T/collectd.pid"
		PluginDir "/usr/lib/collectd"
		TypesDB "/usr/share/collectd/types.db"
		Interval 2
		LoadPlugin cpu
		LoadPlugin load
		LoadPlugin memory
		LoadPlugin uptime
		LoadPlugin interface
		LoadPlugin processes
		LoadPlugin contextswitch
		LoadPlugin df
		LoadPlugin write_riemann
		<Plugin write_riemann>
		  <Node "tcp">
		    Host "127.0.0.1"
		    Port "$PORT"
		    Protocol TCP
		    BatchFlushTimeout 1
		    TTLFactor 30.0
		    EventServicePrefix "tcp/"
		  </Node>
		  <Node "udp">
		    Host "127.0.0.1"
		    Port "$PORT"
		    Protocol UDP
		    StoreRates false
		    TTLFactor 30.0
		    EventServicePrefix "udp/"
		  </Node>
		  Tag "collectd"
		  Attribute "rack" "r7"
		</Plugin>
	END
}

found() { get -G "http://127.0.0.1:$HTTP/index" --data-urlencode "query=$1"; }
counter() { get "http://127.0.0.1:$HTTP/status" | jq -r ".instances[] | select(.name == \"riemann\").counters[\"$1\"]"; }
services() { found "host = \"collectd.example\" and service =~ \"$1/%\"" | jq -r '.[].service' | sed "s|^$1/||" | sort; }

@test "a minute of real metrics: all of them, by both ways, none refused, none dropped" {
	configure
	cc -shared -fPIC -o "$T/mended.so" "$ROOT/test/clients/collectd.c" -lriemann-client
	start master --config "$T/master.cfg"
	MASTER=$PID
	until_true 10 listens "$HTTP"
	until_true 10 listens "$PORT"
	PATH=$PATH:/usr/sbin LD_PRELOAD=$T/mended.so collectd -f -C "$T/collectd.conf" >"$T/collectd.log" 2>&1 3>&- &
	COLLECTD=$!
	PIDS+=("$COLLECTD")
	sleep 60		# it is the minute that is the test
	runs "$COLLECTD"
	services tcp >"$T/tcp"
	services udp >"$T/udp"
	[ "$(wc -l <"$T/tcp")" -gt 25 ]
	diff "$T/tcp" "$T/udp"
	for s in load/load/shortterm memory/memory-free uptime/uptime cpu-0/cpu-idle interface-lo/if_octets/rx contextswitch/contextswitch; do
		grep -qx "$s" "$T/tcp"
	done
	# What it says of itself came along: rates are doubles, raw counters are integers.
	[ "$(found 'service = "tcp/cpu-0/cpu-idle"' | jq -c '.[0] | [.host, .tags, .ttl, .plugin, .plugin_instance, .type, .type_instance, .ds_type, .rack]')" = \
		'["collectd.example",["collectd"],60,"cpu","0","cpu","idle","derive:rate","r7"]' ]
	[ "$(found 'service = "udp/cpu-0/cpu-idle"' | jq -r '.[0].ds_type')" = derive ]
	found 'service = "tcp/contextswitch/contextswitch"' | jq -r '.[0] | "\(.metric)"' | grep -F .
	found 'service = "udp/contextswitch/contextswitch"' | grep -E '"metric": ?[0-9]+,'
	[ "$(found 'service = "udp/uptime/uptime" and metric > 0 and rack = "r7" and tagged "collectd"' | jq length)" = 1 ]
	# They are of now, not of the first reading.
	[ "$(found 'host = "collectd.example"' | jq --argjson now "$(date +%s)" \
		'map(select($now - (.time | sub("\\.[0-9]+Z$"; "Z") | fromdate) > 15)) | length')" = 0 ]
	[ "$(counter accepted)" = 1 ]
	[ "$(counter messages)" -gt 20 ]
	[ "$(counter datagrams)" -gt 500 ]
	for c in malformed too-large refused timed-out datagrams-dropped; do
		[ "$(counter "$c")" = 0 ]
	done
	kill -KILL "$COLLECTD"		# at SIGTERM this version waits for itself for ever
	stops "$MASTER"
}
