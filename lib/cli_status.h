/* SPDX-License-Identifier: Apache-2.0 */
/* cli_status - the answer of GET /status, for people. */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

struct json;

void cli_status(const struct json *doc);	/* an object; to standard output */

#endif
