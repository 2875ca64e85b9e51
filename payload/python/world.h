/* SPDX-License-Identifier: MIT
 *
 * The interpreter that is served: its types and the few functions of its own that the payload
 * calls, all found at run time. Only builtin types are in here, so calling them runs no code of
 * the program.
 */
#ifndef PAYLOAD_PYTHON_WORLD_H
#define PAYLOAD_PYTHON_WORLD_H

#include "payload/base/py.h"
#include "payload/python/opcodes.h"

/* What many modules or classes are asked for. The strings are the interpreter's own: only what
 * is asked for by them is in its cache of attributes (Objects/typeobject.c, _PyType_Lookup). */
enum world_name {
	NAME_MODULE,
	NAME_FILE,
	NAME_SPEC,
	NAME_LOADER, /* this and the rest of a spec */
	NAME_ORIGIN,
	NAME_NAME,
	NAME_HAS_LOCATION,
	NAME_INITIALIZING,
	NAME_CACHED,
	NAME_KEPT_CACHED,
	NAMES
};

/* What is used most comes first: an access to the first 128 bytes is three bytes shorter. */
struct world {
	PyObject *none;
	PyObject *modules;  /* sys.modules */
	PyObject *builtins; /* the module's dict */
	PyObject *error;    /* builtins.Exception */
	/* types; those of functools and collections are NULL when not loaded */
	PyObject *object, *type, *dict, *list, *integer, *set, *property, *staticmethod,
		*classmethod, *tuple, *bytes, *frozenset, *str, *boolean, *real, *complex;
	PyObject *function, *module;
	PyObject *code, *cell, *method, *member_descriptor, *getset_descriptor;
	PyObject *partial, *lru_cache, *cached_property, *enum_type, *ordered_dict, *abc_meta,
		*module_spec, *builtin_importer, *frozen_importer, *source_loader,
		*sourceless_loader, *extension_loader, *zip_importer;
	PyObject *common; /* list: the constants that LOAD_COMMON_CONSTANT loads; 3.14 */
	PyObject *name[NAMES];
	/* functions */
	PyObject *get_objects, *get_referrers, *get_referents; /* gc */
	PyObject *gc_enable, *gc_disable, *gc_is_enabled;
	PyObject *getrefcount; /* sys */
	PyObject *type_setattr, *type_delattr, *type_subclasses, *set_update;
	PyObject *dict_of_type;         /* type.__dict__['__dict__'].__get__ */
	PyObject *set_class;            /* object.__dict__['__class__'].__set__ */
	PyObject *owned;                /* a list that keeps all of the above */
	int64_t held_since_ns, hold_ns; /* the GIL, and for how long: let_run.c's own */
	unsigned is_gc_enabled : 1, had_gc : 1, had_ast : 1;
	unsigned made_garbage : 1;   /* new module code ran */
	unsigned has_node_types : 1; /* a source was parsed */
	unsigned hides_frames : 1;   /* a thread that does not wait for our GIL may run */
	unsigned has_audit_hook : 1; /* sys.addaudithook or its like in C was called */
	struct opcodes opcodes;
};

/* Nothing that an audit hook hears of. -1 with an exception set. world_leave is due in either
 * case. */
int world_enter(struct world *out);

/* The rest: the collector's functions, and itself stopped. It is a builtin module; importing it
 * where the program did not is taken back on leaving. -1 with an exception set. */
int world_stop_collector(struct world *world);

/* Frees what the run of new module code has left. */
void world_collect(const struct world *world);

/* Puts the collector, sys.modules and the list of threads back as they were. Keeps a pending
 * exception. */
void world_leave(struct world *world);

/* A class's namespace as a new dict of its own: writing into it changes nothing. */
PyObject *world_type_dict(const struct world *world, PyObject *type);

/* The dict itself that is a class's namespace: whoever writes into it calls PyType_Modified,
 * and does not write what has a slot in the type. New reference; NULL with an exception. */
PyObject *world_class_namespace(const struct world *world, PyObject *type);

/* An instance's own dict, or NULL without exception when it has none. A new reference. */
PyObject *world_own_dict(const struct world *world, PyObject *o);

/* What is in there under a name, likewise. */
PyObject *world_own_item(const struct world *world, PyObject *o, const char *name);

/* Makes every class from `type` down look its methods up anew. */
void world_forget_lookups(const struct world *world, PyObject *type, int depth);

/* How many there are to the object, as sys.getrefcount() tells when it is called from C; -1
 * with an exception. */
long world_references(const struct world *world, PyObject *o);

/* type's own answer for `name` (__bases__, __basicsize__ ...), whatever the metaclass says. New
 * reference; NULL with an exception. */
PyObject *world_type_attribute(PyObject *type, const char *name);

/* The same for one that is a number; -1 with an exception. */
long world_type_number(PyObject *type, const char *name);

/* The same for what is asked for in many places. */
PyObject *world_base(PyObject *type);
PyObject *world_bases(PyObject *type);
PyObject *world_mro(PyObject *type);
PyObject *world_name(PyObject *type);
PyObject *world_qualname(PyObject *type);

/* "outer.name" */
PyObject *world_dotted(PyObject *outer, PyObject *name);

/* sys._current_frames(): new reference; NULL with an exception, or without where it is not
 * safe to ask. */
PyObject *world_current_frames(const struct world *world);

/* What a module has under a name, borrowed; NULL without exception while nobody has imported
 * it. */
PyObject *world_loaded(const struct world *world, const char *module, const char *name);

/* collections.deque, likewise. */
PyObject *world_deque(const struct world *world);

/* What a list or deque holds, as a new list, past any __iter__ and __len__ of a subclass. NULL
 * with an exception. */
PyObject *world_list_items(const struct world *world, PyObject *list_or_deque);

/* Is the pending exception a TypeError, by which a setter says that something does not fit? A
 * veto, or want of memory, it says for good. */
int world_is_type_error(const struct world *world);

/* Is it of a type that the process has one of, for all interpreters? A module or class may also
 * be of a subclass. */
int world_is_module(PyObject *o);
int world_is_class(PyObject *o);
int world_is_code(PyObject *o);
int world_is_dict(PyObject *o);
int world_is_function(PyObject *o);
int world_is_str(PyObject *o);
int world_is_tuple(PyObject *o);

#endif
