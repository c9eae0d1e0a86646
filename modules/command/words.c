/* SPDX-License-Identifier: Apache-2.0 */
/* words - a command line split into words as sh does, and a child's environment. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* One word, unquoted into `out`; the rest of the line.  NULL: *why. */
static const char *word(const char *s, char **out, const char **why)
{
	char quote = '\0', *w = *out;

	for (; *s != '\0' && (quote != '\0' || strchr(" \t\n", *s) == NULL); s++) {
		if (quote == '\0' && (*s == '\'' || *s == '"')) {
			quote = *s;
		} else if (*s == quote) {
			quote = '\0';
		} else if (*s == '\\' && quote != '\'') {
			if (s[1] == '\0') {
				*why = "ends in a backslash";
				return NULL;
			}
			if (quote == '"' && strchr("\"\\$`", s[1]) == NULL)
				*w++ = *s;
			*w++ = *++s;
		} else {
			*w++ = *s;
		}
	}
	*w++ = '\0';
	*out = w;
	*why = quote == '\'' ? "has a ' without its end" : quote == '"' ? "has a \" without its end" : NULL;
	return *why == NULL ? s : NULL;
}

char **words_split(const char *line, const char **why)
{
	size_t len = strlen(line), n = 0;
	/* At most (len + 1) / 2 words, and no more text than the line has. */
	char **words = malloc((len / 2 + 2) * sizeof(*words) + len + 1);
	char *text = (char *)(words + len / 2 + 2);

	*why = NULL;
	if (words == NULL)
		return NULL;
	for (line += strspn(line, " \t\n"); *line != '\0'; line += strspn(line, " \t\n")) {
		words[n++] = text;
		line = word(line, &text, why);
		if (line == NULL)
			goto fail;
	}
	words[n] = NULL;
	if (n > 0 && words[0][0] != '\0')
		return words;
	*why = "names no program";
fail:
	free(words);
	return NULL;
}

char **words_copy(const char *const *from, size_t n)
{
	size_t len = 0;
	char **words, *text;

	for (size_t i = 0; i < n; i++)
		len += strlen(from[i]) + 1;
	words = malloc((n + 1) * sizeof(*words) + len);
	if (words == NULL)
		return NULL;
	text = (char *)(words + n + 1);
	for (size_t i = 0; i < n; i++) {
		words[i] = text;
		text = stpcpy(text, from[i]) + 1;
	}
	words[n] = NULL;
	return words;
}

/* Put "name=value" in, in the place of one of that name. */
static int env_set(char **env, size_t *n, const char *name, const char *value)
{
	size_t len = strlen(name), i = 0;
	char *entry;

	if (asprintf(&entry, "%s=%s", name, value) < 0)
		return -ENOMEM;
	while (i < *n && (strncmp(env[i], name, len) != 0 || env[i][len] != '='))
		i++;
	if (i == *n)
		(*n)++;
	else
		free(env[i]);
	env[i] = entry;
	return 0;
}

static int env_add(char **env, size_t *n, const struct sat_conf *group)
{
	int rc = 0;

	for (size_t i = 0; i < sat_conf_count(group) && rc != -ENOMEM; i++) {
		const struct sat_conf *s = sat_conf_at(group, i);
		struct sat_value v = sat_conf_value(s);

		if (v.kind != SAT_TEXT)
			rc = sat_conf_error(s, NULL, "is not a string");
		else
			rc = env_set(env, n, sat_conf_name(s), v.text);
	}
	return rc;
}

char **words_env(const struct sat_conf *const *groups, size_t n_groups, int *rc)
{
	size_t most = 2, n = 0;
	char **env, **packed = NULL;

	for (size_t i = 0; i < n_groups; i++)
		most += groups[i] != NULL ? sat_conf_count(groups[i]) : 0;
	env = calloc(most, sizeof(*env));
	*rc = env == NULL ? -ENOMEM : env_set(env, &n, "PATH", DEFAULT_PATH);
	if (*rc == 0)
		*rc = env_set(env, &n, "LANG", "C");
	for (size_t i = 0; i < n_groups && *rc == 0; i++)
		if (groups[i] != NULL)
			*rc = env_add(env, &n, groups[i]);
	if (*rc == 0) {
		packed = words_copy((const char *const *)env, n);
		*rc = packed == NULL ? -ENOMEM : 0;
	}
	while (n > 0)
		free(env[--n]);
	free(env);
	return packed;
}
