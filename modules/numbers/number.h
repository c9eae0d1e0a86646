/* SPDX-License-Identifier: Apache-2.0 */
/* number - numbers as Riemann calculates with them: integers and ratios are exact, until a double comes in. */
#ifndef NUMBERS_NUMBER_H
#define NUMBERS_NUMBER_H

#include <satellite/module.h>

__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 uwide;

/* An integer (d is 1), a ratio in lowest terms, or a double.  What no 64 or
 * 128 bits hold becomes a double. */
struct number {
	bool real;
	double x;
	wide n, d;
};

struct number number_int(int64_t i);
struct number number_double(double x);
/* Microseconds as seconds; whole ones are an integer, until *fractional is set:
 * one of them was not whole, and from then on all are doubles. */
struct number number_time(int64_t t, bool *fractional);
bool number_value(const struct sat_value *v, struct number *out);	/* false: it is none */
bool number_metric(const struct sat_event *ev, struct number *out);	/* false: it is nil */
bool number_text(const struct sat_value *v, struct number *out);	/* or a ratio as text, "1/2" */
/* A setting: a number, or a ratio as text, "1/2".  Reported. */
int number_conf(const struct sat_conf *conf, const char *name, struct number *out);

double number_real(const struct number *a);
bool number_zero(const struct number *a);
int number_compare(const struct number *a, const struct number *b);	/* NaN is after all else */
struct number number_add(const struct number *a, const struct number *b);
struct number number_sub(const struct number *a, const struct number *b);
struct number number_mul(const struct number *a, const struct number *b);
int number_div(const struct number *a, const struct number *b, struct number *out);	/* -EDOM: by zero */

void number_put(struct sat_event *edited, const struct number *a);	/* as its metric */
int number_write(struct sat_writer *out, const struct number *a);
int number_read(struct sat_reader *in, struct number *a);

#endif
