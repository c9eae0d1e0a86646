#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# https.bats - a Mesos behind HTTPS: asked with our certificate, and not believed with a wrong one.

load common

setup_file() { "$BATS_TEST_DIRNAME/../certs.sh" "$BATS_FILE_TMPDIR/certs"; }
setup() {
	common_setup
	CERTS=$BATS_FILE_TMPDIR/certs
	TLS=$(free_port)
	HTTP=$(free_port)
	NGINX=$(PATH=$PATH:/usr/sbin command -v nginx)
	rm -f "$T/ports"
	"$SIM" --port 0 --ports-file "$T/ports" --masters 1 --agents 1 --agent-ports 1 --tasks 6 >/dev/null 2>>"$T/sim.log" 3>&- &
	PIDS+=("$!")
	until_true 10 test -f "$T/ports"
}
teardown() { common_teardown; }

# front CERT WHAT: HTTPS with that certificate before the simulated master or agent; it asks for one of ours.
front() {
	cat >"$T/nginx.conf" <<-END
		daemon off; master_process off; pid $T/nginx.pid; error_log $T/nginx.log;
		events { worker_connections 64; }
		http {
			access_log off;
			client_body_temp_path $T/b; proxy_temp_path $T/p; fastcgi_temp_path $T/f; uwsgi_temp_path $T/u; scgi_temp_path $T/s;
			server {
				listen 127.0.0.1:$TLS ssl;
				ssl_certificate $CERTS/$1.crt; ssl_certificate_key $CERTS/$1.key;
				ssl_client_certificate $CERTS/ca.crt; ssl_verify_client on;
				location / { proxy_buffering off; proxy_http_version 1.1; proxy_pass http://$(awk -v what="$2" '$1 == what { print $3; exit }' "$T/ports"); }
			}
		}
	END
	"$NGINX" -c "$T/nginx.conf" 2>>"$T/nginx.log" 3>&- &
	PIDS+=("$!")
	FRONT=$!
	until_true 10 listens "$TLS"
}

# ask ROLE GROUP HOST SETTINGS: a satellite of that role, whose GROUP asks https://HOST.
ask() {
	cat >"$T/$1.cfg" <<-END
		role = "$1"; state-dir = "$T/$1"; host = "here";
		http = { port = $HTTP; };
		modules = ( $([ "$1" = slave ] && echo '"checks"' || echo "\"$2\"") );
		$2 = { url = "https://$3:$TLS"; timeout = 2; $4 };
		$([ "$1" = slave ] && echo 'checks = ( { check = "total-tasks-failed"; interval = 0.5; } );')
		streams = ( "index" );
	END
	start "$1" --config "$T/$1.cfg"
	until_true 10 listens "$HTTP"
}
is() { get -G "http://127.0.0.1:$HTTP/index" --data-urlencode "query=service = '$1'" | jq -e "any(.[]; $2)" >/dev/null 2>&1; }
# says SERVICE WORDS: its event is not ok, with these words.
says() { is "$1" ".state != \"ok\" and (.description | contains(\"$2\"))"; }
tell() { get -G "http://127.0.0.1:$HTTP/index" --data-urlencode 'query=not state = "ok"' | jq -r '.[] | .service + ": " + .state + ": " + .description'; }
shows() { until_true 8 "$@" || { tell; return 1; }; }
OURS() { echo "ca = \"$CERTS/ca.crt\"; cert = \"$CERTS/client.crt\"; key = \"$CERTS/client.key\";"; }

@test "an agent is asked over HTTPS, with a certificate of ours" {
	front server agent
	ask slave mesos-agent localhost "$(OURS)"
	shows is mesos/slave/total-tasks-failed '.state == "ok" and .metric >= 0'
	# It vanishes, and comes back with a certificate that is somebody else's.
	kill "$FRONT"
	shows says mesos/slave/total-tasks-failed "https://localhost:$TLS"
	front elsewhere agent
	shows says mesos/slave/total-tasks-failed "no alternative certificate subject name matches target host name 'localhost'"
	kill "$FRONT"
	until_true 5 gone "$FRONT"
	front expired agent
	shows says mesos/slave/total-tasks-failed 'certificate has expired'
	kill "$FRONT"
	until_true 5 gone "$FRONT"
	front server agent
	shows is mesos/slave/total-tasks-failed '.state == "ok"'
	stops "$PID"
}

@test "an agent that another authority speaks for is not believed" {
	front server agent
	ask slave mesos-agent localhost "ca = \"$CERTS/other.crt\";"
	shows says mesos/slave/total-tasks-failed 'unable to get local issuer certificate'
	stops "$PID"
	ask slave mesos-agent localhost "ca = \"$CERTS/none.crt\";"
	shows says mesos/slave/total-tasks-failed "$CERTS/none.crt"
	stops "$PID"
}

@test "an agent that asks for a certificate does not answer without" {
	front server agent
	ask slave mesos-agent localhost "ca = \"$CERTS/ca.crt\";"
	shows says mesos/slave/total-tasks-failed 'answers 400'
	stops "$PID"
	ask slave mesos-agent localhost "ca = \"$CERTS/ca.crt\"; cert = \"$CERTS/client.crt\"; key = \"$CERTS/server.key\";"
	shows says mesos/slave/total-tasks-failed "$CERTS/server.key"
	stops "$PID"
}

@test "a master is observed over HTTPS, and not where its certificate is for another name" {
	front server master
	ask master mesos-master localhost "$(OURS)"
	shows is mesos/leader '.metric == 1 and .state == "ok"'
	shows is mesos/agents/registered '.metric == 1'
	stops "$PID"
	kill "$FRONT"
	until_true 5 gone "$FRONT"
	front elsewhere master
	ask master mesos-master localhost "$(OURS)"
	shows is mesos/endpoint/snapshot '.state == "critical" and (.description | contains("certificate subject name"))'
	stops "$PID"
}
