/* SPDX-License-Identifier: MIT
 *
 * What the victims do. Parked ones wait in one call for ever; active ones run, and say in
 * shared->inside when a stop would find them where nobody may call pthread_create().
 */
#ifndef TESTS_TRACE_BODIES_H
#define TESTS_TRACE_BODIES_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/trace/victim.h"

struct body {
	const char *name;
	victim_body run;
	bool on_thread;
};

extern const struct body parked_bodies[];
extern const size_t parked_body_count;
extern const struct body active_bodies[];
extern const size_t active_body_count;

#endif
