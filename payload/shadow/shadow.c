/* SPDX-License-Identifier: MIT
 *
 * The shadow run. The invariant: the namespaces of the program are read, never written; what
 * new code does to objects that it got from elsewhere is its own affair.
 */
#include "payload/shadow/shadow.h"

#include "payload/base/freestanding.h"
#include "payload/diff/names_gone.h"
#include "payload/diff/statements.h"
#include "payload/python/hook_text.h"
#include "payload/shadow/reload_hook.h"

static int has_items(PyObject *dict)
{
	return dict && PyDict_Size(dict) > 0;
}

/* For clones.py. */
static int add_class_texts(PyObject *hook, PyObject *texts, int has_parts)
{
	_cleanup_py_ PyObject *classes = PyList_GetSlice(
		texts, HOOK_OVERLAY, has_parts ? HOOK_OVERLAY + 1 : HOOK_CLASSES + 1);

	return classes ? PyDict_SetItemString(hook, "class_texts", classes) : -1;
}

/* Those texts that something will be asked of, whatever new code does. */
static int execute_texts(const struct job *job, PyObject *hook, int has_clones)
{
	PyObject *texts = PyDict_GetItemString(hook, "texts");
	int has_parts = 0, has_inner = has_clones, has_stars = 0;

	for (size_t i = 0; i < job->modules.count; i++) {
		has_parts |= has_items(job->modules.items[i].parts);
		has_inner |= has_items(job->modules.items[i].inner);
		has_stars |= job->modules.items[i].stars != NULL;
	}
	return hook_execute(texts, HOOK_START, hook) ||
	       (has_parts && (hook_execute(texts, HOOK_CLASSES, hook) ||
			      hook_execute(texts, HOOK_DONOR, hook))) ||
	       (has_inner && hook_execute(texts, HOOK_KEEP, hook)) ||
	       (has_stars && hook_execute(texts, HOOK_STARS, hook)) ||
	       (has_clones && (add_class_texts(hook, texts, has_parts) ||
			       hook_execute(texts, HOOK_CLONES, hook)));
}

static PyObject *make_hook(struct shadow *s, const struct world *w)
{
	_cleanup_py_ PyObject *shadows = PyDict_New(), *pending = PyDict_New();
	_cleanup_py_ PyObject *texts = hook_texts();
	_cleanup_py_ PyObject *numbers = PyBytes_FromStringAndSize(
		(const char *)w->opcodes.numbers, sizeof(w->opcodes.numbers));
	PyObject *abc_init = world_loaded(w, "_abc", "_abc_init");

	if (PyErr_Occurred())
		return NULL;
	/* clang-format off */
	return Py_BuildValue("{sOsOsOsOsOsOsOsOsOsOsOsOsOsOsOsOsOsO}",
			     "__builtins__", w->builtins,
			     "shadows", shadows,
			     "pending", pending,
			     "modules", w->modules,
			     "loaded", s->loaded,
			     "linked", s->linked,
			     "builtins", s->builtins,
			     "loader", w->source_loader ? w->source_loader : w->none,
			     "classes", s->classes,
			     "refused", s->refused,
			     "abc_meta", w->abc_meta ? w->abc_meta : w->none,
			     "sets", s->sets,
			     "numbers", numbers,
			     "common", w->common,
			     "made", s->made,
			     "clones", s->clones,
			     "abc_init", abc_init ? abc_init : w->none,
			     "texts", texts);
	/* clang-format on */
}

static PyObject *hook_item(const struct shadow *s, const char *name)
{
	return PyDict_GetItemString(s->hook, name);
}

static int put_builtin(const struct shadow *s, const char *name, const char *item)
{
	PyObject *value = hook_item(s, item);

	return value ? PyDict_SetItemString(s->builtins, name, value) : 0;
}

