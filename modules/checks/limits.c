/* SPDX-License-Identifier: Apache-2.0 */
/* limits - the options threshold and warning: from where on a figure is bad. */
#include <math.h>

#include "checks.h"

/* Of what goes both ways, such as an offset, the size counts. */
static bool reached(double limit, double figure, bool low)
{
	if (isnan(limit))
		return false;
	return low ? figure <= limit : fabs(figure) >= limit;
}

int limits_read(struct limits *l, const struct sat_conf *conf, bool low)
{
	l->low = low;
	l->critical = sat_conf_has(conf, "threshold") ? sat_conf_number(conf, "threshold") : NAN;
	l->warning = sat_conf_has(conf, "warning") ? sat_conf_number(conf, "warning") : NAN;
	if (isnan(l->warning) || !reached(l->critical, l->warning, low))
		return 0;
	return sat_conf_error(conf, "warning", "%.15g is critical already, with the threshold %.15g", l->warning,
			      l->critical);
}

const char *limits_state(const struct limits *l, double figure)
{
	if (reached(l->critical, figure, l->low))
		return "critical";
	return reached(l->warning, figure, l->low) ? "warning" : "ok";
}
