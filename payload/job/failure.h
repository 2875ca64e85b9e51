/* SPDX-License-Identifier: MIT
 *
 * Exceptions as text.
 */
#ifndef PAYLOAD_JOB_FAILURE_H
#define PAYLOAD_JOB_FAILURE_H

#include "payload/job/job.h"

/* The pending exception as Python shows it, without our own frames and those of the import
 * system; it is cleared. New str, never NULL unless memory ran out (then nothing is pending).
 */
PyObject *failure_text(const struct world *world);

/* A name as an argument that another follows: "?" for one that would end it, or that is no
 * UTF-8. Borrowed from the name, which may be NULL. */
const char *failure_subject(PyObject *name);

/* Ends the job as job_refuse() does, with the pending exception as the reason; returns -1. */
int failure_refuse(struct job *job, enum wire_status status, const struct module *module);

#endif
