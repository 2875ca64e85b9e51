/* SPDX-License-Identifier: MIT
 *
 * Inference for classes: the statements of a new class body against what the live class has,
 * and what is there that only the old body can have bound.
 */
#include "payload/base/freestanding.h"
#include "payload/diff/selection.h"
#include "payload/job/walk.h"
#include "payload/python/class_maker.h"
#include "payload/python/compare.h"
#include "payload/python/node.h"
#include "payload/python/tree.h"

static PyObject *own_map(const struct world *w, PyObject *names, const char *name)
{
	PyObject *map = PyDict_GetItemString(names, name);

	return py_is_a(map, w->dict) ? map : NULL;
}

static int has_store(const struct body *b, const char *name)
{
	_cleanup_py_ PyObject *key = PyUnicode_FromString(name);

	return !key || body_count_stores(&b->new, key);
}

/* Are the members' values what the body says? A flag's, or what a function makes, may not be.
 */
static int has_plain_values(const struct selection *s, const struct body *b, PyObject *class)
{
	const struct world *w = s->tokens.world;
	_cleanup_py_ PyObject *bases = world_bases(class);
	PyObject *base;

	for (Py_ssize_t i = 0; (base = py_tuple_item(bases, i)); i++) {
		_cleanup_py_ PyObject *module = world_type_attribute(base, "__module__");
		if (base != w->str && base != w->integer &&
		    (!world_is_str(module) || PyUnicode_CompareWithASCIIString(module, "enum")))
			return 0;
	}
	return bases && !has_store(b, "__new__") &&
	       !(s->is_deciding && has_store(b, "__init__"));
}

/* The constant that the body binds the name to, borrowed; or NULL. */
static PyObject *bound_constant(const struct body *b, PyObject *name)
{
	const struct step *steps = b->new.steps;

	for (int i = 1; i < b->new.count; i++)
		if (stream_binds(&steps[i], name))
			return steps[i - 1].op == b->tokens->world->opcodes.load_const
				       ? steps[i - 1].value
				       : NULL;
	return NULL;
}

/* What the body says, when the type of a member that is a string or a number makes the member's
 * value of it ('1' of 1); else the value. Borrowed. */
static PyObject *value_in_body(const struct world *w, const struct body *b, PyObject *name,
			       PyObject *member, PyObject *value)
{
	PyObject *type = py_is_a(member, w->str)       ? w->str
			 : py_is_a(member, w->integer) ? w->integer
						       : NULL;
	PyObject *said = type && py_is(value, type) ? bound_constant(b, name) : NULL;
	_cleanup_py_ PyObject *made = said ? py_call(type, said) : NULL;

	PyErr_Clear();
	return made && compare_constants(w, made, value) ? said : value;
}

/* The class's namespace as its body left it: members of an enum by their values. */
static PyObject *names_in_body(const struct selection *s, const struct body *b, PyObject *names,
			       PyObject *class)
{
	const struct world *w = s->tokens.world;
	PyObject *fields = own_map(w, names, "__dataclass_fields__");
	_cleanup_py_ PyObject *out = fields ? PyDict_Copy(fields) : PyDict_New();
	PyObject *members = own_map(w, names, "_member_map_"), *name, *member;
	int is_plain = members && !PyDict_GetItemString(names, "_flag_mask_") &&
		       has_plain_values(s, b, class);
	Py_ssize_t at = 0;

	if (!out || PyDict_Update(out, names))
		return NULL;
	while (members && PyDict_Next(members, &at, &name, &member)) {
		_cleanup_py_ PyObject *value =
			is_plain ? world_own_item(w, member, "_value_") : NULL;
		PyObject *now = value ? value_in_body(w, b, name, member, value) : members;
		if (PyDict_SetItem(out, name, now)) /* members: no constant */
			return NULL;
	}
	PyObject *defaults = own_map(w, names, "_field_defaults"); /* of a NamedTuple */
	if (defaults && PyDict_Update(out, defaults))
		return NULL;
	return py_take(&out);
}

int selection_is_own_method(const struct selection *s, PyObject *name, PyObject *value)
{
	_cleanup_py_ PyObject *inner = world_is_str(name) && world_is_function(value)
					       ? selection_inner(s, value, NULL, name)
					       : NULL;

	return inner != NULL;
}

/* A function in the class that its new body has not. */
static int is_method_gone(const struct selection *s, const struct body *b, PyObject *names)
{
	PyObject *name, *value;
	Py_ssize_t at = 0;

	while (PyDict_Next(names, &at, &name, &value))
		if (!body_count_stores(&b->new, name) &&
		    selection_is_own_method(s, name, value))
			return 1;
	return 0;
}

