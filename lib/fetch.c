/* SPDX-License-Identifier: Apache-2.0 */
/* fetch - the settings of who is asked over HTTP: where that is, and what shows who asks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <satellite/module.h>

enum { URL_MAX = 1024, TOKEN_MAX = 4096 };

/* ---- Where -------------------------------------------------------------- */

static const char *behind_scheme(const char *url)
{
	return strncmp(url, "http://", 7) == 0 ? url + 7 : strncmp(url, "https://", 8) == 0 ? url + 8 : NULL;
}

int sat_fetch_base(const struct sat_conf *conf, const char *name, const char *url, char **to)
{
	const char *host = behind_scheme(url);
	size_t n = strlen(url);

	if (host == NULL)
		return sat_conf_error(conf, name, "is not http://HOST:PORT or https://HOST:PORT");
	if (memchr(host, '@', strcspn(host, "/")) != NULL)
		return sat_conf_error(conf, name, "names a user: that is for `user` and `password`");
	if (strpbrk(url, "?# ") != NULL || n > URL_MAX)
		return sat_conf_error(conf, name, "is more than scheme, host, port and path");
	if (host[0] == '\0' || host[0] == '/' || host[0] == ':')
		return sat_conf_error(conf, name, "names no host");
	while (url[n - 1] == '/')
		n--;
	*to = malloc(n + 1);
	if (*to == NULL)
		return -ENOMEM;
	memcpy(*to, url, n);
	(*to)[n] = '\0';
	return 0;
}

int sat_fetch_bases(const struct sat_conf *conf, const char *name, char **to, unsigned max, unsigned *n)
{
	const struct sat_conf *list = sat_conf_get(conf, name);
	int rc = 0, one = 0;
	size_t all;
	const char *const *urls = sat_conf_strings(conf, name, &all);

	*n = 0;
	if (all == 0)
		return sat_conf_error(conf, name, "names nobody");
	if (all > max)
		return sat_conf_error(conf, name, "names more than %u", max);
	for (; *n < all && one != -ENOMEM; ++*n) {
		one = sat_fetch_base(sat_conf_at(list, *n), NULL, urls[*n], &to[*n]);
		rc = one != 0 ? one : rc;
	}
	return rc;
}

/* ---- Who asks ----------------------------------------------------------- */

/* The settings a and b go together. */
static int judge_pair(const struct sat_conf *conf, const char *a, const char *b)
{
	bool has_a = sat_conf_has(conf, a);

	if (has_a == sat_conf_has(conf, b))
		return 0;
	return sat_conf_error(conf, has_a ? a : b, "needs %s beside it", has_a ? b : a);
}

/* It goes into a header as it is. */
static int judge_token(const struct sat_conf *conf, const char *token)
{
	size_t n = strlen(token);

	for (size_t i = 0; i < n; i++)
		if (token[i] <= ' ' || token[i] > '~')
			n = 0;
	if (n == 0 || n > TOKEN_MAX)
		return sat_conf_error(conf, "token", "is not one word of at most %d visible characters", TOKEN_MAX);
	if (sat_conf_has(conf, "user"))
		return sat_conf_error(conf, "token", "stands beside user: one of them is enough");
	return 0;
}

int sat_fetch_settings(const struct sat_conf *conf, struct sat_fetch *what)
{
	const char *token = sat_conf_string(conf, "token");
	int rc = judge_pair(conf, "user", "password");

	if (judge_pair(conf, "cert", "key") != 0)
		rc = -EINVAL;
	if (token != NULL && judge_token(conf, token) != 0)
		rc = -EINVAL;
	what->user = sat_conf_string(conf, "user");
	what->password = sat_conf_string(conf, "password");
	what->token = token;
	what->ca = sat_conf_string(conf, "ca");
	what->cert = sat_conf_string(conf, "cert");
	what->key = sat_conf_string(conf, "key");
	return rc;
}
