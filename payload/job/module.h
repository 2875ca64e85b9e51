/* SPDX-License-Identifier: MIT
 *
 * A module whose source changed, and what the steps of an attach have found out about it.
 */
#ifndef PAYLOAD_JOB_MODULE_H
#define PAYLOAD_JOB_MODULE_H

#include <stddef.h>

#include "payload/base/py.h"

/* What tells that a file is not the one that was seen before. */
struct file_stamp {
	uint64_t device, inode, size;
	int64_t mtime_ns, ctime_ns;
};

enum module_kind {
	MODULE_PLAIN = 0,  /* a file, read as the import system reads it */
	MODULE_IN_ARCHIVE, /* zipimport */
	MODULE_OTHER,      /* what its loader says */
};

/* A module whose source changed, or may have. All references are owned, and lie side by
 * side; those that a step has not made yet are NULL. */
struct module {
	enum module_kind kind;
	/* changed: if not, it has to follow one that did (unchanged.h)
	 * moved: nothing but lines and bodies changed; code objects are replaced, nothing runs
	 */
	unsigned is_main : 1, is_changed : 1, is_moved : 1;
	unsigned is_partial : 1;    /* less than the whole body runs, in a copy of `live` */
	unsigned was_importing : 1; /* by another thread, when it was found */
	unsigned is_running : 1;    /* a thread is in its body, as in a script's */
	unsigned may_call : 1;      /* the statements that run may */
	unsigned is_translated : 1; /* its loader makes other code of the source than Python */
	PyObject *name;             /* str: its key in sys.modules, or what it calls itself */
	PyObject *key;      /* str: no other module's; the name if sys.modules leads to it */
	PyObject *object;   /* the module; NULL when it is gone and its functions are not */
	PyObject *live;     /* its namespace */
	PyObject *file;     /* str: as the program calls it */
	PyObject *path;     /* bytes: what is looked at on disk, the file or its archive */
	PyObject *loader;   /* NULL: none, ordinary files are read */
	PyObject *place;    /* dict: what the import system puts into a module of that name now
			       that its file is gone, None for what goes (elsewhere.py); NULL: the
			       file is there */
	PyObject *source;   /* bytes */
	PyObject *code;     /* the new source, compiled */
	PyObject *run_code; /* what the shadow run executes of it: less than all in __main__ */
	PyObject *old_file; /* str: what the code that runs calls its file; from when the new
			       source is compiled, or the file moved */
	PyObject *old_code; /* what runs now, or NULL when it cannot be known */
	PyObject *shadow;   /* a module object that nobody else knows, and its namespace */
	PyObject *fresh;
	PyObject *before; /* is_partial: a copy of `live` from before the run */
	PyObject *anchor; /* lives as long as the namespace: the module, or a function of it */
	/* When not the whole body runs; first the dicts, then the sets, then the rest: */
	PyObject *inner;  /* dict: qualified name -> (live function, its new code, what the
			     decorators made, does the class's maker get it bare, how many
			     decorators were added above), run without the others */
	PyObject *donors; /* dict: qualified name -> the function that ran undecorated */
	PyObject *parts;  /* dict: qualified name -> (live class, set of attributes that stay or
			     None when only what changed runs, dict of constants, is the whole of
			     the annotations made again, set of names that what runs reads above
			     those who bind them) */
	PyObject *kept;   /* dict: qualified name of a class -> set of attributes that stay */
	PyObject *refreshed; /* dict: name that an unchanged import binds -> name imported */
	PyObject *uses; /* set: the names that the statements that run refer to, and the codes
			   inside of them */
	PyObject *superseded; /* set: names that one of these binds after what runs */
	PyObject *redefined; /* set: qualified names of functions that differ in more than their
				code, and of classes that differ in more than their methods' */
	PyObject *headed; /* set: qualified names of functions whose head, with the defaults, is
			     what it was */
	PyObject *chosen; /* list of tuples (enum statement_field): the statements that run */
	PyObject *stays;  /* list: names that statements bind which do not run */
	PyObject *told;   /* set: qualified names of functions that a record tells of */
	PyObject *stars;  /* (list, from the end on: (level, name) of each `from name import *`,
			     and each name that a statement binds; that of the old code or
			     None); NULL: there are none */
	PyObject *kept_annotations; /* set: numbers of annotated statements that need not run */
	PyObject *bodies; /* list of (qualified name, new code): all that changed, when is_moved
			     and not NULL */
	PyObject *binds;  /* name -> value for the live namespace, donors not yet swapped */
	struct file_stamp stamp;
	long run_references; /* how many there were to run_code before it ran */
};

/* Of a statement that runs. */
enum statement_field {
	STATEMENT_LINE,          /* int */
	STATEMENT_IS_DEFINITION, /* int: WIRE_RECORD_FUNCTION, WIRE_RECORD_CLASS or 0 */
	STATEMENT_NAMES,         /* list: what it binds */
};

struct modules {
	struct module *items;
	size_t count, capacity;
};

void modules_fini(struct modules *modules);
/* The name is in the end what a statement makes of it that does not run. */
int module_is_superseded(const struct module *module, PyObject *name);

/* A name that the import system puts into modules. */
int module_is_import_name(PyObject *name);

/* What is behind the last dot of a name. */
const char *module_leaf(const char *dotted);

/* Lets go of what is there when not the whole body runs. */
void module_forget_choice(struct module *module);

void module_fini(struct module *module);

/* The module with the namespace; NULL when there is none. */
struct module *modules_find(const struct modules *modules, PyObject *live);

/* A new module at the end, all zero; NULL with an exception. */
struct module *modules_add(struct modules *modules);

#endif
