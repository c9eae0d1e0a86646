# SPDX-License-Identifier: Apache-2.0
# zookeeper.bash - real ZooKeeper servers on free ports, and a client of its own. After common.bash.

# zk_make N: an ensemble of N, not running yet; ZK is what clients connect to.
zk_make() {
	local i servers="" n=$1
	ZK_PORTS=() ZK_PIDS=() ZK=
	for ((i = 1; i <= n; i++)); do
		ZK_PORTS[i]=$(free_port)
		ZK+=${ZK:+,}127.0.0.1:${ZK_PORTS[i]}
		servers+="server.$i=127.0.0.1:$(free_port):$(free_port)"$'\n'
	done
	[ "$n" -gt 1 ] || servers=
	for ((i = 1; i <= n; i++)); do
		mkdir -p "$T/zk$i/data"
		echo "$i" >"$T/zk$i/data/myid"
		cat >"$T/zk$i/zoo.cfg" <<-END
		dataDir=$T/zk$i/data
		clientPort=${ZK_PORTS[i]}
		clientPortAddress=127.0.0.1
		tickTime=500
		initLimit=20
		syncLimit=10
		maxClientCnxns=0
		admin.enableServer=false
		4lw.commands.whitelist=*
		$servers
		END
		cat >"$T/zk$i/log4j.properties" <<-END
		log4j.rootLogger=WARN, CONSOLE
		log4j.appender.CONSOLE=org.apache.log4j.ConsoleAppender
		log4j.appender.CONSOLE.layout=org.apache.log4j.SimpleLayout
		END
	done
}

# zk_start [I]: one server, or all.
zk_start() {
	local i
	for i in ${1:-${!ZK_PORTS[@]}}; do
		# A power cut is not what the tests are about: no fsync, whose seconds on a busy disk end sessions.
		java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
			-Dzookeeper.forceSync=no -Dzookeeper.preAllocSize=4096 \
			-cp "$T/zk$i:/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-nop.jar" \
			org.apache.zookeeper.server.quorum.QuorumPeerMain "$T/zk$i/zoo.cfg" >>"$T/zk$i.log" 2>&1 3>&- &
		ZK_PIDS[i]=$!
		PIDS+=("$!")
	done
}

zk_word() { printf '%s' "$2" | socat -t 2 - "TCP:127.0.0.1:${ZK_PORTS[$1]},connect-timeout=2" 2>/dev/null; }
zk_serves() { zk_word "$1" srvr | grep -q '^Mode:'; }
zk_up() {
	local i
	for i in ${1:-${!ZK_PORTS[@]}}; do
		until_true 40 zk_serves "$i"
	done
}

# zk_stop I: at once, as if its power failed.
zk_stop() {
	kill -KILL "${ZK_PIDS[$1]}"
	wait "${ZK_PIDS[$1]}" 2>/dev/null || true
}

# zk 'PYTHON': run with `zk`, a connected client that knows nothing of Satellite.
zk() {
	{
		cat <<-END
		import sys, json, time, logging
		logging.disable(logging.CRITICAL)
		from kazoo.client import KazooClient
		from kazoo.exceptions import *
		zk = KazooClient(hosts="$ZK", timeout=10)
		zk.start(timeout=20)
		END
		printf '%s\n' "${1//$'\t'/}" 'zk.stop()'
	} | /usr/bin/python3 -
}
