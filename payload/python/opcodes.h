/* SPDX-License-Identifier: MIT
 *
 * What the payload must know of the instructions of each version: how they flow and what their
 * argument means. tests/payload/check_opcodes.py compares it with each interpreter's own
 * tables.
 */
#ifndef PAYLOAD_PYTHON_OPCODES_H
#define PAYLOAD_PYTHON_OPCODES_H

enum opcode_kind {
	OPCODE_PLAIN, /* the argument is a number */
	OPCODE_DROP,  /* says nothing about what a statement does */
	OPCODE_EXTENDED,
	OPCODE_CONST,
	OPCODE_SMALL_INT, /* 3.14: the constant is the argument itself */
	OPCODE_COMMON,    /* 3.14: one of a few constants that the interpreter knows */
	OPCODE_NAME,
	OPCODE_NAME_1, /* the name's index is above one or two flag bits */
	OPCODE_NAME_2,
	OPCODE_IMPORT, /* 3.15: likewise two, and they count: lazy or not */
	OPCODE_LOCAL,
	OPCODE_LOCAL_PAIR, /* two indices of four bits */
	OPCODE_FREE,
	OPCODE_FORWARD, /* jumps, or leads to a handler, under a condition */
	OPCODE_BACKWARD,
	OPCODE_ABSOLUTE,
	OPCODE_GO_FORWARD, /* always jumps */
	OPCODE_GO_BACKWARD,
	OPCODE_GO_ABSOLUTE,
	OPCODE_GIVES, /* 3.13: to a function that was made its defaults and the like */
	OPCODE_RETURN,
	OPCODE_RETURN_CONST,
	OPCODE_RAISE, /* what follows is not reached from here */
};

struct opcodes {
	int minor; /* of 3.minor */
	union {
		struct {
			/* those that shadow/hooks/stores.py asks for are the first */
			unsigned char store_attr, store_subscr, load_name, load_const;
			unsigned char load_attr, extended, store_name, delete_name;
			unsigned char pop_top, pop_except, store_deref;
		};
		unsigned char numbers[11];
	};
	unsigned char pop_block; /* up to 3.10; from then on a table tells what is guarded */
	unsigned char kind[256];
	unsigned char same_as[256]; /* what stands for the instruction in comparisons */
};

/* -1 when the version is not known. */
int opcodes_init(struct opcodes *out, int minor);

#endif
