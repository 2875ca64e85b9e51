/* SPDX-License-Identifier: MIT
 *
 * Old functions take the definition of their donors.
 */
#include "payload/base/freestanding.h"
#include "payload/heap/word.h"
#include "payload/job/note.h"
#include "payload/job/walk.h"
#include "payload/plan/annotations.h"
#include "payload/plan/plan.h"
#include "payload/python/code.h"
#include "payload/python/compare.h"
#include "payload/python/defaults.h"

#define CO_NESTED        0x10      /* Include/code.h: somewhere inside of a function */
#define CO_HAS_DOCSTRING 0x4000000 /* Include/cpython/code.h of 3.14 */

/* The cells of `function`, in the order in which the code wants them, but for those that lead
 * to the class, or its namespace: that is the kept one, of `old`. New reference, None for none;
 * NULL without exception when one is missing. */
static PyObject *cells_for(const struct world *w, PyObject *old, PyObject *function,
			   PyObject *code)
{
	_cleanup_py_ PyObject *names = code_free_names(code);
	_cleanup_py_ PyObject *cells = PyList_New(0);
	PyObject *name;

	for (Py_ssize_t i = 0; cells && (name = py_tuple_item(names, i)); i++) {
		PyObject *cell = compare_is_name(name, "__class__ __classdict__")
					 ? walk_free_cell(old, name)
					 : NULL;
		cell = cell ? cell : walk_free_cell(function, name);
		if (py_append(cells, cell))
			return NULL;
	}
	if (!names || !cells)
		return NULL;
	return PyTuple_Size(names) ? PyList_AsTuple(cells) : py_ref(w->none);
}

PyObject *adopt_cells(const struct world *w, PyObject *function, PyObject *code)
{
	return cells_for(w, function, function, code);
}

static int write_code(struct plan *p, PyObject *old, PyObject *donor, PyObject *code)
{
	const struct world *w = &p->job->world;
	PyObject *closure = PyFunction_GetClosure(donor);
	PyObject *old_code = PyFunction_GetCode(old), *old_closure = PyFunction_GetClosure(old);

	PyObject *globals = plan_stand_in(p, PyFunction_GetGlobals(donor));

	if (!closure && !old_closure && globals == PyFunction_GetGlobals(old) &&
	    code_is_same(w, old_code, code) == 1 && code_is_unmoved(old_code, code) == 1)
		return 0;
	_cleanup_py_ PyObject *cells = cells_for(w, old, donor, code);
	_cleanup_py_ PyObject *value = py_pair(code, cells);
	return value ? plan_write(p, WRITE_CODE, old, NULL, value) : -1;
}

/* It moved, or a decorator of another module came or went. The code is set after it: that makes
 * the interpreter forget what it knows of the function (func_version, 3.11). */
static int write_globals(struct plan *p, PyObject *old, PyObject *donor)
{
	PyObject *globals = PyFunction_GetGlobals(old);
	PyObject *wanted = plan_stand_in(p, PyFunction_GetGlobals(donor));
	size_t offset;

	if (wanted == globals)
		return 0;
	if (word_find_globals(&p->job->world, old, &offset) ||
	    plan_write(p, WRITE_GLOBALS, old, NULL, wanted))
		return -1;
	p->writes.items[p->writes.count - 1].offset = offset;
	return 0;
}

static int is_same_or_none(const struct world *w, PyObject *a, PyObject *b)
{
	return a == b || (a && b && compare_constants(w, a, b));
}

/* Is what stands before the body what it was? Then the defaults may have become state. */
static int is_headed(const struct plan *p, PyObject *donor)
{
	const struct module *m = plan_module_of(p, PyFunction_GetGlobals(donor));
	_cleanup_py_ PyObject *name = PyObject_GetAttrString(donor, "__qualname__");

	return m && m->headed && name && PySet_Contains(m->headed, name) == 1;
}

static PyObject *default_for(const struct world *w, PyObject *old, PyObject *new)
{
	return old && py_type(old) == py_type(new) && !compare_is_constant(w, new) &&
			       !world_is_function(new)
		       ? old
		       : new;
}

