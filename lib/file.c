/* SPDX-License-Identifier: Apache-2.0 */
/* file - files replaced whole, so that who reads one never sees a part; and read whole. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <satellite/module.h>
#include "file.h"

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int sync_folder(const char *path)
{
	char folder[PATH_MAX];
	char *slash;
	int fd, rc = 0;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash == NULL)
		strcpy(folder, ".");
	else
		slash[slash == folder] = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd) != 0)
		rc = -errno;
	close(fd);
	return rc;
}

/* A link stays a link: what it leads to is replaced. */
static int find_place(struct file_new *f, const char *path)
{
	struct stat st;

	if (realpath(path, f->path) == NULL) {
		if (errno != ENOENT)
			return -errno;
		if ((size_t)snprintf(f->path, sizeof(f->path), "%s", path) >= sizeof(f->path))
			return -ENAMETOOLONG;
	} else if (stat(f->path, &st) == 0) {
		if (!S_ISREG(st.st_mode))
			return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
		f->mode = st.st_mode & 0777;
	}
	return 0;
}

int file_begin(struct file_new *f, const char *path, const char *suffix, mode_t mode)
{
	int rc;

	f->fd = -1;
	f->mode = mode;
	rc = find_place(f, path);
	if (rc != 0)
		return rc;
	if ((size_t)snprintf(f->temp, sizeof(f->temp), "%s%s", f->path, suffix) >= sizeof(f->temp))
		return -ENAMETOOLONG;
	unlink(f->temp);	/* what a killed process left behind */
	f->fd = open(f->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, f->mode);
	return f->fd >= 0 ? 0 : -errno;
}

void file_drop(struct file_new *f)
{
	if (f->fd < 0)
		return;
	close(f->fd);
	unlink(f->temp);
	f->fd = -1;
}

int file_add(struct file_new *f, const void *p, size_t n)
{
	int rc = write_all(f->fd, p, n);

	if (rc != 0)
		file_drop(f);
	return rc;
}

int file_settle(struct file_new *f)
{
	int rc = fchmod(f->fd, f->mode) != 0 || fsync(f->fd) != 0 ? -errno : 0;

	if (rc != 0)
		file_drop(f);
	return rc;
}

int file_put(struct file_new *f)
{
	int rc = close(f->fd) != 0 ? -errno : 0;

	f->fd = -1;
	if (rc == 0 && rename(f->temp, f->path) != 0)
		rc = -errno;
	if (rc != 0) {
		unlink(f->temp);
		return rc;
	}
	return sync_folder(f->path);
}

int sat_file_replace(const char *path, const void *p, size_t len, unsigned mode)
{
	struct file_new f;
	int rc = file_begin(&f, path, ".new", mode);

	if (rc == 0)
		rc = file_add(&f, p, len);
	if (rc == 0)
		rc = file_settle(&f);
	return rc == 0 ? file_put(&f) : rc;
}

int sat_file_read(const char *path, size_t max, char **text, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = 0;
	struct stat st;
	size_t n = 0;

	if (fd < 0)
		return -errno;
	*text = NULL;
	if (fstat(fd, &st) != 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	else if ((size_t)st.st_size > max)
		rc = -EFBIG;
	else if ((*text = malloc((size_t)st.st_size + 1)) == NULL)
		rc = -ENOMEM;
	while (rc == 0 && n < (size_t)st.st_size) {
		ssize_t got = read(fd, *text + n, (size_t)st.st_size - n);

		if (got < 0 && errno != EINTR)
			rc = -errno;
		if (got == 0)
			break;
		n += got > 0 ? (size_t)got : 0;
	}
	close(fd);
	if (rc != 0) {
		free(*text);
		*text = NULL;
		return rc;
	}
	(*text)[n] = '\0';
	*len = n;
	return 0;
}
