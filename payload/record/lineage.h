/* SPDX-License-Identifier: MIT
 *
 * Which code came from which, over all attaches that are recorded.
 */
#ifndef PAYLOAD_RECORD_LINEAGE_H
#define PAYLOAD_RECORD_LINEAGE_H

#include "payload/record/history.h"

/* Each maps code to code in the dict `out`: that of earlier times to what runs now; that of the
 * attaches after `to` to what ran before them. */
int lineage_forward(struct job *job, const struct history *history, PyObject *out);
int lineage_back(struct job *job, const struct history *history, Py_ssize_t to, PyObject *out);

#endif
