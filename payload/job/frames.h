/* SPDX-License-Identifier: MIT
 *
 * Who still runs old code: frames on the stacks of threads and greenlets, and generators,
 * coroutines and asynchronous generators that wait for their next step.
 */
#ifndef PAYLOAD_JOB_FRAMES_H
#define PAYLOAD_JOB_FRAMES_H

#include "payload/job/job.h"

/* The types of what waits; all owned, NULL when they cannot be made. Greenlets are the stacks
 * of gevent and eventlet, which no thread shows while they wait; NULL in programs without. */
struct frame_types {
	PyObject *generator, *coroutine, *async_generator, *greenlet;
};

/* Runs a few instructions of our own. -1 with an exception; frame_types_fini is due anyway. */
int frame_types_init(struct frame_types *out, const struct world *world);
void frame_types_fini(struct frame_types *types);

/* The top of the stack of what waits, None of what does not; NULL when it is of none of these
 * types, or with an exception. New reference. */
PyObject *frames_top(const struct frame_types *types, PyObject *o);

/* New references; the caller is NULL without exception at the end of the stack. */
PyObject *frames_code(PyObject *frame);
PyObject *frames_caller(const struct world *world, PyObject *frame);

/* Adds a record for each place in which there is a frame whose code leads on in
 * `codes` (of code_steps) and whose new code does something else. Returns the number of such
 * frames, -1 with an exception. Runs no bytecode, except that of audit hooks. */
Py_ssize_t frames_report(struct job *job, const struct frame_types *types, PyObject *codes);

/* The same with types of its own. What goes wrong is not told of. */
void frames_tell(struct job *job, PyObject *codes);

#endif