/* The donor gets those of the old function that stay. */
static int keep_defaults(const struct world *w, PyObject *old, PyObject *donor)
{
	PyObject *had = PyFunction_GetDefaults(old), *has = PyFunction_GetDefaults(donor);
	PyObject *keywords = PyFunction_GetKwDefaults(donor), *key, *value;
	_cleanup_py_ PyObject *list = PyList_New(0);
	Py_ssize_t at = 0;

	for (; had && has && list && at < PyTuple_Size(has); at++) {
		value = at < PyTuple_Size(had) ? PyTuple_GetItem(had, at) : NULL;
		if (PyList_Append(list, default_for(w, value, PyTuple_GetItem(has, at))))
			return -1;
	}
	_cleanup_py_ PyObject *tuple = list ? PyList_AsTuple(list) : NULL;
	if (!tuple || (at && PyFunction_SetDefaults(donor, tuple)))
		return -1;
	had = PyFunction_GetKwDefaults(old);
	at = 0;
	while (had && keywords && PyDict_Next(keywords, &at, &key, &value))
		if (PyDict_SetItem(keywords, key,
				   default_for(w, PyDict_GetItem(had, key), value)))
			return -1;
	return 0;
}

static int write_defaults(struct plan *p, PyObject *old, PyObject *donor)
{
	const struct world *w = &p->job->world;

	if (is_headed(p, donor) && keep_defaults(w, old, donor))
		return -1;
	PyObject *defaults = PyFunction_GetDefaults(donor);
	PyObject *keywords = PyFunction_GetKwDefaults(donor);
	if (!is_same_or_none(w, PyFunction_GetDefaults(old), defaults) &&
	    plan_write(p, WRITE_DEFAULTS, old, NULL, defaults))
		return -1;
	if (PyFunction_GetKwDefaults(old) != keywords &&
	    plan_write(p, WRITE_KWDEFAULTS, old, NULL, keywords))
		return -1;
	return annotations_adopt(p, old, donor);
}

/* Has a statement given it the module? By itself a function has its namespace's, and a wrapper
 * that of what it wraps. */
static int is_given(const struct world *w, PyObject *function, PyObject *module)
{
	PyObject *globals = PyFunction_GetGlobals(function);
	_cleanup_py_ PyObject *inner = world_own_item(w, function, "__wrapped__");
	_cleanup_py_ PyObject *own =
		world_is_function(inner) ? py_attribute(inner, "__module__")
					 : py_ref(PyDict_GetItemString(globals, "__name__"));

	return own && !compare_constants(w, module, own);
}

/* A module that was given stays, unless another is given now. */
static int write_attributes(struct plan *p, PyObject *old, PyObject *donor)
{
	/* The last is of 3.12 */
	static const char names[] = "__module__\0__doc__\0__name__\0__qualname__\0"
				    "__type_params__\0";
	const struct world *w = &p->job->world;

	for (const char *each = names; *each; each = text_next(each)) {
		_cleanup_py_ PyObject *name = PyUnicode_FromString(each);
		_cleanup_py_ PyObject *x = name ? PyObject_GetAttr(old, name) : NULL;
		_cleanup_py_ PyObject *y = x ? PyObject_GetAttr(donor, name) : NULL;
		PyErr_Clear();
		if (y && !compare_constants(w, x, y) &&
		    !(each == names && is_given(w, old, x) && !is_given(w, donor, y)) &&
		    plan_write(p, WRITE_ATTRIBUTE, old, name, y))
			return -1;
	}
	return 0;
}

/* Only decorators write these: where they are missing, the decorator has gone. */
static int remove_marks(struct plan *p, PyObject *old_dict, PyObject *new_dict)
{
	static const char *const marks[] = {"__isabstractmethod__", "__wrapped__"};

	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
		_cleanup_py_ PyObject *name = PyUnicode_FromString(marks[i]);
		if (!name)
			return -1;
		if (PyDict_GetItem(old_dict, name) && !PyDict_GetItem(new_dict, name) &&
		    plan_write(p, WRITE_ITEM, old_dict, name, NULL))
			return -1;
	}
	return 0;
}

