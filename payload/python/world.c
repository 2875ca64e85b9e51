/* SPDX-License-Identifier: MIT
 *
 * Finding the types and functions of the interpreter, and leaving it as it was. The invariant:
 * what entering changed (the collector is off, builtin modules imported) world_leave undoes.
 */
#include "payload/python/world.h"

#include "payload/base/freestanding.h"
#include "payload/python/let_run.h"
#include "payload/python/type_word.h"
#include "payload/python/version.h"

/* Objects of the interpreter's binary: the same in each world. */
static struct {
	PyObject *class, *code, *dict, *function, *module, *str, *tuple;
} types;

/* Keeps `o` in world->owned, which steals it; returns it borrowed. */
static PyObject *keep(struct world *world, PyObject *o)
{
	if (py_append(world->owned, o))
		world->error = NULL;
	Py_DecRef(o);
	return o;
}

static PyObject *builtin(const struct world *world, const char *name)
{
	return py_ref(PyDict_GetItemString(world->builtins, name));
}

static PyObject *slot_of_type(PyObject *type, const char *name, const char *attribute)
{
	_cleanup_py_ PyObject *dict = PyObject_GetAttrString(type, "__dict__");
	_cleanup_py_ PyObject *key = PyUnicode_FromString(name);
	_cleanup_py_ PyObject *slot = dict && key ? PyObject_GetItem(dict, key) : NULL;

	if (!slot)
		return NULL;
	return attribute ? PyObject_GetAttrString(slot, attribute) : py_take(&slot);
}

static PyObject *type_and_drop(PyObject *o)
{
	PyObject *type = o ? PyObject_Type(o) : NULL;

	Py_DecRef(o);
	return type;
}

static void find_types(struct world *w)
{
	/* in the order of struct world */
	PY_FILLED(struct world, object, complex, 16);
	static const char names[] =
		"object\0type\0dict\0list\0int\0set\0property\0staticmethod\0"
		"classmethod\0tuple\0bytes\0frozenset\0str\0bool\0float\0complex\0";
	PyObject **slot = &w->object;

	for (const char *name = names; *name; name = text_next(name))
		*slot++ = keep(w, builtin(w, name));
}

static void find_names(struct world *w)
{
	/* in the order of enum world_name */
	_Static_assert(NAMES == 10, "one for each");
	static const char names[] = "__module__\0__file__\0__spec__\0loader\0origin\0name\0"
				    "has_location\0_initializing\0cached\0_cached\0";
	PyObject **slot = w->name;

	for (const char *name = names; *name; name = text_next(name))
		*slot++ = keep(w, PyUnicode_InternFromString(name));
}

static int find_made_types(struct world *w)
{
	/* Compiling would be the first event that an audit hook hears, before our own. */
	_cleanup_py_ PyObject *code = PyCode_NewEmpty("<pyhotpatch>", "", 1);
	_cleanup_py_ PyObject *globals = PyDict_New();
	_cleanup_py_ PyObject *function =
		code && globals ? PyFunction_New(code, globals) : NULL;
	_cleanup_py_ PyObject *get =
		function ? PyObject_GetAttrString(function, "__get__") : NULL;

	if (!get)
		return -1;
	w->code = keep(w, PyObject_Type(code));
	w->function = keep(w, PyObject_Type(function));
	w->cell = keep(w, type_and_drop(PyCell_New(NULL)));
	w->method = keep(w, type_and_drop(py_call(get, globals)));
	w->member_descriptor =
		keep(w, type_and_drop(slot_of_type(w->type, "__basicsize__", NULL)));
	w->getset_descriptor = keep(w, type_and_drop(slot_of_type(w->type, "__dict__", NULL)));
	w->type_setattr = keep(w, slot_of_type(w->type, "__setattr__", NULL));
	w->type_delattr = keep(w, slot_of_type(w->type, "__delattr__", NULL));
	w->type_subclasses = keep(w, slot_of_type(w->type, "__subclasses__", NULL));
	w->set_update = keep(w, slot_of_type(w->set, "update", NULL));
	w->dict_of_type = keep(w, slot_of_type(w->type, "__dict__", "__get__"));
	w->set_class = keep(w, slot_of_type(w->object, "__class__", "__set__"));
	types.class = w->type;
	types.code = w->code;
	types.dict = w->dict;
	types.function = w->function;
	types.module = w->module;
	types.str = w->str;
	types.tuple = w->tuple;
	return 0;
}

