/* SPDX-License-Identifier: Apache-2.0 */
/* number - numbers as Riemann calculates with them. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

#define WIDE_MAX ((wide)(~(uwide)0 >> 1))

static uwide magnitude(wide a)
{
	return a < 0 ? (uwide)0 - (uwide)a : (uwide)a;
}

static uwide common(uwide a, uwide b)
{
	while (b != 0) {
		uwide r = a % b;

		a = b;
		b = r;
	}
	return a;
}

/* By hand: not every compiler's library has the multiplication that tells. */
static bool multiply(wide a, wide b, wide *out)
{
	if (a != 0 && b != 0 && magnitude(b) > (uwide)WIDE_MAX / magnitude(a))
		return false;
	*out = a * b;
	return true;
}

struct number number_double(double x)
{
	return (struct number){ .real = true, .x = x, .d = 1 };
}

struct number number_int(int64_t i)
{
	return (struct number){ .n = i, .d = 1 };
}

static struct number exact(wide n, wide d)
{
	uwide by;

	if (d != 1) {
		by = common(magnitude(n), magnitude(d));
		n /= (wide)by;
		d /= (wide)by;
		if (d < 0) {
			n = -n;
			d = -d;
		}
	}
	if (d == 1 && (n > INT64_MAX || n < INT64_MIN))
		return number_double((double)n);
	return (struct number){ .n = n, .d = d };
}

struct number number_time(int64_t t, bool *fractional)
{
	if (t % SAT_SECOND != 0)
		*fractional = true;
	return *fractional ? number_double((double)t / 1e6) : number_int(t / SAT_SECOND);
}

bool number_value(const struct sat_value *v, struct number *out)
{
	if (v->kind == SAT_INT)
		*out = number_int(v->i);
	else if (v->kind == SAT_DOUBLE)
		*out = number_double(v->d);
	return v->kind == SAT_INT || v->kind == SAT_DOUBLE;
}

bool number_metric(const struct sat_event *ev, struct number *out)
{
	if (ev->has & SAT_HAS_INT)
		*out = number_int(ev->metric.i);
	else if (ev->has & SAT_HAS_DOUBLE)
		*out = number_double(ev->metric.d);
	return (ev->has & SAT_HAS_METRIC) != 0;
}

static bool ratio_of(const char *text, struct number *out)
{
	char *end;
	long long n, d;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (end == text || *end != '/')
		return false;
	text = end + 1;
	d = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || d <= 0 || errno != 0)
		return false;
	*out = exact(n, d);
	return true;
}

bool number_text(const struct sat_value *v, struct number *out)
{
	return number_value(v, out) || (v->kind == SAT_TEXT && ratio_of(v->text, out));
}

int number_conf(const struct sat_conf *conf, const char *name, struct number *out)
{
	const struct sat_conf *s = sat_conf_get(conf, name);
	struct sat_value v;

	if (s == NULL || sat_conf_is_list(s) || sat_conf_is_group(s))
		return sat_conf_error(conf, name, "must be a number");
	v = sat_conf_value(s);
	if (number_text(&v, out))
		return 0;
	return sat_conf_error(conf, name, "must be a number, or a ratio such as \"1/2\"");
}

/*
 * A ratio becomes a double by way of 16 decimal digits, rounded half to even,
 * as Clojure does it: 7/3 is 2.333333333333333 and not the nearest double.
 */
static double decimal(wide n, wide d)
{
	const uwide low = (uwide)1000000000000000, high = low * 10;
	uwide a = magnitude(n), b = (uwide)d, q, r;
	char text[64];
	int exponent = 0;

	if (b >= (uwide)WIDE_MAX / (high * 10) || a >= (uwide)WIDE_MAX / 10)
		return (double)n / (double)d;
	for (; a / b >= high; exponent++)
		b *= 10;
	for (; a / b < low; exponent--)
		a *= 10;
	q = a / b;
	r = a % b;
	if (r * 2 > b || (r * 2 == b && q % 2 == 1))
		q++;
	snprintf(text, sizeof(text), "%s%llue%d", n < 0 ? "-" : "", (unsigned long long)q, exponent);
	return strtod(text, NULL);
}

