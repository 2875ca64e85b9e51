/* SPDX-License-Identifier: MIT
 *
 * The objects of a class for which another one stands: of donors, and of classes that could not
 * take their new definition in place. The setter of __class__ moves each, so who listens (audit
 * hooks) hears of each.
 */
#include "payload/heap/instances.h"

#include "payload/base/freestanding.h"
#include "payload/heap/referrers.h"

#define IS_CLASS (1ul << 31) /* Py_TPFLAGS_TYPE_SUBCLASS */

void instances_fini(struct instances *instances)
{
	struct instances dying = *instances;

	*instances = (struct instances){0};
	for (size_t i = 0; i < dying.count; i++)
		Py_DecRef(dying.items[i]);
	Py_DecRef(dying.class);
	Py_DecRef(dying.kept);
	PyMem_Free(dying.items);
}

void movers_fini(struct movers *movers)
{
	for (size_t i = 0; i < movers->count; i++)
		instances_fini(&movers->items[i]);
	PyMem_Free(movers->items);
	*movers = (struct movers){0};
}

/* --- gathering --------------------------------------------------------------------------- */

static int moves_alone(const struct movers *m, PyObject *o)
{
	return !pointer_map_get(m->ignore, o) && !referrers_beyond_type(m->stand_in, o);
}

/* Classes are instances of metaclasses, and have more that refers to others. */
int movers_want(const struct movers *m, PyObject *o)
{
	PyObject *kept = pointer_map_get(m->stand_in, py_type(o));

	return kept && kept != py_type(o) && !(PyType_GetFlags(kept) & IS_CLASS) &&
	       moves_alone(m, o);
}

static struct instances *instances_of(struct movers *m, PyObject *class)
{
	for (m->last = 0; m->last < m->count; m->last++)
		if (m->items[m->last].class == class)
			return &m->items[m->last];
	struct instances *items = PyMem_Realloc(m->items, (m->count + 1) * sizeof(*m->items));
	if (!items)
		return NULL;
	m->items = items;
	items[m->count] = (struct instances){
		.class = py_ref(class), .kept = py_ref(pointer_map_get(m->stand_in, class))};
	return &items[m->count++];
}

static int add(struct instances *instances, PyObject *o)
{
	if (instances->count == instances->capacity) {
		size_t capacity = instances->capacity ? instances->capacity * 2 : 64;
		PyObject **items = PyMem_Realloc(instances->items, capacity * sizeof(*items));
		if (!items)
			return -1;
		instances->items = items;
		instances->capacity = capacity;
	}
	instances->items[instances->count++] = py_ref(o);
	return 0;
}

int movers_take(struct movers *m, PyObject *o)
{
	struct instances *instances = m->last < m->count ? &m->items[m->last] : NULL;
	const int is_known = instances && instances->class == py_type(o);

	if (is_known ? !moves_alone(m, o) : !movers_want(m, o))
		return 0;
	if (!is_known)
		instances = instances_of(m, py_type(o));
	m->is_failed |= !instances || add(instances, o);
	return 1;
}

/* --- moving ------------------------------------------------------------------------------ */

static size_t move(const struct world *w, const struct instances *i, PyObject *from,
		   PyObject *to)
{
	for (size_t at = 0; at < i->count; at++) {
		PyObject *o = i->items[at];
		_cleanup_py_ PyObject *done =
			py_type(o) == from ? py_call(w->set_class, o, to) : NULL;
		if (!done)
			return at;
	}
	return i->count;
}

int instances_move(const struct world *w, struct instances *i, int is_back)
{
	const struct instances back = {.items = i->items, .count = i->moved};
	size_t wanted = is_back ? i->moved : i->count;
	size_t done =
		is_back ? move(w, &back, i->kept, i->class) : move(w, i, i->class, i->kept);

	i->moved = is_back ? 0 : done;
	if (done == wanted)
		return 0;
	if (!PyErr_Occurred())
		PyErr_SetString(w->error, "an object changed under the commit");
	return -1;
}
