/* SPDX-License-Identifier: MIT
 *
 * Classes that were replaced live on in the record alone, for rollback. They are parked below a
 * base that nobody knows, so that no class of the program shows them in __subclasses__().
 */
#ifndef PAYLOAD_COMMIT_PARKING_H
#define PAYLOAD_COMMIT_PARKING_H

#include "payload/job/job.h"

/* Parks those that nothing but the record holds any more. */
void parking_park(struct job *job);

/* Parks this one, whoever holds it. It may stay where it is. */
void parking_hide(const struct world *world, PyObject *class);

#endif