int adopt_own_dict(struct plan *p, PyObject *old, PyObject *donor)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *new_dict = world_own_dict(w, donor);
	_cleanup_py_ PyObject *old_dict = world_own_dict(w, old);
	PyObject *key, *value;
	Py_ssize_t at = 0;

	if (!new_dict || !old_dict || remove_marks(p, old_dict, new_dict))
		return new_dict && old_dict ? -1 : 0;
	while (PyDict_Next(new_dict, &at, &key, &value)) {
		PyObject *kept = plan_stand_in(p, value);
		if (PyDict_GetItem(old_dict, key) != kept &&
		    plan_write(p, WRITE_ITEM, old_dict, key, kept))
			return -1;
	}
	return 0;
}

/* Of one whose code came from elsewhere than its old source, as when a whole body ran. */
static int report(struct plan *p, PyObject *old, PyObject *donor)
{
	const struct world *w = &p->job->world;
	PyObject *code = PyFunction_GetCode(donor);
	const struct module *m = plan_module_of(p, PyFunction_GetGlobals(donor));

	if (!m || code_name_is(code, "__annotate__"))
		return 0;
	if (code_is_same(w, PyFunction_GetCode(old), code) == 1 &&
	    (is_headed(p, donor) ||
	     is_same_or_none(w, PyFunction_GetDefaults(old), PyFunction_GetDefaults(donor))))
		return 0;
	return note_function(p->job, m, old, code);
}

static int adopt(struct plan *p, PyObject *old, PyObject *donor, PyObject *code)
{
	return report(p, old, donor) || write_globals(p, old, donor) ||
	       write_code(p, old, donor, code) || write_defaults(p, old, donor) ||
	       write_attributes(p, old, donor);
}

/* What a metaclass has made around a method of a class that is made again is of its old code.
 * Without the old source a code is paired with what a decorator has in its place now. */
static PyObject *code_of(const struct plan *p, PyObject *old, PyObject *donor)
{
	const struct module *m = modules_find(&p->job->modules, PyFunction_GetGlobals(old));
	PyObject *code = PyFunction_GetCode(donor);
	PyObject *next = m && m->old_code && code == PyFunction_GetCode(old)
				 ? code_next(p->codes, code)
				 : NULL;
	_cleanup_py_ PyObject *cells = next ? adopt_cells(&p->job->world, donor, next) : NULL;

	return cells ? next : code;
}

int adopt_functions(struct plan *p)
{
	const struct pointer_entry *entry;
	size_t at = 0;

	while ((entry = pointer_map_next(&p->adopted, &at))) {
		PyObject *old = entry->key, *donor = entry->value;
		if (!world_is_function(old))
			continue;
		if (adopt(p, old, donor, code_of(p, old, donor)) ||
		    adopt_own_dict(p, old, donor))
			return -1;
	}
	PyErr_Clear();
	return 0;
}

/* The function that has the name now of one that importlib.reload() has left behind, and is the
 * only one called so. Borrowed; NULL, maybe with an exception. Methods stay as they are: so
 * does all else of their class. What has the module's code and other defaults is a copy. */
static PyObject *successor(const struct plan *p, const struct module *m, PyObject *function)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *name = PyObject_GetAttrString(function, "__qualname__");
	PyObject *now = py_get(m->live, name);

	if (now == function || !world_is_function(now) ||
	    PyFunction_GetGlobals(now) != m->live || !m->old_code ||
	    (code_next(p->codes, PyFunction_GetCode(function)) &&
	     !is_same_or_none(w, PyFunction_GetDefaults(function),
			      PyFunction_GetDefaults(now))))
		return NULL;
	return code_is_only(m->old_code, PyFunction_GetCode(now)) ? now : NULL;
}

/* The definition that the one will have that has its name. */
static int adopt_left_behind(struct plan *p, PyObject *function, PyObject *now)
{
	PyObject *donor = pointer_map_get(&p->adopted, now);
	PyObject *code = donor && donor != now ? PyFunction_GetCode(donor)
					       : code_next(p->codes, PyFunction_GetCode(now));

	donor = donor ? donor : now;
	return code && (pointer_map_set(&p->adopted, function, donor) ||
			adopt(p, function, donor, code))
		       ? -1
		       : 0;
}

