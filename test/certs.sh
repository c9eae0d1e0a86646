#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# certs.sh - make the certificates and keys that tests of TLS use, good and bad ones: certs.sh FOLDER.
set -eu
mkdir -p "$1/signed"
cd "$1"
umask 077
exec 3>&2 >certs.log 2>&1
trap '[ $? = 0 ] || cat certs.log >&3' EXIT
cat >ca.cnf <<-END
	[ ca ]
	default_ca = test
	[ test ]
	database = index.txt
	new_certs_dir = signed
	default_md = sha256
	policy = any
	rand_serial = yes
	unique_subject = no
	[ any ]
	commonName = supplied
	[ req ]
	distinguished_name = none
	[ none ]
END
: >index.txt
export OPENSSL_CONF=ca.cnf

# authority NAME: one that signs itself.
authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1" \
		-addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign -keyout "$1.key" -out "$1.crt"
}

# certificate NAME AUTHORITY SUBJECT-ALT-NAMES [END]: by default good for 30 days.
certificate() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr"
	printf 'subjectAltName=%s\n' "$3" >"$1.ext"
	openssl ca -batch -notext -in "$1.csr" -cert "$2.crt" -keyfile "$2.key" -extfile "$1.ext" -out "$1.crt" \
		-startdate 20200101000000Z -enddate "$(date -u -d "${4:-30 days}" +%Y%m%d%H%M%SZ)"
	rm "$1.csr" "$1.ext"
}

HERE=DNS:localhost,IP:127.0.0.1,IP:::1
authority ca
authority other
certificate server ca $HERE
certificate client ca DNS:agent17
certificate elsewhere ca DNS:elsewhere.example
certificate stranger other $HERE
certificate soon ca $HERE '3 days'
certificate expired ca $HERE '2 days ago'
openssl ec -in server.key -aes128 -passout pass:secret -out locked.key
cp server.key open.key
chmod 644 open.key
