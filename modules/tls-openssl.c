/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls-openssl - TLS by OpenSSL, on bytes in memory.
 *
 * A connection is an SSL whose BIO reads what decrypt() was given and appends to
 * `out`: nothing here touches a socket, waits, or keeps more than the record that
 * is not whole yet.  Sessions are not resumed, so that what a client may do is
 * judged anew each time, and a connection keeps nothing that it does not need.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <satellite/module.h>

#define FILE_MAX	((size_t)4 << 20)
#define CHAIN_MAX	10		/* certificates */
#define SOON		(14 * 24 * 3600)	/* then an end is said beforehand */

struct conn {
	struct sat_tls_conn base;	/* first */
	SSL *ssl;
	const char *in;			/* while a call runs */
	size_t n_in;
	struct sat_buf *out;
	bool ready, broken;
};

static BIO_METHOD *method;
static char reason[320];		/* of the connection that broke last */
static char refused[160];		/* the certificate that was refused last, and why */

/* ---- Bytes in memory as a BIO ------------------------------------------- */

static int bio_write(BIO *bio, const char *p, int n)
{
	struct conn *c = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (c->out == NULL || n < 0)
		return -1;
	sat_buf_add(c->out, p, (size_t)n);
	return c->out->full ? -1 : n;
}

static int bio_read(BIO *bio, char *p, int n)
{
	struct conn *c = BIO_get_data(bio);
	size_t most = n > 0 ? (size_t)n : 0;

	BIO_clear_retry_flags(bio);
	if (c->n_in == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	most = most < c->n_in ? most : c->n_in;
	memcpy(p, c->in, most);
	c->in += most;
	c->n_in -= most;
	return (int)most;
}

static long bio_ctrl(BIO *bio, int what, long n, void *p)
{
	(void)bio;
	(void)n;
	(void)p;
	return what == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

static BIO_METHOD *bio_method(void)
{
	BIO_METHOD *m = method;

	if (m != NULL)
		return m;
	m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "memory");
	if (m == NULL || BIO_meth_set_write(m, bio_write) != 1 || BIO_meth_set_read(m, bio_read) != 1 ||
	    BIO_meth_set_ctrl(m, bio_ctrl) != 1 || BIO_meth_set_create(m, bio_create) != 1) {
		BIO_meth_free(m);
		return NULL;
	}
	method = m;
	return m;
}

/* ---- Certificates ------------------------------------------------------- */

/* What OpenSSL says of its first mistake; forgets them all. */
static const char *mistake(void)
{
	const char *words = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	return words != NULL ? words : "no reason given";
}

static int say(char *why, size_t room, int rc, const char *fmt, ...) SAT_PRINTF(4);
static int say(char *why, size_t room, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, room, fmt, ap);
	va_end(ap);
	return rc;
}

/* Nobody is there to type it. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

/* A file as a BIO over *text, which is to be freed after it.  NULL: *rc, said. */
static BIO *open_file(const char *path, char **text, size_t *len, char *why, size_t room, int *rc)
{
	BIO *bio;

	*rc = sat_file_read(path, FILE_MAX, text, len);
	if (*rc != 0) {
		say(why, room, *rc, "%s: %s", path, *rc == -EINVAL ? "is no file" : strerror(-*rc));
		return NULL;
	}
	bio = BIO_new_mem_buf(*text, (int)*len);
	if (bio == NULL) {
		*rc = say(why, room, -ENOMEM, "%s: %s", path, strerror(ENOMEM));
		free(*text);
	}
	return bio;
}

/* Whoever checks it will refuse it, so that is said before others do. */
static void look_at_dates(struct sat_self *user, const char *path, const X509 *cert)
{
	time_t now = time(NULL), soon = now + SOON;
	const ASN1_TIME *end = X509_get0_notAfter(cert);
	struct tm tm = { 0 };
	char date[40] = "";

	if (ASN1_TIME_to_tm(end, &tm) == 1)
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", &tm);
	if (X509_cmp_time(X509_get0_notBefore(cert), &now) > 0)
		sat_log(user, LOG_WARNING, "%s: is not valid yet: look at the clock, or at the file", path);
	else if (X509_cmp_time(end, &now) < 0)
		sat_log(user, LOG_WARNING, "%s: expired on %s: who checks it will refuse it", path, date);
	else if (X509_cmp_time(end, &soon) < 0)
		sat_log(user, LOG_WARNING, "%s: expires on %s: renew it, then reload", path, date);
}