/* A module object over a namespace that starts like the one of `live` did. */
static PyObject *new_shadow(const struct shadow *s, PyObject *live, int is_copy)
{
	_cleanup_py_ PyObject *module = PyModule_New("shadow");
	PyObject *dict = module ? PyModule_GetDict(module) : NULL;
	PyObject *name, *value;
	Py_ssize_t at = 0;

	if (!dict || (is_copy && PyDict_Update(dict, live)))
		return NULL;
	while (!is_copy && PyDict_Next(live, &at, &name, &value))
		if (module_is_import_name(name) && PyDict_SetItem(dict, name, value))
			return NULL;
	if (PyDict_SetItemString(dict, "__builtins__", s->builtins))
		return NULL;
	return py_take(&module);
}

/* A module of a class of its own (one that imports what it is asked for, with properties) does
 * for new code what its class does. One that cannot be of that class is a plain one. */
static void take_class(const struct world *w, PyObject *shadow, PyObject *live)
{
	if (!py_is(live, w->module) && world_is_module(live) &&
	    PyObject_SetAttrString(shadow, "__class__", py_type(live)))
		PyErr_Clear();
}

/* New code sees where it is, and finds its submodules there. */
static void put_place(const struct world *w, const struct module *m)
{
	PyObject *name, *value;
	Py_ssize_t at = 0;

	while (m->place && PyDict_Next(m->place, &at, &name, &value))
		if (value == w->none ? PyDict_DelItem(m->fresh, name)
				     : PyDict_SetItem(m->fresh, name, value))
			PyErr_Clear();
}

/* `name`: by which new code imports it; NULL when sys.modules does not lead to it. */
static int add_shadow(struct shadow *s, const struct world *w, PyObject *name, PyObject *shadow,
		      PyObject *live)
{
	_cleanup_py_ PyObject *pair = py_pair(shadow, live);

	take_class(w, shadow, live);
	if (py_append(s->shadows, pair))
		return -1;
	return name ? PyDict_SetItem(hook_item(s, "shadows"), name, shadow) : 0;
}

/* Annotated assignments write into the dict that is there. */
static int own_annotations(PyObject *fresh)
{
	PyObject *found = PyDict_GetItemString(fresh, "__annotations__");
	_cleanup_py_ PyObject *copy = world_is_dict(found) ? PyDict_Copy(found) : NULL;

	if (copy)
		return PyDict_SetItemString(fresh, "__annotations__", copy);
	return PyErr_Occurred() ? -1 : 0;
}

static int add_classes(struct shadow *s, const struct module *m)
{
	_cleanup_py_ PyObject *entry = PyTuple_Pack(4, m->fresh, m->parts, m->inner, m->donors);

	return py_append(s->classes, entry);
}

static int prepare_module(struct shadow *s, const struct world *w, struct module *m)
{
	if (!m->run_code || m->shadow)
		return 0;
	_cleanup_py_ PyObject *gone = m->is_partial ? names_gone(w, m) : py_ref(w->none);
	m->shadow = new_shadow(s, m->live, m->is_partial);
	if (!m->shadow || !gone)
		return -1;
	m->fresh = py_ref(PyModule_GetDict(m->shadow));
	put_place(w, m);
	m->before = m->is_partial ? PyDict_Copy(m->live) : NULL;
	if (m->is_partial && (!m->before || own_annotations(m->fresh)))
		return -1;
	if (m->is_partial && add_classes(s, m))
		return -1;
	_cleanup_py_ PyObject *entry = PyTuple_Pack(7, m->run_code, m->fresh, m->live, gone,
						    m->stars ? m->stars : w->none, m->code,
						    m->old_code ? m->old_code : w->none);
	if (py_put(hook_item(s, "pending"), m->key, entry))
		return -1;
	m->run_references = world_references(w, m->run_code);
	return add_shadow(s, w, m->object ? m->name : NULL, m->shadow,
			  m->object ? m->object : m->live);
}

/* "a.b.c" -> "a.b" and "c"; NULL without exception when there is no dot. */
static PyObject *parent_name(PyObject *name, const char **leaf)
{
	const char *text = py_text(name);

	*leaf = text ? module_leaf(text) : NULL;
	return *leaf == text ? NULL : PyUnicode_FromStringAndSize(text, *leaf - text - 1);
}

