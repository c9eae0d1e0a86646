/* SPDX-License-Identifier: Apache-2.0 */
/* tls - the settings of the door for TLS, and its two buffers: what came, and what is to go. */
#include <errno.h>
#include <stdlib.h>

#include "door.h"

const struct sat_option *const tls_options[] = {
	SAT_OPTION("host", SAT_STRING, .help = "address to listen on; default: that of TCP"),
	SAT_OPTION("port", SAT_INTEGER, .fallback = "5554", .min = 1, .max = 65535, .help = "TCP port"),
	SAT_OPTION("cert", SAT_STRING, .required = true, .help = "PEM file: our certificate, then those up to its CA"),
	SAT_OPTION("key", SAT_STRING, .required = true, .help = "PEM file: its key, without a passphrase"),
	SAT_OPTION("ca", SAT_STRING, .help = "PEM file: who may sign the certificates of clients"),
	SAT_OPTION("verify", SAT_BOOLEAN, .fallback = "true", .help = "clients need a certificate"),
	SAT_OPTION("handshake-timeout", SAT_SECONDS, .fallback = "10", .min = 0.1, .max = 600,
		   .help = "close a connection that is not secure by then"),
	NULL
};

int tls_create(struct sat_self *self, const struct sat_conf *conf, struct tls **out)
{
	const struct sat_conf *group = sat_conf_get(conf, "tls");
	struct tls *t;

	if (group == NULL)
		return 0;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return -ENOMEM;
	t->keys = sat_tls_new(self, group, true);
	if (t->keys == NULL) {
		free(t);
		return -EINVAL;
	}
	t->host = sat_conf_string(sat_conf_has(group, "host") ? group : conf, "host");
	t->port = (int)sat_conf_integer(group, "port");
	t->verify = sat_conf_boolean(group, "verify");
	t->handshake_ms = (uint64_t)(sat_conf_time(group, "handshake-timeout") / SAT_MS);
	*out = t;
	return 0;
}

void tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	sat_tls_free(t->keys);
	sat_buf_free(&t->out);
	free(t);
}
