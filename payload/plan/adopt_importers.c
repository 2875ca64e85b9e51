/* SPDX-License-Identifier: MIT
 *
 * Other modules that imported a name by `from m import n` hold the object itself. Those that
 * still hold the identical old object get the new one. For a function or class of the module
 * identity is proof enough; a constant such as True or 8080 is shared by strangers, so the
 * importer's source must have the import. What a package imports so, others import from it.
 * A name that is new goes to those that import with a star.
 */
#include "payload/base/freestanding.h"
#include "payload/job/walk.h"
#include "payload/plan/plan.h"
#include "payload/python/node.h"
#include "payload/python/tree.h"
#include "payload/source/origin.h"
#include "payload/source/source.h"

static int is_own_definition(const struct world *w, const struct replaced_name *r)
{
	if (py_is(r->old, w->function))
		return PyFunction_GetGlobals(r->old) == r->module->live;
	return walk_is_class_of(w, r->old, r->module->name);
}

static int text_is(PyObject *node, const char *field, PyObject *wanted)
{
	_cleanup_py_ PyObject *value = node_field(node, field);
	_cleanup_py_ PyObject *text = value ? PyObject_Str(value) : NULL;

	PyErr_Clear();
	return text && PyUnicode_Compare(text, wanted) == 0;
}

/* import n as `bound`, or *, among the names of a from-import */
static int binds_name(PyObject *aliases, PyObject *name, PyObject *bound)
{
	_cleanup_py_ PyObject *none = PyUnicode_FromString("None");
	_cleanup_py_ PyObject *star = PyUnicode_FromString("*");

	for (Py_ssize_t i = 0; none && star && i < PyList_Size(aliases); i++) {
		PyObject *alias = PyList_GetItem(aliases, i);
		if (text_is(alias, "name", star) && !PyUnicode_Compare(name, bound))
			return 1;
		if (!text_is(alias, "name", name))
			continue;
		if (text_is(alias, "asname", bound) ||
		    (text_is(alias, "asname", none) && !PyUnicode_Compare(name, bound)))
			return 1;
	}
	return 0;
}

static int is_import_of(PyObject *node, const struct module *importer,
			const struct replaced_name *r, PyObject *bound)
{
	_cleanup_py_ PyObject *module = node_imported_module(node, importer->live);
	_cleanup_py_ PyObject *aliases = node_field(node, "names");

	return module && aliases && py_type(module) == py_type(r->name) &&
	       !PyUnicode_Compare(module, r->module->name) &&
	       binds_name(aliases, r->name, bound);
}

/* `from m import n` at the top of a source, or in an if or try there. */
static int add_imports(PyObject *imports, PyObject *body)
{
	static const char *const inner[] = {"body", "orelse", "finalbody", "handlers"};

	for (Py_ssize_t i = 0; i < PyList_Size(body); i++) {
		PyObject *node = PyList_GetItem(body, i);
		if (tree_is(node, "ImportFrom") && PyList_Append(imports, node))
			return -1;
		for (size_t j = 0; j < sizeof(inner) / sizeof(*inner); j++) {
			_cleanup_py_ PyObject *list = node_field(node, inner[j]);
			if (list && py_type(list) == py_type(body) &&
			    add_imports(imports, list))
				return -1;
		}
	}
	return 0;
}

