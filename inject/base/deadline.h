/* SPDX-License-Identifier: MIT
 *
 * A point in time on CLOCK_MONOTONIC that waiting must not pass.
 */
#ifndef INJECT_BASE_DEADLINE_H
#define INJECT_BASE_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct deadline {
	int64_t at_ns;
};

static inline int64_t clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static inline struct deadline deadline_after_ns(int64_t ns)
{
	return (struct deadline){clock_now_ns() + ns};
}

static inline int64_t deadline_left_ns(struct deadline d)
{
	return d.at_ns - clock_now_ns();
}

static inline bool deadline_passed(struct deadline d)
{
	return deadline_left_ns(d) <= 0;
}

#endif
