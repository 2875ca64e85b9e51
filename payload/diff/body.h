/* SPDX-License-Identifier: MIT
 *
 * The statements of a module's or a class's new body, each found again in the old body or not.
 */
#ifndef PAYLOAD_DIFF_BODY_H
#define PAYLOAD_DIFF_BODY_H

#include "payload/diff/stream.h"

/* Statements that begin on one line are one group; nearly always a single statement. */
struct group {
	int first_node, node_count;
	int line, line_end; /* lines from `line`, below `line_end` */
	int first, end;     /* steps of the new stream */
	int old_first;      /* where it was found in the old one; -1 */
	int pair;           /* where the old one is of a block, also when that changed; -1 */
	unsigned is_changed : 1;
	unsigned is_anew : 1;    /* what it binds may be otherwise though it says the same */
	unsigned is_retyped : 1; /* it changed, but in its annotation alone */
	unsigned is_rebased : 1; /* a class, for whose base another is imported now */
};

/* A definition among the steps: where it starts, loads its code, and ends behind its STORE. */
struct definition {
	int first, code, end;
	PyObject *body; /* what it loads, or inside of that when it has type parameters (3.12);
			   borrowed */
};

struct body {
	struct tokens *tokens; /* borrowed */
	PyObject *nodes;       /* list of statements; borrowed */
	struct stream old, new;
	struct group *groups;
	int group_count;
	unsigned char *is_used; /* steps of the old stream that a statement was found in */
};

/* Without old code every group counts as changed. body_fini is due in either case. */
int body_init(struct body *out, struct tokens *tokens, PyObject *old_code, PyObject *new_code,
	      PyObject *nodes);
void body_fini(struct body *body);

/* The definition called `name` in the group, or the last one in the first `end` steps of
 * the old body that no statement was found in. 0 when there is none. */
int body_find_new(struct definition *out, const struct body *body, const struct group *group,
		  PyObject *name);
int body_find_old(struct definition *out, const struct body *body, PyObject *name, int end);

/* The old statement in which this one was found counts as not found, so that parts of it may be
 * found. */
void body_forget(const struct body *body, const struct group *group);

/* The same, and the statement counts as changed. */
void body_let_go(struct body *body, struct group *group);

/* How many statements of the old or new body bind the name; those on one line count as one. */
int body_count_stores(const struct stream *stream, PyObject *name);

/* Does the statement bind the name? */
int body_binds(const struct body *body, const struct group *group, PyObject *name);

/* A statement that builds on a name (`x = f(x)`, @x.setter) changed when the statement did that
 * it builds on, and one of two that bind a name when it comes last now. Once it is known which
 * changed. */
void body_follow(struct body *body);

/* Fills two sets: the names that statements bind which did not change; those among them that
 * one which did change binds before, so that it is not what they are in the end. -1 with an
 * exception. */
int body_note_kept(const struct body *body, PyObject *kept, PyObject *superseded);

/* The names, as a new set, that statements which changed read before any statement of the body
 * binds them, though a later one does: there they mean what they mean outside of the body. */
PyObject *body_late_names(const struct body *body);

/* A statement that was not found: 1 when the old body has it in a block, or out of the one that
 * it is in now, and it is known to have run. */
int body_find_moved(const struct body *body, const struct group *group, PyObject *live);

/* 1 when all steps are in a group or found again, but for those that begin and end a class body
 * by themselves. */
int body_is_same(const struct body *body);

/* How many of the definition's last steps are calls of decorators, `count` at most. */
int body_count_calls(const struct stream *stream, const struct definition *d, int token,
		     int count);

#endif