PyObject *world_loaded(const struct world *w, const char *module, const char *name)
{
	PyObject *m = PyDict_GetItemString(w->modules, module);

	return world_is_module(m) ? PyDict_GetItemString(PyModule_GetDict(m), name) : NULL;
}

static void find_optional_types(struct world *w)
{
	/* modules and their types, in the order of struct world */
	PY_FILLED(struct world, partial, zip_importer, 13);
	static const char names[] = "functools\0partial\0"
				    "functools\0_lru_cache_wrapper\0"
				    "functools\0cached_property\0"
				    "enum\0EnumMeta\0"
				    "collections\0OrderedDict\0"
				    "abc\0ABCMeta\0"
				    "_frozen_importlib\0ModuleSpec\0"
				    "_frozen_importlib\0BuiltinImporter\0"
				    "_frozen_importlib\0FrozenImporter\0"
				    "_frozen_importlib_external\0SourceFileLoader\0"
				    "_frozen_importlib_external\0SourcelessFileLoader\0"
				    "_frozen_importlib_external\0ExtensionFileLoader\0"
				    "zipimport\0zipimporter\0";
	PyObject **slot = &w->partial;

	for (const char *module = names; *module; slot++) {
		const char *name = text_next(module);
		PyObject *found = world_loaded(w, module, name);
		if (found)
			*slot = keep(w, py_ref(found));
		module = text_next(name);
	}
}

int world_stop_collector(struct world *w)
{
	/* in the order of struct world */
	PY_FILLED(struct world, get_objects, gc_is_enabled, 6);
	static const char names[] =
		"get_objects\0get_referrers\0get_referents\0enable\0disable\0"
		"isenabled\0";
	_cleanup_py_ PyObject *gc = py_import("gc");
	PyObject **slot = &w->get_objects;

	for (const char *name = names; gc && *name; name = text_next(name))
		*slot++ = keep(w, PyObject_GetAttrString(gc, name));
	w->getrefcount = PySys_GetObject("getrefcount");
	if (!gc || !w->error || !w->getrefcount)
		return -1;
	_cleanup_py_ PyObject *enabled = PyObject_CallObject(w->gc_is_enabled, NULL);
	_cleanup_py_ PyObject *disabled =
		enabled ? PyObject_CallObject(w->gc_disable, NULL) : NULL;
	w->is_gc_enabled = disabled && PyObject_IsTrue(enabled) == 1;
	return disabled ? 0 : -1;
}

/* What the argument of LOAD_COMMON_CONSTANT is an index of: 3.14 has the first five, 3.15 all.
 * Lib/opcode.py of each, _common_constants. */
static PyObject *common_constants(const struct world *w)
{
	static const char names[] =
		"AssertionError\0NotImplementedError\0tuple\0all\0any\0list\0"
		"set\0None\0";
	_cleanup_py_ PyObject *list = PyList_New(0);

	for (const char *name = names; list && *name; name = text_next(name)) {
		PyObject *value = PyDict_GetItemString(w->builtins, name);
		if (PyList_Append(list, value ? value : w->none))
			return NULL;
	}
	_cleanup_py_ PyObject *last =
		Py_BuildValue("[sNNi]", "", PyBool_FromLong(1), PyBool_FromLong(0), -1);
	if (!list || !last || PyList_SetSlice(list, PyList_Size(list), PyList_Size(list), last))
		return NULL;
	return py_take(&list);
}

static int find_opcodes(struct world *w)
{
	const uint64_t version = version_hex();

	if (version >> 24 == 3 && !opcodes_init(&w->opcodes, version >> 16 & 0xff))
		return 0;
	PyErr_SetString(w->error, "this version's instructions are not known");
	return -1;
}