/* Our certificate first, then those between it and its CA. */
static int use_chain(SSL_CTX *ctx, BIO *bio, struct sat_self *user, const char *path)
{
	X509 *cert = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL);
	bool good = cert != NULL && SSL_CTX_use_certificate(ctx, cert) == 1;

	if (good)
		look_at_dates(user, path, cert);
	X509_free(cert);
	while (good && (cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
		good = SSL_CTX_add0_chain_cert(ctx, cert) == 1;
		if (!good)
			X509_free(cert);
	}
	if (good && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
		ERR_clear_error();	/* the end of the file */
	return good && ERR_peek_error() == 0 ? 0 : -EINVAL;
}

static int load_cert(SSL_CTX *ctx, const char *path, struct sat_self *user, char *why, size_t room)
{
	char *text = NULL;
	size_t len = 0;
	int rc;
	BIO *bio = open_file(path, &text, &len, why, room, &rc);

	if (bio == NULL)
		return rc;
	rc = use_chain(ctx, bio, user, path);
	if (rc != 0)
		say(why, room, rc, "%s: no certificate in PEM that can be used (%s)", path, mistake());
	BIO_free(bio);
	free(text);
	return rc;
}

static int use_key(SSL_CTX *ctx, BIO *bio, const struct sat_tls_files *f, char *why, size_t room)
{
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	int last = ERR_GET_REASON(ERR_peek_last_error()), rc = 0;

	if (key == NULL && (last == PEM_R_BAD_PASSWORD_READ || last == PEM_R_PROBLEMS_GETTING_PASSWORD))
		rc = say(why, room, -EINVAL, "%s: asks for a passphrase, which nobody can give here", f->key);
	else if (key == NULL)
		rc = say(why, room, -EINVAL, "%s: no private key in PEM (%s)", f->key, mistake());
	else if (SSL_CTX_use_PrivateKey(ctx, key) != 1 || SSL_CTX_check_private_key(ctx) != 1)
		rc = say(why, room, -EINVAL, "%s: is not the key of %s (%s)", f->key, f->cert, mistake());
	ERR_clear_error();
	EVP_PKEY_free(key);
	return rc;
}

static int load_key(SSL_CTX *ctx, const struct sat_tls_files *f, char *why, size_t room)
{
	char *text = NULL;
	struct stat st;
	size_t len = 0;
	int rc;
	BIO *bio;

	if (stat(f->key, &st) == 0 && (st.st_mode & (S_IROTH | S_IWOTH)) != 0)
		return say(why, room, -EPERM, "%s: everyone may read or write it; chmod o= %s", f->key, f->key);
	bio = open_file(f->key, &text, &len, why, room, &rc);
	if (bio == NULL)
		return rc;
	rc = use_key(ctx, bio, f, why, room);
	BIO_free(bio);
	OPENSSL_cleanse(text, len);
	free(text);
	return rc;
}

/* Whom we believe; a server says the names to its clients, too. */
static int use_cas(SSL_CTX *ctx, BIO *bio, bool server)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	unsigned n = 0;
	bool good = true;
	X509 *cert;

	while (good && (cert = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL)) != NULL) {
		good = X509_STORE_add_cert(store, cert) == 1 &&
		       (!server || SSL_CTX_add_client_CA(ctx, cert) == 1);
		X509_free(cert);
		n++;
	}
	if (good && n > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
		ERR_clear_error();
	return good && ERR_peek_error() == 0 ? 0 : -EINVAL;
}

