/* SPDX-License-Identifier: MIT
 *
 * Between stream.c, stream_order.c and tokens.c.
 */
#ifndef PAYLOAD_DIFF_STREAM_BUILD_H
#define PAYLOAD_DIFF_STREAM_BUILD_H

#include "payload/diff/stream.h"
#include "payload/python/bytecode.h"

/* The tables that arguments are indices of. */
struct names {
	PyObject *code;
	PyObject *constants, *names, *locals, *cells, *frees; /* tuples */
};

/* Fills the step's token, op and value. -1 with an exception. */
int tokens_number(struct tokens *tokens, const struct names *names,
		  const struct instruction *instruction, struct step *step);

/* Finds the order of the steps, and the cuts. -1 with an exception. */
int stream_put_in_order(struct stream *stream);

#endif
