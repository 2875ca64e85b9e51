/* SPDX-License-Identifier: MIT
 *
 * Which statements of a script (__main__) may run again. A script is not written to be run
 * twice in one process: its guard and its trailing calls start the program. The rule, chosen to
 * be safe without knowing which statements changed (--rerun):
 *
 *   - the docstring, imports, `def`, `class` and `type` statements run;
 *   - an assignment runs when its value calls nothing, or when it binds a name that is not
 * there yet; so `LIMIT = 3` is renewed and `server = Server()` is not made twice;
 *   - `if` and `try` run when all inside may and no test looks at __name__;
 *   - everything else (calls, loops, `with`, the guard) does not.
 *
 * An assignment that is known to have changed runs in any case.
 *
 * They run in a copy of the live namespace, so that names whose statement did not run are
 * there.
 */
#include "payload/base/freestanding.h"
#include "payload/python/node.h"
#include "payload/python/tree.h"
#include "payload/source/source.h"

struct judge {
	const struct world *world;
	PyObject *live;
	int is_changed; /* known to have changed: a new value is made even by a call */
};

static int is_call(PyObject *node, void *unused)
{
	(void)unused;
	return tree_is(node, "Call Await Yield YieldFrom");
}

static int is_dunder_name(PyObject *node, void *unused)
{
	(void)unused;
	return node_field_is(node, "id", "__name__");
}

static int is_missing(const struct judge *judge, PyObject *target)
{
	if (!tree_is(target, "Name"))
		return 0;
	_cleanup_py_ PyObject *id = node_id(target);
	return id && !PyDict_GetItem(judge->live, id);
}

static int may_assign(const struct judge *judge, PyObject *node)
{
	_cleanup_py_ PyObject *value = node_value(node);
	_cleanup_py_ PyObject *target = node_field(node, "target");
	_cleanup_py_ PyObject *targets = node_field(node, "targets");

	if (judge->is_changed || !value || value == judge->world->none ||
	    !tree_any(judge->world, value, is_call, NULL))
		return 1;
	if (target)
		return is_missing(judge, target);
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(targets, i)); i++)
		if (is_missing(judge, item))
			return 1;
	return 0;
}

static int may_run(const struct judge *judge, PyObject *node);

static int may_all_run(const struct judge *judge, PyObject *node, const char *field)
{
	_cleanup_py_ PyObject *list = node_field(node, field);
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_item(list, i)); i++)
		if (!may_run(judge, item))
			return 0;
	return 1;
}

static int may_compound_run(const struct judge *judge, PyObject *node)
{
	_cleanup_py_ PyObject *test = node_field(node, "test");

	if (test && tree_any(judge->world, test, is_dunder_name, NULL))
		return 0;
	return may_all_run(judge, node, "body") && may_all_run(judge, node, "orelse") &&
	       may_all_run(judge, node, "finalbody") && may_all_run(judge, node, "handlers");
}

static int may_run(const struct judge *judge, PyObject *node)
{
	if (tree_is(node,
		    "Import ImportFrom FunctionDef AsyncFunctionDef ClassDef TypeAlias Pass"))
		return 1;
	if (tree_is(node, "Assign AnnAssign"))
		return may_assign(judge, node);
	if (tree_is(node, "If Try TryStar ExceptHandler"))
		return may_compound_run(judge, node);
	return 0;
}

int source_choose_statements(struct job *job, struct module *module)
{
	struct judge judge = {&job->world, module->live, 0};

	if (!module->is_main && !module->is_running) {
		module->run_code = py_ref(module->code);
		return 0;
	}
	_cleanup_py_ PyObject *tree = source_tree(job, module);
	_cleanup_py_ PyObject *body = node_body(tree);
	if (!body)
		return -1;
	for (Py_ssize_t i = PyList_Size(body); i-- > 0;) {
		PyObject *node = PyList_GetItem(body, i);
		if (!may_run(&judge, node) && !(i == 0 && node_is_docstring(node)) &&
		    PyList_SetSlice(body, i, i + 1, NULL))
			return -1;
	}
	module->run_code = source_compile_tree(job, module, tree);
	module->is_partial = 1;
	return module->run_code ? 0 : -1;
}

int source_may_run_again(struct job *job, const struct module *module, PyObject *node)
{
	struct judge judge = {&job->world, module->live, 1};

	return may_run(&judge, node);
}