static int loads(const struct body *b, const char *name)
{
	for (int i = 0; i < b->new.count; i++)
		if (b->new.steps[i].op == b->tokens->world->opcodes.load_name &&
		    !PyUnicode_CompareWithASCIIString(b->new.steps[i].value, name))
			return 1;
	return 0;
}

/* An attribute that the old body bound, or a member of an enum, and the new body does not. */
static int is_name_gone(const struct selection *s, const struct body *b, PyObject *names)
{
	const struct world *w = s->tokens.world;
	PyObject *members = own_map(w, names, "_member_map_");
	_cleanup_py_ PyObject *bound =
		members ? PyDict_Copy(members) : class_maker_body_names(w, names);
	_cleanup_py_ PyObject *list = bound ? PySequence_List(bound) : NULL;

	if (loads(b, "locals") || loads(b, "vars") || loads(b, "exec"))
		return 0;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(list, i)); i++)
		if (!body_count_stores(&b->new, item))
			return 1;
	return 0;
}

/* `x: int` in the body, and no such annotation in the class. */
static int is_annotation_new(const struct world *w, PyObject *names, PyObject *node)
{
	PyObject *known = own_map(w, names, "__annotations__");
	_cleanup_py_ PyObject *target =
		tree_is(node, "AnnAssign") ? node_field(node, "target") : NULL;
	_cleanup_py_ PyObject *id = node_id(target);

	if (!known) /* 3.14 has none before somebody asked */
		known = own_map(w, names, "__dataclass_fields__");
	const char *text = py_text(id);
	/* `__x` is mangled there, and `_: KW_ONLY` is no field. */
	int is_odd = !text || (text[0] == '_' && (text[1] == '_' || !text[1]));

	return known && !is_odd && !PyDict_GetItem(known, id);
}

int selection_infer_class(struct selection *s, struct body *b, PyObject *names, PyObject *class,
			  PyObject *node)
{
	const struct world *w = s->tokens.world;
	_cleanup_py_ PyObject *bound = names_in_body(s, b, names, class);
	int is_plain = selection_is_plain_class(s, node, class) && !has_store(b, "_ignore_");
	int any = !bound || (!s->is_deciding && is_method_gone(s, b, names)) ||
		  (is_plain &&
		   (selection_is_annotation_gone(b, names) || is_name_gone(s, b, names)));

	for (int i = 0; bound && i < b->group_count; i++) {
		struct group *group = &b->groups[i];
		PyObject *inner = PyList_GetItem(b->nodes, group->first_node);
		int missing = selection_is_missing(s, b, group, bound), other;
		if (is_plain || (!s->is_deciding && !missing))
			other = selection_judge(s, b, group, bound, !is_plain);
		else
			other = node_is_function(inner) &&
				(missing ||
				 selection_is_function_other(s, b, group, inner, bound, 1));
		if (other < 0)
			return -1;
		group->is_changed = other || is_annotation_new(w, names, inner);
		any |= group->is_changed;
	}
	return bound ? any : -1;
}

static int was_function(const struct selection *s, PyObject *node, PyObject *name,
			PyObject *live)
{
	_cleanup_py_ PyObject *decorators = node_decorators(node);
	_cleanup_py_ PyObject *inner =
		world_is_function(live) ? selection_inner(s, live, NULL, name) : NULL;

	return decorators && !PyList_Size(decorators) && inner == live;
}

int selection_is_class_other(struct selection *s, const struct body *outer,
			     const struct group *group, PyObject *node, PyObject *names)
{
	const struct world *w = s->tokens.world;
	_cleanup_py_ PyObject *name = node_name(node);
	_cleanup_py_ PyObject *nodes = node_body(node);
	PyObject *live = py_get(names, name);
	struct definition new;
	struct body b = {0};

	/* Another may have the last word: one in C, or in a branch. */
	if (!live || !nodes || body_count_stores(&outer->new, name) != 1 ||
	    (outer == &s->body && selection_is_rebound(s, name, 0)) ||
	    !body_find_new(&new, outer, group, name))
		return 0;
	if (was_function(s, node, name, live))
		return 1;
	if (!walk_is_class_of(w, s->module, live))
		return 0;
	_cleanup_py_ PyObject *own = world_name(live);
	if (!compare_texts(own, name)) /* a decorator's */
		return 0;
	_cleanup_py_ PyObject *inside = world_type_dict(w, live);
	if (inside && !selection_is_header_plausible(s, outer, node, live))
		return 1;
	PyObject *code = new.body;
	int other = inside ? body_init(&b, &s->tokens, NULL, code, nodes) : -1;
	if (!other)
		other = selection_infer_class(s, &b, inside, live, node);
	body_fini(&b);
	return other;
}
