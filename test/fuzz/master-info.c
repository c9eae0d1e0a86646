/* SPDX-License-Identifier: Apache-2.0 */
/* master-info - any bytes as a node of Mesos' ZooKeeper, in both forms, and as its URL: what is taken can stand in one. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "../../modules/leader-zookeeper/leader.h"

static void check(bool good)
{
	if (!good)
		abort();
}

static void check_name(const char *s, size_t size)
{
	check(strlen(s) < size);
	for (; *s != '\0'; s++)
		check(isalnum((unsigned char)*s) || strchr(".-_:", *s) != NULL);
}

static void check_info(int (*read)(struct info *to, const char *text, size_t len), const char *text, size_t len)
{
	struct info info = { .port = 0 };

	if (read(&info, text, len) != 0)
		return;
	check_name(info.hostname, sizeof(info.hostname));
	check_name(info.ip, sizeof(info.ip));
	check(info.hostname[0] != '\0' || info.ip[0] != '\0');
	check(info.port > 0 && info.port <= 65535);
}

static void check_url(const char *text)
{
	char *hosts = NULL, *path = NULL, *auth = NULL;

	if (url_parse(text, &hosts, &path, &auth) == NULL) {
		check(hosts[0] != '\0' && strpbrk(hosts, "/@ ") == NULL);
		check(path[0] == '/' && path[1] != '\0' && path[strlen(path) - 1] != '/');
		check(auth == NULL || strchr(auth, ':') != NULL);
	}
	free(hosts);
	free(path);
	free(auth);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size), *whole = malloc(size + 1);	/* the first without room behind it */

	memcpy(text, data, size);
	memcpy(whole, data, size);
	whole[size] = '\0';
	check_info(info_json, text, size);
	check_info(info_protobuf, text, size);
	check_url(whole);
	free(text);
	free(whole);
	return 0;
}
