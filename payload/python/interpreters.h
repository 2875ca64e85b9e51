/* SPDX-License-Identifier: MIT
 *
 * The interpreters of the process. Programs around Python (mod_wsgi, uwsgi) give each
 * application one of its own, with its own modules.
 */
#ifndef PAYLOAD_PYTHON_INTERPRETERS_H
#define PAYLOAD_PYTHON_INTERPRETERS_H

#include <stdint.h>

#include "payload/base/py.h"

struct interpreter {
	PyInterpreterState *state;
	int64_t id;                        /* never used again; that of the main one is 0 */
	PyThreadState *ours, *interrupted; /* while we are in it */
};

struct interpreters {
	struct interpreter *items; /* all but the one that we are in */
	size_t count;
};

/* -1 with an exception. interpreters_fini is due in the interpreter that asked. */
int interpreters_find(struct interpreters *out);
void interpreters_fini(struct interpreters *all);

/* Makes this thread one of that interpreter's. 1 when there is no such interpreter any more; -1
 * without an exception when there is no memory. */
int interpreter_enter(struct interpreter *to);
void interpreter_leave(struct interpreter *from);

/* 1 when it has a GIL of its own (3.12, PEP 684), so that its threads run while we hold ours;
 * -1 with an exception. */
int interpreter_has_own_gil(struct interpreter *other);

#endif
