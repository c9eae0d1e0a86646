/* SPDX-License-Identifier: Apache-2.0 */
/* http-path - for libFuzzer: a request's head, its path and its query, as a stranger sends them. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "control_parse.h"
#include "uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_path(const char *raw)
{
	char *room = malloc(strlen(raw) + 1);
	const char *segments[URI_SEGMENTS], *values[URI_SEGMENTS];
	int n = uri_path(raw, room, segments);

	for (int i = 0; i < n; i++)
		assert(strchr(segments[i], '/') == NULL);
	if (n >= 0) {
		uri_match("/whitelist/host/{host}/event/{event}", segments, n, values);
		uri_match("/{flag}", segments, n, values);
	}
	free(room);
}

static void try_query(const char *raw)
{
	char *room = malloc(strlen(raw) + uri_params(raw) + 1);
	struct uri_param params[URI_PARAMS];
	int n = uri_query(raw, room, params);

	for (int i = 0; i < n; i++)
		assert(params[i].name < params[i].value && strlen(params[i].value) <= strlen(raw));
	free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control_head head;
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	try_path(text);
	try_query(text);
	if (control_parse(text, size, &head) == 0) {
		try_path(head.path);
		if (head.query != NULL)
			try_query(head.query);
	}
	free(text);
	return 0;
}
