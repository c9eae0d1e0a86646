/* SPDX-License-Identifier: Apache-2.0 */
/* query - any text as a query: refused with a reason, or matched against events. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const tags[] = { "prod", "eu" };
	static const struct sat_attr attrs[] = { { "custom", "v" } };
	static const struct sat_event web = {
		.size = sizeof(web), .has = SAT_HAS_TIME | SAT_HAS_TTL | SAT_HAS_DOUBLE | SAT_HAS_TAGS,
		.host = "web-1", .service = "cpu load", .state = "ok", .description = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		.time = 10 * SAT_SECOND, .ttl = 60, .metric.d = 2.5, .tags = tags, .n_tags = 2,
		.attrs = attrs, .n_attrs = 1,
	}, bare = { .size = sizeof(bare) };
	char *text = malloc(size + 1), error[50] = "";
	struct sat_query *q;

	clock_virtual(0);
	if (size != 0)
		memcpy(text, data, size);
	text[size] = '\0';
	q = sat_query_parse(text, error, sizeof(error));
	if (q == NULL && error[0] == '\0')
		abort();
	if (q != NULL) {
		sat_query_match(q, &bare);
		/* What every match must have, this one has. */
		if (sat_query_match(q, &web) && ((query_host(q) != NULL && strcmp(query_host(q), web.host) != 0) ||
						 (query_service(q) != NULL && strcmp(query_service(q), web.service) != 0)))
			abort();
	}
	sat_query_free(q);
	free(text);
	return 0;
}
