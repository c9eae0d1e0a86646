/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collectd - preloaded into Debian 12's collectd, so that write_riemann lives for a minute.
 *
 * It does not say where the arguments of one call end, so that what the stack holds is
 * taken for further ones, and it crashes (collectd issue 4050, mended in 2024).
 */
#include <stdarg.h>
#include <riemann/riemann-client.h>

static int set(riemann_event_t *event, riemann_event_field_t field, ...)
{
	va_list args;
	int rc;

	va_start(args, field);
	rc = riemann_event_set_va(event, field, args);
	va_end(args);
	return rc;
}

int riemann_event_set(riemann_event_t *event, ...)
{
	riemann_event_field_t field;
	va_list args;
	int rc;

	va_start(args, event);
	field = va_arg(args, riemann_event_field_t);
	if (field == RIEMANN_EVENT_FIELD_TIME_MICROS)
		rc = set(event, field, va_arg(args, int64_t), RIEMANN_EVENT_FIELD_NONE);
	else
		rc = riemann_event_set_va(event, field, args);
	va_end(args);
	return rc;
}
