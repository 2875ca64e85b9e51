/* SPDX-License-Identifier: MIT
 *
 * The instructions of a code object, decoded for any known version.
 */
#ifndef PAYLOAD_PYTHON_BYTECODE_H
#define PAYLOAD_PYTHON_BYTECODE_H

#include "payload/python/world.h"

struct instruction {
	unsigned char op, kind;
	int arg;
	int line;   /* 0: none, an instruction of the compiler's own (3.10) */
	int target; /* index of the instruction it may jump to; -1 */
};

/* Instructions from `start` up to `end` are guarded by the handler. 3.11 */
struct guard {
	int start, end, handler;
};

struct bytecode {
	struct instruction *items;
	int count;
	int *at; /* code unit -> index; count units + 1 entries */
	int units;
	struct guard *guards;
	int guard_count;
};

/* bytecode_fini is due in either case. -1 with an exception. */
int bytecode_init(struct bytecode *out, const struct world *world, PyObject *code);
void bytecode_fini(struct bytecode *bytecode);

/* The constant that the instruction loads or returns, borrowed; NULL when it does neither, or
 * with an exception. */
PyObject *bytecode_constant(const struct world *world, PyObject *constants,
			    const struct instruction *instruction);

#endif