/* Packages above a changed module get a shadow too, a copy: `import a.b` must lead to the new b
 * by way of a. A changed package's body does not bind its submodules; the import system did.
 * But what the package binds to the name since (`from .b import b`) is its own. */
static int link_parents(struct shadow *s, const struct world *w, PyObject *name,
			PyObject *module)
{
	PyObject *shadows = hook_item(s, "shadows");
	const char *leaf;
	_cleanup_py_ PyObject *parent = parent_name(name, &leaf);
	PyObject *live = py_get(w->modules, parent);

	if (!world_is_module(live))
		return PyErr_Occurred() ? -1 : 0;
	PyObject *shadow = PyDict_GetItem(shadows, parent);
	_cleanup_py_ PyObject *made = NULL;
	if (!shadow) {
		shadow = made = new_shadow(s, PyModule_GetDict(live), 1);
		if (!made || add_shadow(s, w, parent, made, live))
			return -1;
	}
	PyObject *there = PyDict_GetItemString(PyModule_GetDict(live), leaf);
	if ((!there || there == PyDict_GetItem(w->modules, name)) &&
	    PyDict_SetItemString(PyModule_GetDict(shadow), leaf, module))
		return -1;
	return link_parents(s, w, parent, shadow);
}

/* Submodules of changed packages, themselves changed or not. */
static int link_children(struct shadow *s, const struct world *w)
{
	_cleanup_py_ PyObject *all = PyDict_Copy(w->modules);
	PyObject *shadows = hook_item(s, "shadows"), *name, *child;
	Py_ssize_t at = 0;

	while (all && PyDict_Next(all, &at, &name, &child)) {
		const char *leaf;
		if (!world_is_str(name) || !world_is_module(child) ||
		    PyDict_GetItem(shadows, name))
			continue;
		_cleanup_py_ PyObject *parent = parent_name(name, &leaf);
		PyErr_Clear();
		PyObject *shadow = py_get(shadows, parent);
		PyObject *live = shadow ? PyDict_GetItem(w->modules, parent) : NULL;
		if (!world_is_module(live) ||
		    PyDict_GetItemString(PyModule_GetDict(live), leaf) != child)
			continue;
		if (PyDict_SetItemString(PyModule_GetDict(shadow), leaf, child))
			return -1;
	}
	return all ? 0 : -1;
}

static int prepare_rest(struct shadow *s, const struct job *job, unsigned is_main_alone)
{
	for (size_t i = 0; i < job->modules.count; i++) {
		struct module *m = &job->modules.items[i];
		if (m->is_main >= is_main_alone && prepare_module(s, &job->world, m))
			return -1;
	}
	return 0;
}

/* Whoever began to be imported first, and imports the others, runs first. A script began before
 * all. The others sys.modules has in the order in which their imports ended, since 3.8
 * (importlib._bootstrap._load_unlocked moves a module to the end); before, in that of their
 * beginning. */
static int prepare_modules(struct shadow *s, struct job *job)
{
	const struct world *w = &job->world;
	_cleanup_py_ PyObject *all = PyDict_Values(w->modules);
	Py_ssize_t count = py_count(all);
	int is_reversed = job->reply.header->python_version >= 0x03080000;

	if (prepare_rest(s, job, 1))
		return -1;
	for (Py_ssize_t i = 0; i < count; i++) {
		PyObject *object = PyList_GetItem(all, is_reversed ? count - 1 - i : i);
		struct module *m =
			world_is_module(object)
				? modules_find(&job->modules, PyModule_GetDict(object))
				: NULL;
		if (m && prepare_module(s, w, m))
			return -1;
	}
	return all ? prepare_rest(s, job, 0) : -1;
}

