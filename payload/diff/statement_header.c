/* SPDX-License-Identifier: MIT
 *
 * Whether the body of a definition is all that changed of it: not its decorators, defaults,
 * annotations, bases, keywords or type parameters.
 */
#include "payload/base/freestanding.h"
#include "payload/diff/selection.h"
#include "payload/python/code.h"
#include "payload/python/node.h"
#include "payload/python/tree.h"

/* Are as many steps the same, but for what loads the body? */
static int is_same_but(const struct step *olds, const struct step *news, int count,
		       PyObject *old_body, PyObject *new_body)
{
	for (int i = 0; i < count; i++)
		if (olds[i].token != news[i].token &&
		    (olds[i].value != old_body || news[i].value != new_body))
			return 0;
	return 1;
}

/* What stands around the body when there are type parameters, bases among it. */
static int are_parameters_same(struct tokens *t, PyObject *old_code, PyObject *new_code,
			       const struct definition *old, const struct definition *new)
{
	struct stream a = {0}, b = {0};
	int same = 0;

	if (old_code == old->body && new_code == new->body)
		return 1;
	if (old_code != old->body && new_code != new->body && !stream_init(&a, t, old_code) &&
	    !stream_init(&b, t, new_code))
		same = a.count == b.count &&
		       is_same_but(a.steps, b.steps, b.count, old->body, new->body);
	stream_fini(&a);
	stream_fini(&b);
	PyErr_Clear();
	return same;
}

int selection_is_rest_same(const struct body *b, const struct definition *old,
			   const struct definition *new)
{
	const struct step *olds = b->old.steps, *news = b->new.steps;
	PyObject *old_code = olds[old->code].value, *new_code = news[new->code].value;

	return old->code - old->first == new->code - new->first &&
	       old->end - old->code == new->end - new->code &&is_same_but(olds + old->first,
									  news + new->first,
									  new->end - new->first,
									  old_code, new_code) &&
	       are_parameters_same(b->tokens, old_code, new_code, old, new);
}

/* A property's functions have one name. */
static int note(const struct module *m, PyObject *name, int is_same)
{
	if (is_same)
		return PySet_Contains(m->redefined, name) ? 0 : PySet_Add(m->headed, name);
	return PySet_Discard(m->headed, name) < 0 ? -1 : PySet_Add(m->redefined, name);
}

int selection_note_head(struct module *module, const struct function_place *at)
{
	const struct body *b = at->body;
	struct definition new, old;

	if (at->group->is_anew)
		return note(module, at->qualname, 0) || PySet_Add(module->headed, at->qualname);
	if (!at->group->is_changed)
		return note(module, at->qualname, 1);
	if (!b->old.steps || !body_find_new(&new, b, at->group, at->name))
		return 0;
	return note(module, at->qualname,
		    body_find_old(&old, b, at->name, b->old.count) &&
			    selection_is_rest_same(b, &old, &new));
}

struct in_block {
	struct module *module;
	struct function_place place;
};

static int note_in_block(PyObject *node, void *context)
{
	const struct in_block *in = context;
	_cleanup_py_ PyObject *name = node_is_function(node) ? node_name(node) : NULL;
	_cleanup_py_ PyObject *qualname = name ? world_dotted(in->place.qualname, name) : NULL;
	struct function_place place = in->place;

	place.name = name;
	place.qualname = qualname;
	return qualname && selection_note_head(in->module, &place);
}

int selection_note_block(const struct selection *s, const struct function_place *class_place,
			 PyObject *node)
{
	struct in_block in = {s->module, *class_place};

	return tree_any(&s->job->world, node, note_in_block, &in) ? -1 : 0;
}

static int has_entries(PyObject *node, void *context)
{
	(void)context;
	_cleanup_py_ PyObject *entries = node_field(node, "elts");
	_cleanup_py_ PyObject *keys = entries ? NULL : node_field(node, "keys");

	return py_count(entries) || py_count(keys);
}

/* A list that says something is taken anew. */
int selection_note_live_head(const struct selection *s, PyObject *node, PyObject *function)
{
	_cleanup_py_ PyObject *args = node_args(node);
	_cleanup_py_ PyObject *qualname = PyObject_GetAttrString(function, "__qualname__");

	if (!args || !qualname || tree_any(s->tokens.world, args, has_entries, NULL))
		return args && qualname ? 0 : -1;
	return PySet_Add(s->module->headed, qualname);
}