int world_enter(struct world *w)
{
	*w = (struct world){0};
	let_run_begin(w);
	w->owned = PyList_New(0);
	w->modules = PyImport_GetModuleDict();
	PyObject *builtins = w->modules ? PyDict_GetItemString(w->modules, "builtins") : NULL;
	w->builtins = builtins ? PyModule_GetDict(builtins) : NULL;
	if (!w->owned || !w->builtins)
		return -1;
	w->had_gc = PyDict_GetItemString(w->modules, "gc") != NULL;
	w->had_ast = PyDict_GetItemString(w->modules, "_ast") != NULL;
	w->error = PyDict_GetItemString(w->builtins, "Exception");
	w->none = keep(w, Py_BuildValue(""));
	find_types(w);
	w->module = keep(w, PyObject_Type(builtins));
	w->common = keep(w, common_constants(w));
	find_names(w);
	if (!w->error || !w->common || find_opcodes(w) || find_made_types(w))
		return -1;
	type_word_find(w);
	find_optional_types(w);
	return w->error ? 0 : -1;
}

static void drop_module(struct world *w, const char *name, int had_it)
{
	if (!had_it && PyDict_GetItemString(w->modules, name) &&
	    PyDict_DelItemString(w->modules, name))
		PyErr_Clear();
}

/* threading.current_thread() called on our thread, by logging for one, has left a dummy. */
static void drop_dummy_thread(struct world *w)
{
	PyObject *active = world_loaded(w, "threading", "_active");
	_cleanup_py_ PyObject *ident = PyLong_FromUnsignedLong(PyThread_get_thread_ident());

	if (ident && world_is_dict(active) && PyDict_GetItem(active, ident) &&
	    PyDict_DelItem(active, ident))
		PyErr_Clear();
}

/* gc.collect calls what the program has put into gc.callbacks; this collection is not its own.
 */
static void collect_young(PyObject *gc)
{
	_cleanup_py_ PyObject *callbacks = PyObject_GetAttrString(gc, "callbacks");
	_cleanup_py_ PyObject *kept = callbacks ? PySequence_List(callbacks) : NULL;
	Py_ssize_t count = py_count(kept);

	if (count > 0 && PyList_SetSlice(callbacks, 0, count, NULL))
		return;
	_cleanup_py_ PyObject *found = PyObject_CallMethod(gc, "collect", "i", 0);
	PyErr_Clear();
	/* In front of what a finaliser may have added. */
	if (count > 0)
		PyList_SetSlice(callbacks, 0, 0, kept);
}

/* Donor classes are cycles; while they live, __subclasses__() shows them. Made with the
 * collector off, they are all young, so the cheapest collection finds them. A program that runs
 * without the collector is left alone. */
void world_collect(const struct world *w)
{
	if (!w->is_gc_enabled || !w->made_garbage)
		return;
	_cleanup_py_ PyObject *gc = py_import("gc");
	if (gc)
		collect_young(gc);
	PyErr_Clear();
}

static void enable_collector(void)
{
	_cleanup_py_ PyObject *gc = py_import("gc");
	_cleanup_py_ PyObject *enabled = gc ? PyObject_CallMethod(gc, "enable", NULL) : NULL;

	if (!enabled)
		PyErr_Clear();
}

void world_leave(struct world *w)
{
	struct py_pending pending;

	if (!w->owned)
		return;
	py_set_aside(&pending);
	drop_dummy_thread(w);
	if (w->is_gc_enabled)
		enable_collector();
	drop_module(w, "gc", w->had_gc);
	drop_module(w, "_ast", w->had_ast);
	Py_DecRef(w->owned);
	w->owned = NULL;
	py_bring_back(&pending);
}

PyObject *world_type_dict(const struct world *w, PyObject *type)
{
	_cleanup_py_ PyObject *proxy = py_call(w->dict_of_type, type);
	_cleanup_py_ PyObject *copy = PyDict_New();

	if (!proxy || !copy || PyDict_Update(copy, proxy))
		return NULL;
	return py_take(&copy);
}

/* A mappingproxy refers to nothing but the dict (Objects/descrobject.c, all versions). */
PyObject *world_class_namespace(const struct world *w, PyObject *type)
{
	_cleanup_py_ PyObject *proxy = py_call(w->dict_of_type, type);
	_cleanup_py_ PyObject *inside = proxy ? py_call(w->get_referents, proxy) : NULL;

	/* Of ctypes' classes it is a subclass of dict, up to 3.12. */
	if (py_count(inside) == 1 && py_is_a(py_head(inside), w->dict))
		return py_ref(py_head(inside));
	if (!PyErr_Occurred())
		PyErr_SetString(w->error, "a class with an unknown kind of namespace");
	return NULL;
}