/* Those of what a function makes: no statement that runs gives it any. Borrowed. */
static PyObject *defaults_for(struct plan *p, const struct module *m, PyObject *code)
{
	PyObject *found = pointer_map_get(&p->defaults, code);

	if (!found && m && code_number(code, "co_flags") & CO_NESTED) {
		found = defaults_of(&p->job->world, m->code, code);
		if (pointer_map_set(&p->defaults, code, found))
			return NULL;
	}
	return found;
}

/* Another number of parameters may need defaults. */
static int takes_as_many(PyObject *a, PyObject *b)
{
	return code_number(a, "co_argcount") == code_number(b, "co_argcount") &&
	       code_number(a, "co_kwonlyargcount") == code_number(b, "co_kwonlyargcount");
}

/* What the interpreter gives a function of the code (Objects/funcobject.c): the first constant,
 * if that is text; from 3.14 on a flag says so. Borrowed. */
static PyObject *docstring_of(const struct world *w, PyObject *code)
{
	_cleanup_py_ PyObject *constants = code_constants(code);
	PyObject *first = py_tuple_item(constants, 0);
	int is_there =
		w->opcodes.minor < 14 || code_number(code, "co_flags") & CO_HAS_DOCSTRING;

	return world_is_str(first) && is_there ? first : w->none;
}

/* One that the function was given otherwise stays. */
static int write_docstring(struct plan *p, PyObject *function, PyObject *code)
{
	_cleanup_py_ PyObject *name = PyUnicode_FromString("__doc__");
	_cleanup_py_ PyObject *has = py_attribute(function, "__doc__");
	PyObject *had = docstring_of(&p->job->world, PyFunction_GetCode(function));
	PyObject *now = docstring_of(&p->job->world, code);

	return has == had && has != now ? plan_write(p, WRITE_ATTRIBUTE, function, name, now)
					: 0;
}

/* `defaults`: as defaults_of() has them. */
static int write_closure(struct plan *p, PyObject *function, PyObject *code, PyObject *closure,
			 PyObject *defaults)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *value = py_pair(code, closure);

	if (defaults == w->none)
		defaults = NULL;
	if (!value || write_docstring(p, function, code) ||
	    plan_write(p, WRITE_CODE, function, NULL, value) ||
	    (defaults != code &&
	     !is_same_or_none(w, PyFunction_GetDefaults(function), defaults) &&
	     plan_write(p, WRITE_DEFAULTS, function, NULL, defaults)))
		return -1;
	return pointer_map_set(&p->adopted, function, function); /* once */
}

int adopt_code_alone(struct plan *p, PyObject *function)
{
	const struct world *w = &p->job->world;
	PyObject *old = PyFunction_GetCode(function);
	PyObject *code = code_next(p->codes, old);

	/* A donor has a function that stands for it; one that an object has replaced takes new
	 * code. */
	if (code == old || pointer_map_get(&p->adopted, function) ||
	    world_is_function(pointer_map_get(&p->stand_in, function)))
		return 0;
	const struct module *m =
		modules_find(&p->job->modules, PyFunction_GetGlobals(function));
	PyObject *now = m ? successor(p, m, function) : NULL;
	PyErr_Clear();
	if (now)
		return adopt_left_behind(p, function, now);
	if (!code && m && !m->old_code) { /* once, whatever becomes of it */
		PyObject *steps = code_steps(p->codes, m->old_file);
		if (py_put(steps, old, old) || code_pair_moved(w, m->code, function, steps))
			return -1;
		code = py_get(steps, old);
	}
	if (!code || code == old)
		return PyErr_Occurred() ? -1 : 0;
	_cleanup_py_ PyObject *closure = adopt_cells(w, function, code);
	PyObject *defaults = closure ? defaults_for(p, m, code) : NULL;
	if (PyErr_Occurred())
		return -1;
	int is_known = defaults != code || takes_as_many(old, code);
	if (closure && is_known)
		return write_closure(p, function, code, closure, defaults ? defaults : code);
	_cleanup_py_ PyObject *name = PyObject_GetAttrString(function, "__qualname__");
	job_warn(p->job, NULL, name, closure ? WIRE_TEXT_OLD_DEFAULTS : WIRE_TEXT_OLD_CLOSURE,
		 NULL);
	return 0;
}
