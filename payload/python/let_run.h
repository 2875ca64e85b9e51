/* SPDX-License-Identifier: MIT
 *
 * Giving the GIL up in between.
 */
#ifndef PAYLOAD_PYTHON_LET_RUN_H
#define PAYLOAD_PYTHON_LET_RUN_H

#include "payload/python/world.h"

/* The GIL was taken just now. */
void let_run_begin(struct world *world);

/* Whether it has been held for so long that others may suffer from it. */
int let_run_is_due(const struct world *world);

/* Sleeps without the GIL. */
void let_run_pause(int64_t ns);

/* Lets other threads run for a moment if they want to, with the collector as the program has
 * it, lest a child that is forked then is left without. */
void let_run(struct world *world);

#endif