PyObject *world_own_dict(const struct world *w, PyObject *o)
{
	_cleanup_py_ PyObject *name = PyUnicode_FromString("__dict__");
	PyObject *dict = name ? PyObject_GenericGetAttr(o, name) : NULL;

	if (!dict) {
		PyErr_Clear();
		return NULL;
	}
	if (!py_is_a(dict, w->dict)) {
		Py_DecRef(dict);
		return NULL;
	}
	return dict;
}

PyObject *world_own_item(const struct world *w, PyObject *o, const char *name)
{
	_cleanup_py_ PyObject *dict = world_own_dict(w, o);

	return dict ? py_ref(PyDict_GetItemString(dict, name)) : NULL;
}

PyObject *world_deque(const struct world *w)
{
	return world_loaded(w, "collections", "deque");
}

PyObject *world_list_items(const struct world *w, PyObject *o)
{
	if (py_is_a(o, w->list))
		return PyList_GetSlice(o, 0, PyList_Size(o));
	_cleanup_py_ PyObject *iterator =
		PyObject_CallMethod(world_deque(w), "__iter__", "O", o);
	return iterator ? PySequence_List(iterator) : NULL;
}

long world_references(const struct world *w, PyObject *o)
{
	_cleanup_py_ PyObject *count = py_call(w->getrefcount, o);

	return count ? PyLong_AsLong(count) : -1;
}

PyObject *world_type_attribute(PyObject *type, const char *name)
{
	_cleanup_py_ PyObject *key = PyUnicode_FromString(name);

	return key ? PyObject_GenericGetAttr(type, key) : NULL;
}

__attribute__((noinline)) long world_type_number(PyObject *type, const char *name)
{
	_cleanup_py_ PyObject *value = world_type_attribute(type, name);

	return value ? PyLong_AsLong(value) : -1;
}

/* Each call is shorter by the name. */
__attribute__((noinline)) PyObject *world_base(PyObject *type)
{
	return world_type_attribute(type, "__base__");
}

__attribute__((noinline)) PyObject *world_dotted(PyObject *outer, PyObject *name)
{
	return PyUnicode_FromFormat("%U.%U", outer, name);
}

__attribute__((noinline)) PyObject *world_bases(PyObject *type)
{
	return world_type_attribute(type, "__bases__");
}

__attribute__((noinline)) PyObject *world_mro(PyObject *type)
{
	return world_type_attribute(type, "__mro__");
}

__attribute__((noinline)) PyObject *world_name(PyObject *type)
{
	return world_type_attribute(type, "__name__");
}

__attribute__((noinline)) PyObject *world_qualname(PyObject *type)
{
	return world_type_attribute(type, "__qualname__");
}

/* PyType_Modified goes down by itself, but must not be called on a static type (a debug build
 * of 3.14 ends there: Objects/typeobject.c, type_modified_unlocked). */
void world_forget_lookups(const struct world *w, PyObject *type, int depth)
{
	if (PyType_GetFlags(type) & PY_TYPE_IS_HEAP) {
		PyType_Modified(type);
		return;
	}
	_cleanup_py_ PyObject *below = depth < 50 ? py_call(w->type_subclasses, type) : NULL;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(below, i)); i++)
		world_forget_lookups(w, item, depth + 1);
	PyErr_Clear();
}

PyObject *world_current_frames(const struct world *w)
{
	PyObject *function = w->hides_frames ? NULL : PySys_GetObject("_current_frames");

	return function ? py_call(function) : NULL;
}

int world_is_type_error(const struct world *w)
{
	PyObject *kind = PyDict_GetItemString(w->builtins, "TypeError");

	return kind && PyErr_ExceptionMatches(kind);
}

/* Each call is shorter by the type. */
int world_is_module(PyObject *o)
{
	return py_is_a(o, types.module);
}

int world_is_class(PyObject *o)
{
	return py_is_a(o, types.class);
}

int world_is_code(PyObject *o)
{
	return py_is(o, types.code);
}

int world_is_dict(PyObject *o)
{
	return py_is(o, types.dict);
}

int world_is_function(PyObject *o)
{
	return py_is(o, types.function);
}

int world_is_str(PyObject *o)
{
	return py_is(o, types.str);
}

int world_is_tuple(PyObject *o)
{
	return py_is(o, types.tuple);
}
