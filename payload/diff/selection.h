/* SPDX-License-Identifier: MIT
 *
 * A selection of statements in the making: between statements.c and its parts.
 */
#ifndef PAYLOAD_DIFF_SELECTION_H
#define PAYLOAD_DIFF_SELECTION_H

#include "payload/diff/body.h"
#include "payload/job/job.h"

enum { REBOUND_DELETED = 2 };

struct selection {
	struct job *job;       /* borrowed */
	struct module *module; /* borrowed */
	struct tokens tokens;
	struct body body;
	PyObject *rebound[3];     /* sets, owned, NULL until it is asked: names that functions
				     declare global; attributes that are assigned or deleted;
				     those that are deleted */
	PyObject *codes;          /* dict, likewise: those of the new source */
	PyObject *renewed;        /* set, likewise: names of the module that statements which
				     changed assign, and what is made of them */
	unsigned is_deciding : 1; /* whether the module changed at all */
};

/* Where a definition stands: in the body of the module or of a class. All borrowed. */
struct function_place {
	const struct body *body;
	const struct group *group;
	PyObject *names; /* the live namespace */
	PyObject *name, *qualname;
	unsigned is_made : 1;  /* in a class whose maker may have wrapped it */
	unsigned is_whole : 1; /* and which is made anew */
};

/* --- statements.c --- */

void selection_fini(struct selection *s);

/* That a statement shall run, or that it was reduced to the part of it that shall. */
enum { SELECTION_WHOLE = 1, SELECTION_IN_PART = 2 };

/* Who decides for each statement of a body whether it shall run: one of the above, 0, -1 with
 * an exception. */
struct sorter {
	struct selection *selection;
	const struct body *body;
	unsigned is_of_module : 1; /* it is told of */
	int (*choose)(const struct sorter *sorter, const struct group *group, PyObject *node);
	const void *context;
};

/* The statements of the body as a new list, those that shall not run below `if 0:`. */
PyObject *selection_sort(const struct sorter *sorter);

/* A statement of the module, or of a block in it: 1 when it shall run, 0, -1. */
int selection_choose(const struct sorter *sorter, const struct group *group, PyObject *node);

/* --- statement_block.c --- */

/* A block that changed: what did not change inside shall not run. SELECTION_WHOLE when all of
 * it shall, SELECTION_IN_PART, or -1. */
int selection_block(struct selection *s, const struct group *group, PyObject *node);

/* --- statement_definition.c --- */

/* A function that changed: its decorators need not run when they did not change. 0, or -1. */
int selection_function(struct selection *s, const struct function_place *place, PyObject *node);

/* Has a function of the body other decorators than before, as far as is known? */
int selection_is_decorated_anew(const struct body *body);

/* The function of this module inside `value`, whatever is wrapped around it: with `code`, or
 * called `name` when `code` is NULL. New reference; NULL without exception when there is none.
 */
PyObject *selection_inner(const struct selection *s, PyObject *value, PyObject *code,
			  PyObject *name);

/* --- statement_class.c --- */

/* A class that changed: which statements of its body run. 1 when it turns out to be the same.
 */
int selection_class(struct selection *s, const struct function_place *place, PyObject *node);

/* --- statement_annotations.c --- */

/* Leaves of a statement `x: T = value` that x is a T, and of others nothing: 1, 0, -1. */
int selection_annotate_alone(const struct world *world, PyObject *node);

/* 3.14: does a class body compute its annotations otherwise? Where the old one is not known,
 * `live` is the function that does, or NULL. */
int selection_is_annotate_other(const struct body *body, PyObject *live);

/* Has the class an annotation that no statement of the body makes? */
int selection_is_annotation_gone(const struct body *body, PyObject *names);

/* --- statement_header.c --- */

/* Notes whether more of a function that runs differs than its code, as far as is known. */
int selection_note_head(struct module *module, const struct function_place *at);

/* The same of each function in a block, whose place has the class's qualified name. */
int selection_note_block(const struct selection *s, const struct function_place *class_place,
			 PyObject *node);

