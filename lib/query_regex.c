/* SPDX-License-Identifier: Apache-2.0 */
/* query_regex - PCRE2 with limits, since patterns come from queries; no JIT, which costs memory. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query_parse.h"
#include "self.h"

#define MATCH_LIMIT	100000	/* steps of backtracking: a few milliseconds */
#define HEAP_LIMIT	256	/* KiB */

struct regex {
	pcre2_code *code;
	pcre2_match_context *limits;
	pcre2_match_data *found;
};

void regex_free(struct regex *r)
{
	if (r == NULL)
		return;
	pcre2_match_data_free(r->found);
	pcre2_match_context_free(r->limits);
	pcre2_code_free(r->code);
	free(r);
}

struct regex *regex_parse(const char *pattern, char *error, size_t size)
{
	struct regex *r = calloc(1, sizeof(*r));
	PCRE2_UCHAR words[120] = "out of memory";
	PCRE2_SIZE at = 0;
	int rc;

	if (r == NULL)
		goto fail;
	/* Events may hold what is not UTF-8: such bytes match nothing. */
	r->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
				PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C, &rc, &at, NULL);
	if (r->code == NULL) {
		pcre2_get_error_message(rc, words, sizeof(words));
		goto fail;
	}
	r->limits = pcre2_match_context_create(NULL);
	r->found = pcre2_match_data_create(1, NULL);
	if (r->limits == NULL || r->found == NULL)
		goto fail;
	pcre2_set_match_limit(r->limits, MATCH_LIMIT);
	pcre2_set_heap_limit(r->limits, HEAP_LIMIT);
	return r;
fail:
	snprintf(error, size, "regular expression, at %zu: %s", (size_t)at, (char *)words);
	regex_free(r);
	return NULL;
}

bool regex_match(const struct regex *r, const char *text)
{
	int rc = pcre2_match(r->code, (PCRE2_SPTR)text, strlen(text), 0, 0, r->found, r->limits);

	if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
		self_add(SELF_ERRORS, 1);
	return rc >= 0;
}
