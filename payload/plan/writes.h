/* SPDX-License-Identifier: MIT
 *
 * Every write to the program as data: planned, then done in one stretch, then undoable.
 */
#ifndef PAYLOAD_PLAN_WRITES_H
#define PAYLOAD_PLAN_WRITES_H

#include "payload/heap/key_order.h"

#define WRITE_FRAME_SHIFT 16
#define WRITE_FRAME_OWNS  0x8000 /* the word is a counted reference */

enum write_kind {
	WRITE_ITEM,     /* dict[key] = value; value NULL deletes */
	WRITE_CONTENT,  /* the whole content of a dict becomes that of the dict `value` */
	WRITE_TWIN,     /* the dict changes places with its twin `value` (twin_dict.h) */
	WRITE_TYPE,     /* type.__setattr__(object, key, value); value NULL deletes */
	WRITE_BASES,    /* class.__bases__ = value */
	WRITE_CODE,     /* function: value = (code, closure or None) */
	WRITE_DEFAULTS, /* function; value NULL is none at all; likewise the next two */
	WRITE_KWDEFAULTS,
	WRITE_ANNOTATIONS,
	WRITE_ATTRIBUTE, /* a function's own __doc__, __name__ and so on */
	WRITE_CELL,
	WRITE_CLASS,     /* object.__class__ = value, past any __setattr__ */
	WRITE_INSTANCES, /* the same for all objects of the list `key`, of the class `object` */
	WRITE_LIST, /* the whole content of a list or deque becomes that of the list `value` */
	WRITE_SET,  /* the whole content of a set becomes that of the set `value` */
	WRITE_NAMESPACE, /* WRITE_TYPE past type.__setattr__: for what has no slot in a type */
	WRITE_WORD,      /* the reference to `key` inside an immutable object becomes `value` */
	WRITE_GLOBALS,   /* a function's namespace, which is the word at `offset` */
	WRITE_FRAME,     /* WRITE_WORD in the frame that a frame object stands for; borrowed */
};

struct write {
	enum write_kind kind;
	unsigned is_optional : 1; /* may fail without harm: the commit goes on */
	unsigned is_done : 1;
	unsigned is_loose : 1; /* WRITE_BASES: the class has neither the old nor the new ones */
	unsigned is_kept : 1;  /* belongs into the rollback record */
	unsigned is_guarded : 1;        /* only if `expected` is there: else the commit fails */
	PyObject *object, *key, *value; /* owned; key and value may be NULL */
	PyObject *expected;             /* owned; NULL: nothing is there */
	PyObject *old;                  /* owned; what was there, once done */
	PyObject *space;                /* owned; WRITE_NAMESPACE: the dict, once needed */
	size_t offset; /* WRITE_WORD, WRITE_GLOBALS: bytes from the object's start; WRITE_FRAME:
			  to the frame's address, shifted, and from the frame's start */
};

struct writes {
	struct write *items;
	size_t count, capacity;
	const struct write *failed; /* the one that stopped writes_commit */
	struct key_order order;     /* of the dicts that are written, from before */
};

void writes_fini(struct writes *writes);

/* Adds a write; takes new references. Returns it for its flags, NULL with an exception set. */
struct write *writes_add(struct writes *writes, enum write_kind kind, PyObject *object,
			 PyObject *key, PyObject *value);

/* Takes back that it was planned. */
void writes_remove(struct writes *writes, size_t at);

/* 1 when what the write expects is there; 1 for one that expects nothing in particular. */
int write_may_be_done(const struct write *write, const struct world *world);

/* Does them in order. On failure: -1, an exception is set, what was done is undone, and
 * *undo_failed tells whether even that failed. Runs no bytecode, except that
 * of audit hooks for WRITE_BASES, WRITE_CLASS and WRITE_INSTANCES, and of a metaclass's mro().
 */
int writes_commit(struct writes *writes, const struct world *world, int *undo_failed);

/* --- write_one.c --- */

/* Brings `value` into place; with `is_undo`, what was there before. */
int write_put(const struct world *world, const struct write *write, PyObject *value,
	      int is_undo);

/* What is there now. New reference; NULL without an exception for "nothing". */
PyObject *write_current(const struct world *world, const struct write *write);

/* --- */

/* Takes back what writes_commit did. 1 when that failed. */
int writes_undo(struct writes *writes, const struct world *world);

#endif
