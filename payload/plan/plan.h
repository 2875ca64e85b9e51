/* SPDX-License-Identifier: MIT
 *
 * What an attach will write, and what stands for what afterwards. An object that the shadow run
 * made in the place of one that the program has is a *donor*; the old one takes its definition
 * and stays.
 */
#ifndef PAYLOAD_PLAN_PLAN_H
#define PAYLOAD_PLAN_PLAN_H

#include "payload/base/pointer_map.h"
#include "payload/job/job.h"
#include "payload/plan/writes.h"
#include "payload/shadow/shadow.h"

/* A class of the program and its donor. With `is_migrating` it is the other way round: the
 * donor becomes the class and instances move. */
struct class_pair {
	const struct module *module; /* borrowed; NULL: the donor is a copy of the class */
	PyObject *old, *donor;       /* owned */
	PyObject *binds;             /* dict, owned: attribute -> value for the kept class */
	uint32_t instances;          /* how many change their class */
	unsigned is_migrating : 1;
	unsigned is_part : 1; /* the donor has the attributes that changed alone */
};

/* A name of a module that gets another object. */
struct replaced_name {
	const struct module *module;  /* borrowed */
	PyObject *name, *old, *value; /* borrowed from the writes */
};

struct plan {
	struct job *job; /* borrowed, like the next two */
	const struct shadow *shadow;
	struct migration *migration;
	const struct module *moved_from; /* while a definition is paired that left it */
	struct class_pair *classes;
	size_t class_count, class_capacity;
	PyObject *codes;    /* of code_steps() */
	PyObject *caches;   /* list: lru_cache wrappers and ABCs to clear afterwards */
	PyObject *replaced; /* list of (old, new): of objects that are no classes */
	PyObject *imports;  /* for import_is_in_source() */
	int depth;
	int may_have_frames;    /* new code may have begun some that live on */
	int touches_class_dict; /* a class's namespace is written past type.__setattr__ */
	struct writes writes;
	struct pointer_map stand_in; /* donor -> kept; also shadow modules and namespaces */
	struct pointer_map adopted;  /* kept function -> donor */
	struct pointer_map defaults; /* code -> defaults_of() it */
	uint64_t told_from, told_to; /* where the records of its changes are in the reply */
};

/* What outlives one attempt to plan. */
struct migration {
	struct pointer_map old_classes; /* all that there were before the run */
	struct pointer_map must_move; /* those that cannot take definition or bases in place */
	struct pointer_map left;      /* instances that only the record for rollback holds */
};

/* Lists all writes. -1: refused (job->status) or an exception. plan_fini is due either way. */
int plan_make(struct plan *out, struct job *job, const struct shadow *shadow,
	      struct migration *migration);
void plan_fini(struct plan *plan);

/* What stands for `o`: itself unless it is a donor. Borrowed. */
PyObject *plan_stand_in(const struct plan *plan, PyObject *o);

/* From now on `new` stands for the old one, which is no class, wherever that is held. */
int plan_replace(struct plan *plan, PyObject *old, PyObject *new);

/* The __bases__ of the class with what stands for them. New reference. */
PyObject *plan_bases(const struct plan *plan, PyObject *class);

/* That has the class, as either of its two; NULL when there is none. */
struct class_pair *plan_pair_of(const struct plan *plan, PyObject *class);

/* --- merge.c: which old object takes the place of a new one --- */

/* What stays where `old` was and `new` came, in the module's own names. New reference. */
PyObject *merge_value(struct plan *plan, const struct module *module, PyObject *old,
		      PyObject *new);
int merge_names(struct plan *plan, struct module *module);

/* --- merge_moved.c: before the modules' own names --- */
int merge_moved(struct plan *plan);

/* --- merge_replaced.c --- */

/* Under one name of a module or class was the old and is the new: when both are what the name's
 * definition made, the new one takes the old one's place wherever that is held. `names`: all
 * that were there, and those that there are. */
int merge_replaced(struct plan *plan, const struct module *module, PyObject *name,
		   PyObject *const names[2], PyObject *const values[2]);

/* --- merge_function.c --- */

/* Whether an object is a certain function, or a wrapper around one. */
struct lead {
	const struct plan *plan;
	PyObject *object;  /* not NULL: what stands for it is this one; else a function */
	PyObject *globals; /* of this namespace, */
	PyObject *name;    /* not NULL: called so where it was written, */
	unsigned is_generated : 1; /* and of generated code */
};
int merge_leads(const struct lead *to, PyObject *o, int depth);

/* Made by the run of this module: its own function, a generated one, or a wrapper around one.
 */
int merge_is_new(const struct plan *plan, const struct module *module, PyObject *o);
PyObject *merge_functions(struct plan *plan, const struct module *module, PyObject *old,
			  PyObject *new);
/* What the new source defines under the name that the function has for itself. New reference,
 * or NULL without exception. */
PyObject *merge_code_now(const struct module *module, PyObject *function);

/* --- merge_class.c --- */
int merge_is_new_class(const struct plan *plan, const struct module *module, PyObject *o);
PyObject *merge_classes(struct plan *plan, const struct module *module, PyObject *old,
			PyObject *new);
/* After all else is merged: copies for the classes that must move and are not made anew. */
int merge_copies(struct plan *plan);
/* NULL with an exception; the next call may move it. */
struct class_pair *merge_add_pair(struct plan *plan, const struct module *module, PyObject *old,
				  PyObject *new);

/* --- each lists the writes of one subject; -1 with an exception --- */
int adopt_functions(struct plan *plan);
int adopt_wrappers(struct plan *plan);
int adopt_code_alone(struct plan *plan, PyObject *function);

/* What a decorator or the source put on the function; what others put there stays. */
int adopt_own_dict(struct plan *plan, PyObject *old, PyObject *donor);

/* The cells of `function` in the order of the code's free variables, or None; NULL without
 * exception when it has not got them all: a closure cannot be made up. */
PyObject *adopt_cells(const struct world *world, PyObject *function, PyObject *code);
int adopt_metaclasses(struct plan *plan); /* before all else of classes */
int adopt_classes(struct plan *plan);
int adopt_bases(struct plan *plan, PyObject *class, PyObject *like); /* those of `like` */
int adopt_abstract(struct plan *plan);
int adopt_enum(struct plan *plan, struct class_pair *pair);
int adopt_enum_moved(struct plan *plan, const struct class_pair *pair);
/* A write of a rollback: combinations of flags that the program made since are no conflict. */
int adopt_enum_back(struct plan *plan, size_t at);
int adopt_names(struct plan *plan);
int adopt_stores(struct plan *plan); /* before functions and classes */
int adopt_importers(struct plan *plan, const struct replaced_name *replaced);
int rebind_references(struct plan *plan);

/* Before anything of the plan refers to new code; then, as the last, the writes. */
int frames_note(struct plan *plan);
int rebind_frames(struct plan *plan);

/* Adds a write that the rollback record keeps, unless the object is a new class. */
int plan_write(struct plan *plan, enum write_kind kind, PyObject *object, PyObject *key,
	       PyObject *value);

int plan_has_write(const struct plan *plan, PyObject *object, PyObject *key);

/* Adds the write of a class's attribute that runs no code of its metaclass, and of no audit
 * hook. */
int plan_write_attribute(struct plan *plan, PyObject *class, PyObject *name, PyObject *value);

/* The metaclass that the class will have; borrowed. */
PyObject *plan_metaclass(const struct plan *plan, PyObject *class);

/* The module whose shadow namespace `dict` is, or NULL. */
const struct module *plan_module_of(const struct plan *plan, PyObject *dict);

#endif