/* Without old code: notes that the function's defaults may stay, as those that are state do. */
int selection_note_live_head(const struct selection *s, PyObject *node, PyObject *function);

/* Is all of a definition but the code of its body what it was? */
int selection_is_rest_same(const struct body *body, const struct definition *old,
			   const struct definition *new);

/* --- statement_needs.c --- */

/* Marks statements that others build on as changed. `names`: the live ones of a module; or else
 * `class_names`, those of a class. */
void selection_need(struct selection *s, struct body *body, PyObject *names,
		    PyObject *class_names);

/* The part of it that is of a block's statements, too: a changed one builds on what another
 * binds. */
void selection_need_built_on(struct body *body, PyObject *names);

/* Is what a statement in a block makes made of names that are bound anew? */
int selection_is_to_renew(struct selection *s, PyObject *node);

/* Notes that the class is made again as a whole. */
int selection_note_remade(const struct job *job, PyObject *class);

/* Is it? */
int selection_is_remade(const struct job *job, PyObject *class);

/* Is it below one that is, from which its maker took something over? `bound`: what its body
 * binds. */
int selection_is_below_remade(const struct job *job, PyObject *class, PyObject *bound);

/* --- statement_infer.c --- */

/* Without old code: judges each group by what is there now. */
int selection_infer(struct selection *s);

/* A statement of the module, or of a class that its maker has taken nothing from: 1 when it
 * changed, 0, -1. */
int selection_judge(struct selection *s, const struct body *body, const struct group *group,
		    PyObject *names, int is_made);

/* Does it bind a name that is not there? */
int selection_is_missing(struct selection *s, const struct body *body,
			 const struct group *group, PyObject *names);

/* The same of a definition of the group. `is_made`: the class's maker may have wrapped it. */
int selection_is_function_other(struct selection *s, const struct body *body,
				const struct group *group, PyObject *node, PyObject *names,
				int is_made);
int selection_is_class_other(struct selection *s, const struct body *outer,
			     const struct group *group, PyObject *node, PyObject *names);

/* --- statement_infer_class.c --- */

/* Likewise the groups of a class body against the live class's namespace. 1 when any changed.
 */
int selection_infer_class(struct selection *s, struct body *body, PyObject *names,
			  PyObject *class, PyObject *node);

/* Is the value of an attribute a function that the class's body once made under that name? */
int selection_is_own_method(const struct selection *s, PyObject *name, PyObject *value);

/* --- statement_rebound.c --- */

/* Is the name gone again when the body has run? */
int selection_is_dropped(const struct body *body, PyObject *name);

/* Does code of the module bind the name at run time? `which` of the sets of `rebound` has it.
 */
int selection_is_rebound(struct selection *s, PyObject *name, int which);

/* --- without the old source: statement_value.c --- */

/* What a name, or the name in a module, is now; borrowed. NULL for any other expression. */
PyObject *selection_resolve(const struct selection *s, PyObject *node);

/* Is it a value, made of constants, and another than this one? */
int selection_is_value_other(const struct world *world, PyObject *live, PyObject *value);

/* What an expression of constants and names of constants is; NULL without exception for any
 * other. `names`: of the class around it, or NULL. New reference. */
PyObject *selection_value(struct selection *s, PyObject *names, PyObject *node);

/* --- statement_decorators.c --- */

/* Can the function's decorators not have made what is there? */
int selection_is_decorated_otherwise(struct selection *s, const struct function_place *at,
				     PyObject *node);

/* --- statement_imports.c --- */

/* Does an import bring something else than what is there? */
int selection_is_import_other(struct selection *s, PyObject *node, PyObject *names);

/* --- statement_plausible.c --- */

/* Is what the class statement makes left as it is? Nothing but dataclass decorates it, and no
 * metaclass takes away what is no function: a form's fields, a model's Meta. */
int selection_is_plain_class(const struct selection *s, PyObject *node, PyObject *live);

/* May bases and dataclass have made the live class? */
int selection_is_header_plausible(struct selection *s, const struct body *outer, PyObject *node,
				  PyObject *live);

#endif
