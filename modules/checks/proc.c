/* SPDX-License-Identifier: Apache-2.0 */
/* proc - files of /proc, which are read on the loop, since the kernel answers at once. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "checks.h"

int proc_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return -errno;
	while (n > 0 && len < size - 1) {
		n = read(fd, text + len, size - 1 - len);
		if (n > 0)
			len += (size_t)n;
	}
	n = n < 0 ? -errno : 0;
	close(fd);
	text[len] = '\0';
	return (int)n;
}

int proc_define(struct sat_probe *probe, const struct sat_conf *conf, const char *service, bool low, void **def)
{
	struct check *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return -ENOMEM;
	c->probe = probe;
	c->path = sat_conf_string(conf, "file");
	rc = limits_read(&c->limits, conf, low);
	rc = rc != 0 ? rc : sat_probe_service(probe, "%s", service);
	if (rc != 0) {
		free(c);
		return rc;
	}
	*def = c;
	return 0;
}