static int prepare_texts(struct shadow *s, const struct job *job)
{
	_cleanup_py_ PyObject *found = shadow_clones_find(job);

	return !found || execute_texts(job, s->hook, PyList_Size(found) != 0) ||
			       shadow_clones_make(s, job, found) ||
			       put_builtin(s, "__import__", "first_import") ||
			       put_builtin(s, "__build_class__", "__build_class__") ||
			       put_builtin(s, "__pyhotpatch_keep__", "keep")
		       ? -1
		       : 0;
}

static int prepare(struct shadow *s, struct job *job)
{
	const struct world *w = &job->world;

	s->builtins = PyDict_Copy(w->builtins);
	for (PyObject **list = &s->shadows; list < (PyObject **)(s + 1); list++)
		*list = PyList_New(0);
	if (PyErr_Occurred())
		return -1;
	s->hook = make_hook(s, w);
	if (!s->hook || prepare_modules(s, job) || prepare_texts(s, job))
		return -1;
	if (link_children(s, w))
		return -1;
	for (size_t i = 0; i < job->modules.count; i++) {
		struct module *m = &job->modules.items[i];
		if (m->object && m->shadow && link_parents(s, w, m->name, m->shadow))
			return -1;
	}
	return 0;
}

static void report_refused(const struct shadow *s, struct job *job)
{
	PyObject *entry;
	for (Py_ssize_t i = 0; (entry = py_item(s->refused, i)); i++)
		job_warn(job, NULL, py_first(entry), WIRE_TEXT_NOT_MADE_AGAIN,
			 py_second(entry));
}

/* When there is such a function: not all of the hook is there always. */
static int take_step(const struct shadow *s, const char *name)
{
	PyObject *step = hook_item(s, name), *result = step ? py_call(step) : NULL;

	Py_DecRef(result);
	return step && !result ? -1 : 0;
}

/* Here a deadline that passes while new code runs will stop it: the program outside cancels the
 * channel, and an asynchronous exception ends the code. Until then job_begin_commit finds out
 * when the code comes back. */
int shadow_run(struct shadow *out, struct job *job)
{
	*out = (struct shadow){0};
	if (prepare(out, job))
		return -1;
	if (take_step(out, "start") || take_step(out, "drop_all") ||
	    take_step(out, "settle_stars") || take_step(out, "settle_stores"))
		return -1;
	for (size_t i = 0; i < job->modules.count; i++)
		if (statements_settle(job, &job->modules.items[i]))
			return -1;
	report_refused(out, job);
	return reload_hooks_call(job) || take_step(out, "leave_bases") ? -1 : 0;
}

/* Whoever kept a function of the hook shall find it working. */
static int is_kept(const struct shadow *s, const struct world *w, const char *name)
{
	PyObject *import = hook_item(s, name);
	long count = import ? world_references(w, import) : 0;

	return count < 0 || count > 2;
}

void shadow_fini(struct shadow *s, const struct world *w, int is_failure)
{
	struct py_pending pending;

	py_set_aside(&pending);
	static const char *const ends[] = {"end_classes", "stop"};
	_cleanup_py_ PyObject *flag = PyLong_FromLong(is_failure);
	for (size_t i = 0; s->hook && flag && i < sizeof(ends) / sizeof(*ends); i++) {
		PyObject *end = hook_item(s, ends[i]);
		PyObject *result = end ? py_call(end, flag) : NULL;
		Py_DecRef(result);
		PyErr_Clear();
	}
	/* A cycle of functions and their globals. */
	if (s->hook && !is_kept(s, w, "first_import") && !is_kept(s, w, "__import__"))
		PyDict_Clear(s->hook);
	py_drop_all(&s->hook, s + 1);
	py_bring_back(&pending);
}

PyObject *shadow_live_dict(PyObject *pair)
{
	PyObject *live = py_second(pair);

	return world_is_module(live) ? PyModule_GetDict(live) : live;
}

PyObject *shadow_real_builtins(const struct world *w, const struct module *module)
{
	PyObject *found = PyDict_GetItemString(module->live, "__builtins__");

	if (world_is_module(found))
		return PyModule_GetDict(found);
	return found ? found : w->builtins;
}
