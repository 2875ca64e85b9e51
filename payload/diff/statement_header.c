/* SPDX-License-Identifier: MIT
 *
 * Whether the body of a definition is all that changed of it: not its decorators, defaults,
 * annotations, bases, keywords or type parameters.
 */
#include "payload/base/freestanding.h"
#include "payload/diff/selection.h"
#include "payload/python/code.h"

static int is_same_but(const struct stream *old, const struct stream *new,
		       const struct definition *d_old, const struct definition *d_new)
{
	if (old->count != new->count)
		return 0;
	for (int i = 0; i < new->count; i++)
		if (old->steps[i].token != new->steps[i].token &&
		    (old->steps[i].value != d_old->body || new->steps[i].value != d_new->body))
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
		same = is_same_but(&a, &b, old, new);
	stream_fini(&a);
	stream_fini(&b);
	PyErr_Clear();
	return same;
}

int selection_is_rest_same(const struct body *b, const struct definition *old,
			   const struct definition *new)
{
	const struct step *olds = b->old.steps, *news = b->new.steps;

	if (old->code - old->first != new->code - new->first ||
	    old->end - old->code != new->end - new->code)
		return 0;
	for (int i = 0; i < new->end - new->first; i++)
		if (new->first + i != new->code &&
		    olds[old->first + i].token != news[new->first + i].token)
			return 0;
	return are_parameters_same(b->tokens, olds[old->code].value, news[new->code].value, old,
				   new);
}

int selection_note_redefined(struct module *module, const struct function_place *at)
{
	struct definition new, old;

	if (at->group->is_anew)
		return PySet_Add(module->redefined, at->qualname);
	if (!at->body->old.steps || !body_find_new(&new, at->body, at->group, at->name) ||
	    (body_find_old(&old, at->body, at->name) &&
	     selection_is_rest_same(at->body, &old, &new)))
		return 0;
	return PySet_Add(module->redefined, at->qualname);
}