static int is_of_name(char c)
{
	return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

/* Behind `from leaf`: blanks or a continued line, then `import`. */
static int is_import_behind(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\f'))
		at++;
	return at < end && (*at == '\\' || (end - at > 6 && !memcmp(at, "import", 6)));
}

/* Most sources say nowhere `leaf import`: those need not be parsed, which takes long. */
static int may_import_from(const struct world *w, PyObject *source, PyObject *module_name)
{
	const char *name = PyUnicode_AsUTF8(module_name), *leaf = name;
	Py_ssize_t size;
	char *text;

	for (; name && *name; name++)
		if (*name == '.')
			leaf = name + 1;
	if (!py_is(source, w->bytes)) /* a loader that has text */
		return 1;
	if (!leaf || !*leaf || PyBytes_AsStringAndSize(source, &text, &size))
		return 0;
	size_t length = strlen(leaf);
	const char *end = text + size;
	for (const char *at = text + 1; at + length < end; at++)
		if (*at == *leaf && !memcmp(at, leaf, length) && !is_of_name(at[-1]) &&
		    is_import_behind(at + length, end))
			return 1;
	return 0;
}

/* A new list; NULL with an exception when it has no source that can be read. */
static PyObject *parse_imports(struct plan *p, const struct module *importer)
{
	_cleanup_py_ PyObject *tree = source_tree(p->job, importer);
	_cleanup_py_ PyObject *body = node_field(tree, "body");
	_cleanup_py_ PyObject *out = PyList_New(0);

	return body && out && !add_imports(out, body) ? py_take(&out) : NULL;
}

/* Its from-imports if there may be one of that module; borrowed, or NULL. Each source is read
 * and parsed once, however many names are new. */
static PyObject *imports_of(struct plan *p, struct module *importer, PyObject *module_name)
{
	_cleanup_py_ PyObject *key = PyLong_FromLong((long)importer->live);
	PyObject *known = key ? PyDict_GetItem(p->imports, key) : NULL;

	if (!key || (known && py_is(known, p->job->world.list)))
		return known;
	if (known)
		importer->source = py_ref(known);
	else if (source_read(p->job, importer) ||
		 PyDict_SetItem(p->imports, key, importer->source))
		return NULL;
	if (!may_import_from(&p->job->world, importer->source, module_name))
		return NULL;
	_cleanup_py_ PyObject *list = parse_imports(p, importer);
	return list && !PyDict_SetItem(p->imports, key, list) ? list : NULL;
}

static int source_imports(struct plan *p, struct module *importer,
			  const struct replaced_name *r, PyObject *bound)
{
	PyObject *quiet = source_quiet(p->job);
	PyObject *imports = imports_of(p, importer, r->module->name);
	int found = 0;

	for (Py_ssize_t i = 0; imports && !found && i < PyList_Size(imports); i++)
		found = is_import_of(PyList_GetItem(imports, i), importer, r, bound);
	PyErr_Clear();
	source_loud(p->job, quiet);
	Py_DecRef(py_take(&importer->source));
	return found;
}

static int is_changed_module(const struct plan *p, PyObject *live)
{
	for (size_t i = 0; i < p->job->modules.count; i++)
		if (p->job->modules.items[i].live == live)
			return p->job->modules.items[i].fresh != NULL;
	return 0;
}

/* The importer holds it as `name`, and may be imported from. */
static int adopt_further(struct plan *p, const struct replaced_name *r,
			 const struct module *importer, PyObject *name)
{
	const struct replaced_name further = {
		.module = importer, .name = name, .old = r->old, .value = r->value};

	if (plan_has_write(p, importer->live, name))
		return 0;
	if (plan_write(p, WRITE_ITEM, importer->live, name, r->value))
		return -1;
	return importer->name && py_is(importer->name, p->job->world.str)
		       ? adopt_importers(p, &further)
		       : 0;
}

static int adopt_into(struct plan *p, const struct replaced_name *r, struct module *importer)
{
	int is_own = is_own_definition(&p->job->world, r), has_source = -1, status = 0;
	_cleanup_py_ PyObject *names = PyDict_Copy(importer->live);
	PyObject *name, *value;
	Py_ssize_t at = 0;

	while (names && !status && PyDict_Next(names, &at, &name, &value)) {
		if (value != r->old || !py_is(name, p->job->world.str))
			continue;
		if (!is_own && has_source < 0)
			has_source = !origin_find(p->job, importer);
		if (is_own)
			status = plan_write(p, WRITE_ITEM, importer->live, name, r->value);
		else if (has_source && source_imports(p, importer, r, name))
			status = adopt_further(p, r, importer, name);
	}
	return names ? status : -1;
}

/* Has it all names of the module, or one of its values? Most modules do not import from it:
 * their sources are not read. None and small numbers are everybody's. */
static int may_have_star(const struct world *w, PyObject *live, PyObject *importer)
{
	PyObject *name, *value;
	Py_ssize_t at = 0;
	int missing = 0, public = 0;

	while (PyDict_Next(live, &at, &name, &value)) {
		const char *text = py_is(name, w->str) ? PyUnicode_AsUTF8(name) : NULL;
		if (!text || text[0] == '_' || world_is_module(w, value))
			continue;
		PyObject *own = PyDict_GetItem(importer, name);
		public = 1;
		missing |= !own;
		if (own == value && value != w->none && !py_is(value, w->boolean) &&
		    !py_is(value, w->integer))
			return 1;
	}
	return public && !missing;
}

static int adopt_new(struct plan *p, const struct replaced_name *r, struct module *importer)
{
	const struct module *changed = plan_module_of(p, importer->live);

	if (importer->live == r->module->live || PyDict_GetItem(importer->live, r->name) ||
	    (changed && changed->fresh && PyDict_GetItem(changed->fresh, r->name)) ||
	    !may_have_star(&p->job->world, r->module->live, importer->live) ||
	    origin_find(p->job, importer) || !source_imports(p, importer, r, r->name))
		return 0;
	return adopt_further(p, r, importer, r->name);
}

static int adopt_importer(struct plan *p, const struct replaced_name *r, PyObject *object)
{
	struct module importer = {
		.object = py_ref(object),
		.live = py_ref(PyModule_GetDict(object)),
		.name = py_ref(PyDict_GetItemString(PyModule_GetDict(object), "__name__")),
	};
	int status = 0;

	if (!r->old)
		status = adopt_new(p, r, &importer);
	else if (!is_changed_module(p, importer.live))
		status = adopt_into(p, r, &importer);

	module_fini(&importer);
	return status;
}

static int holds(PyObject *live, PyObject *wanted)
{
	PyObject *name, *value;
	Py_ssize_t at = 0;

	while (PyDict_Next(live, &at, &name, &value))
		if (value == wanted)
			return 1;
	return 0;
}

/* Most modules hold nothing of it: to see that, there must be no cost but that of looking. */
int adopt_importers(struct plan *p, const struct replaced_name *replaced)
{
	_cleanup_py_ PyObject *modules = PyDict_Values(p->job->world.modules);

	if (!modules || (replaced->old && world_is_module(&p->job->world, replaced->old)))
		return modules ? 0 : -1;
	for (Py_ssize_t i = 0; i < PyList_Size(modules); i++) {
		PyObject *object = PyList_GetItem(modules, i);
		if (world_is_module(&p->job->world, object) &&
		    (!replaced->old || holds(PyModule_GetDict(object), replaced->old)) &&
		    adopt_importer(p, replaced, object))
			return -1;
	}
	return 0;
}