static int load_ca(SSL_CTX *ctx, const struct sat_tls_files *f, char *why, size_t room)
{
	char *text = NULL;
	size_t len = 0;
	int rc;
	BIO *bio;

	if (f->ca == NULL) {
		if (!f->server && f->verify && SSL_CTX_set_default_verify_paths(ctx) != 1)
			return say(why, room, -EIO, "the system's CAs cannot be read (%s)", mistake());
		return 0;
	}
	bio = open_file(f->ca, &text, &len, why, room, &rc);
	if (bio == NULL)
		return rc;
	rc = use_cas(ctx, bio, f->server);
	if (rc != 0)
		say(why, room, rc, "%s: no certificate in PEM that can be used (%s)", f->ca, mistake());
	BIO_free(bio);
	free(text);
	return rc;
}

/* Keep the name of what is refused: OpenSSL forgets it. */
static int verified(int good, X509_STORE_CTX *store)
{
	X509 *cert = X509_STORE_CTX_get_current_cert(store);
	BIO *bio = good == 0 ? BIO_new(BIO_s_mem()) : NULL;
	char *name = NULL;
	long n = 0;

	if (good != 0)
		return good;
	if (bio != NULL && cert != NULL &&
	    X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0)
		n = BIO_get_mem_data(bio, &name);
	snprintf(refused, sizeof(refused), "%.*s: %s", (int)(n < 80 ? n : 80), n > 0 ? name : "",
		 X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)));
	BIO_free(bio);
	return 0;
}

static void settle(SSL_CTX *ctx, const struct sat_tls_files *f)
{
	int mode = SSL_VERIFY_NONE;

	if (f->verify)
		mode = SSL_VERIFY_PEER | (f->server ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
	SSL_CTX_set_verify(ctx, mode, f->verify ? verified : NULL);
	SSL_CTX_set_verify_depth(ctx, CHAIN_MAX);
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
}

static int load(struct sat_self *user, const struct sat_tls_files *f, void **context, char *why, size_t room)
{
	SSL_CTX *ctx;
	int rc = -ENOMEM;

	ERR_clear_error();
	ctx = bio_method() != NULL ? SSL_CTX_new(f->server ? TLS_server_method() : TLS_client_method()) : NULL;
	if (ctx == NULL)
		return say(why, room, rc, "%s", strerror(ENOMEM));
	settle(ctx, f);
	rc = f->cert != NULL ? load_cert(ctx, f->cert, user, why, room) : 0;
	if (rc == 0 && f->key != NULL)
		rc = load_key(ctx, f, why, room);
	if (rc == 0)
		rc = load_ca(ctx, f, why, room);
	if (rc == 0)
		*context = ctx;
	else
		SSL_CTX_free(ctx);
	return rc;
}

static void unload(void *context)
{
	SSL_CTX_free(context);
}

/* ---- Connections -------------------------------------------------------- */

static const struct sat_tls_library library;

/* What the other side's certificate must be good for. */
static bool expect(SSL *ssl, const char *name)
{
	struct in6_addr address;
	bool number = inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1;

	if (!number && SSL_set_tlsext_host_name(ssl, name) != 1)
		return false;
	if (number)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, name) == 1;
}

static struct sat_tls_conn *conn_open(void *context, const char *name)
{
	struct conn *c = calloc(1, sizeof(*c));
	BIO *bio = c != NULL ? BIO_new(method) : NULL;

	if (bio == NULL)
		goto fail;
	c->base.library = &library;
	c->ssl = SSL_new(context);
	if (c->ssl == NULL)
		goto fail;
	BIO_set_data(bio, c);
	SSL_set_bio(c->ssl, bio, bio);
	bio = NULL;			/* the SSL's now */
	if (name == NULL)
		SSL_set_accept_state(c->ssl);
	else
		SSL_set_connect_state(c->ssl);
	if (name == NULL || expect(c->ssl, name))
		return &c->base;
	SSL_free(c->ssl);
fail:
	BIO_free(bio);
	free(c);
	ERR_clear_error();
	return NULL;
}

