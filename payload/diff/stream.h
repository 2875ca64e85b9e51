/* SPDX-License-Identifier: MIT
 *
 * The body of a module or class as a stream of steps that can be compared with another's: what
 * each instruction does, where it comes from and where control goes, without jumps, caches and
 * the end of the body, whose form depends on what stands around a statement.
 */
#ifndef PAYLOAD_DIFF_STREAM_H
#define PAYLOAD_DIFF_STREAM_H

#include "payload/python/world.h"

enum stream_flow {
	FLOW_NONE = -1,
	FLOW_END = -2, /* out of the body */
};

struct step {
	int token;                  /* equal tokens do the same */
	int line, rank;             /* rank: in the order of the flow */
	int next, target, handler;  /* index of a step, or enum stream_flow */
	unsigned char op;           /* canonical */
	PyObject *value;            /* name or constant, borrowed from the code; or NULL */
	unsigned is_store : 1;      /* it binds the name, and the next does not unbind it */
	unsigned is_use : 1;        /* it reads or unbinds the name */
	unsigned is_own : 1;        /* a class body ends with it, it is of no statement */
	unsigned is_annotation : 1; /* value is the number of an annotated statement; 3.14 */
};

/* The steps of each statement are neighbours, and the statements follow each other as in the
 * source; those of one are in the order of the flow. */
struct stream {
	PyObject *code; /* owned */
	struct step *steps;
	int count;
	/* for positions 0 to count: 1 where one statement may end and another begin */
	unsigned char *is_cut;
};

/* Numbers what steps do; shared by the streams that are compared. */
struct tokens {
	const struct world *world; /* borrowed */
	PyObject *numbers;         /* dict: what a step does -> number */
	PyObject *codes;           /* dict: name -> list of code objects that differ */
};

/* -1 with an exception; tokens_fini is due in either case. */
int tokens_init(struct tokens *out, const struct world *world);
void tokens_fini(struct tokens *tokens);

/* stream_fini is due in either case. */
int stream_init(struct stream *out, struct tokens *tokens, PyObject *code);
void stream_fini(struct stream *stream);

/* Does the step bind the name? */
int stream_binds(const struct step *step, PyObject *name);

/* The first of the steps that does, from `from` up to `end`; `end` when there is none. */
int stream_find_store(const struct stream *stream, int from, int end, PyObject *name);

#endif