double number_real(const struct number *a)
{
	if (a->real)
		return a->x;
	return a->d == 1 ? (double)a->n : decimal(a->n, a->d);
}

bool number_zero(const struct number *a)
{
	return a->real ? a->x == 0 : a->n == 0;
}

static int compare_real(double x, double y)
{
	if (isnan(x) || isnan(y))
		return (isnan(x) != 0) - (isnan(y) != 0);
	return (x > y) - (x < y);
}

int number_compare(const struct number *a, const struct number *b)
{
	if (!a->real && !b->real && a->d == 1 && b->d == 1)
		return (a->n > b->n) - (a->n < b->n);
	return compare_real(number_real(a), number_real(b));
}

struct number number_add(const struct number *a, const struct number *b)
{
	wide x, y, d, sum;

	if (!a->real && !b->real && a->d == 1 && b->d == 1)
		return exact(a->n + b->n, 1);
	if (a->real || b->real || !multiply(a->n, b->d, &x) || !multiply(b->n, a->d, &y) ||
	    !multiply(a->d, b->d, &d) || __builtin_add_overflow(x, y, &sum))
		return number_double(number_real(a) + number_real(b));
	return exact(sum, d);
}

struct number number_sub(const struct number *a, const struct number *b)
{
	struct number minus = *b;

	minus.n = -minus.n;
	minus.x = -minus.x;
	return number_add(a, &minus);
}

struct number number_mul(const struct number *a, const struct number *b)
{
	wide n, d;

	if (a->real || b->real || !multiply(a->n, b->n, &n) || !multiply(a->d, b->d, &d))
		return number_double(number_real(a) * number_real(b));
	return exact(n, d);
}

/* A double of zero divides nothing, either; but NaN stays what it is. */
int number_div(const struct number *a, const struct number *b, struct number *out)
{
	wide n, d;

	if (number_zero(b) && !(a->real && isnan(a->x)))
		return -EDOM;
	if (a->real || b->real || !multiply(a->n, b->d, &n) || !multiply(a->d, b->n, &d))
		*out = number_double(number_real(a) / number_real(b));
	else
		*out = exact(n, d);
	return 0;
}

void number_put(struct sat_event *edited, const struct number *a)
{
	edited->has &= ~SAT_HAS_METRIC;
	if (!a->real && a->d == 1) {
		edited->has |= SAT_HAS_INT;
		edited->metric.i = (int64_t)a->n;
	} else {
		edited->has |= SAT_HAS_DOUBLE;
		edited->metric.d = number_real(a);
	}
}

static int write_wide(struct sat_writer *out, wide a)
{
	sat_write_int(out, (int64_t)(uint64_t)((uwide)a >> 64));
	return sat_write_int(out, (int64_t)(uint64_t)(uwide)a);
}

int number_write(struct sat_writer *out, const struct number *a)
{
	sat_write_int(out, a->real);
	if (a->real)
		return sat_write_double(out, a->x);
	write_wide(out, a->n);
	return write_wide(out, a->d);
}

static int read_wide(struct sat_reader *in, wide *a)
{
	int64_t high, low;

	sat_read_int(in, &high);
	*a = 0;
	if (sat_read_int(in, &low) != 0)
		return -EBADMSG;
	*a = (wide)((uwide)(uint64_t)high << 64 | (uint64_t)low);
	return 0;
}

int number_read(struct sat_reader *in, struct number *a)
{
	int64_t real;
	wide n, d;

	*a = number_int(0);
	if (sat_read_int(in, &real) != 0)
		return -EBADMSG;
	if (real != 0) {
		a->real = true;
		return sat_read_double(in, &a->x);
	}
	if (read_wide(in, &n) != 0 || read_wide(in, &d) != 0 || d <= 0)
		return -EBADMSG;
	*a = exact(n, d);
	return 0;
}