/* Into words of those who see a log. */
static void explain(const struct conn *c, unsigned long error)
{
	const char *words = ERR_reason_error_string(error);
	const char *alert = words != NULL ? strstr(words, "alert ") : NULL;
	int why = ERR_GET_REASON(error);

	if (words == NULL)
		words = "no reason given";
	if (ERR_GET_LIB(error) != ERR_LIB_SSL)
		snprintf(reason, sizeof(reason), "%s", words);
	else if (why == SSL_R_CERTIFICATE_VERIFY_FAILED)
		snprintf(reason, sizeof(reason), "its certificate is refused: %s", refused);
	else if (why == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
		snprintf(reason, sizeof(reason), "it has no certificate, and verify = true asks for one");
	else if (why == SSL_R_WRONG_VERSION_NUMBER || why == SSL_R_HTTP_REQUEST || why == SSL_R_HTTPS_PROXY_REQUEST)
		snprintf(reason, sizeof(reason), "what it says is not TLS");
	else if (why == SSL_R_UNSUPPORTED_PROTOCOL || why == SSL_R_VERSION_TOO_LOW)
		snprintf(reason, sizeof(reason), "its TLS is older than 1.2");
	else if (why > SSL_AD_REASON_OFFSET)
		snprintf(reason, sizeof(reason), "it refuses %s: %s", c->ready ? "to go on" : "us",
			 alert != NULL ? alert + strlen("alert ") : words);
	else
		snprintf(reason, sizeof(reason), "%s", words);
}

/* What became of a call that gave rc <= 0. */
static int outcome(struct conn *c, int rc)
{
	int what = SSL_get_error(c->ssl, rc);

	if (c->out->full) {
		c->broken = true;
		snprintf(reason, sizeof(reason), "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	if (what == SSL_ERROR_WANT_READ)
		return 0;
	if (what == SSL_ERROR_ZERO_RETURN) {
		snprintf(reason, sizeof(reason), "closed");
		return -EPIPE;
	}
	c->broken = true;
	explain(c, ERR_peek_error());
	ERR_clear_error();
	return -EPROTO;
}

static int conn_decrypt(struct sat_tls_conn *base, const void *p, size_t n, void *to, size_t *got,
			struct sat_buf *out)
{
	struct conn *c = (struct conn *)base;
	size_t room = SAT_TLS_ROOM(n);
	int rc = 1;

	*got = 0;
	if (c->broken)
		return -EPROTO;
	c->in = p;
	c->n_in = n;
	c->out = out;
	ERR_clear_error();
	if (!c->ready) {
		rc = SSL_do_handshake(c->ssl);
		c->ready = rc == 1;
	}
	while (rc > 0 && *got < room) {
		rc = SSL_read(c->ssl, (char *)to + *got, (int)(room - *got));
		*got += rc > 0 ? (size_t)rc : 0;
	}
	rc = rc > 0 ? 0 : outcome(c, rc);
	c->out = NULL;
	return rc;
}

static int conn_encrypt(struct sat_tls_conn *base, const void *p, size_t n, struct sat_buf *out)
{
	struct conn *c = (struct conn *)base;
	size_t done;
	int rc;

	if (c->broken || !c->ready)
		return n == 0 ? 0 : -EPROTO;
	c->out = out;
	ERR_clear_error();
	rc = n == 0 ? 1 : SSL_write_ex(c->ssl, p, n, &done);
	rc = rc > 0 ? 0 : outcome(c, rc);
	c->out = NULL;
	return rc;
}

static bool conn_ready(const struct sat_tls_conn *base)
{
	return ((const struct conn *)base)->ready;
}

static const char *conn_why(const struct sat_tls_conn *base)
{
	(void)base;
	return reason;
}

static void conn_close(struct sat_tls_conn *base, struct sat_buf *out)
{
	struct conn *c = (struct conn *)base;

	c->in = NULL;
	c->n_in = 0;
	c->out = out;
	ERR_clear_error();
	if (out != NULL && c->ready && !c->broken)
		SSL_shutdown(c->ssl);
	SSL_free(c->ssl);
	free(c);
	ERR_clear_error();
}

static const struct sat_tls_library library = {
	.size = sizeof(struct sat_tls_library),
	.load = load, .unload = unload, .open = conn_open, .decrypt = conn_decrypt, .encrypt = conn_encrypt,
	.ready = conn_ready, .why = conn_why, .close = conn_close,
};

SAT_MODULE(tls_openssl, .name = "tls-openssl", .version = SAT_VERSION, .summary = "TLS", .tls = &library);
