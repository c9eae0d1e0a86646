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

static int write_new(const char *path, const char *text, size_t len, mode_t mode)
{
	int fd, rc;

	unlink(path);	/* what a killed process left behind */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	rc = write_all(fd, text, len);
	if (rc == 0 && fchmod(fd, mode) != 0)
		rc = -errno;
	if (rc == 0 && fsync(fd) != 0)
		rc = -errno;
	if (close(fd) != 0 && rc == 0)
		rc = -errno;
	if (rc != 0)
		unlink(path);
	return rc;
}

int sat_file_replace(const char *path, const void *p, size_t len, unsigned mode)
{
	char real[PATH_MAX], temp[PATH_MAX];
	struct stat st;
	int rc;

	/* A link stays a link: what it leads to is replaced. */
	if (realpath(path, real) == NULL) {
		if (errno != ENOENT)
			return -errno;
		if ((size_t)snprintf(real, sizeof(real), "%s", path) >= sizeof(real))
			return -ENAMETOOLONG;
	} else if (stat(real, &st) == 0) {
		if (!S_ISREG(st.st_mode))
			return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
		mode = st.st_mode & 0777;
	}
	if ((size_t)snprintf(temp, sizeof(temp), "%s.new", real) >= sizeof(temp))
		return -ENAMETOOLONG;
	rc = write_new(temp, p, len, mode);
	if (rc != 0)
		return rc;
	if (rename(temp, real) != 0) {
		rc = -errno;
		unlink(temp);
		return rc;
	}
	return sync_folder(real);
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
