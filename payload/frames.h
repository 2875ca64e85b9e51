/* SPDX-License-Identifier: MIT
 *
 * Who still runs old code.
 */
#ifndef PAYLOAD_FRAMES_H
#define PAYLOAD_FRAMES_H

#include "payload/job.h"

/* A record for each frame of a thread whose code is among the keys of `codes` (old -> new) and
 * whose new code differs. */
void frames_report(struct job *job, PyObject *codes);

#endif
