/* SPDX-License-Identifier: MIT
 *
 * What the setter of __class__ does beyond its checks, which depend on the two classes alone
 * (compatible_for_assignment), is to count the references to the classes and to write one word;
 * from 3.11 on it makes a dict of attributes that the instance keeps in itself, because their
 * places are the class's (Objects/typeobject.c, object_set_class of 3.7 to 3.14). Up to 3.12 to
 * ask for the dict is enough to have it made; 3.13 also takes it apart from the instance. So
 * when the setter has moved one instance the others are moved by writing the word where it was
 * seen that types are, but for attributes as 3.13 keeps them.
 *
 * The invariant: who listens (audit hooks) hears of each instance, and counts are what they
 * would be.
 */
#include "payload/heap/instances.h"

#include "payload/base/freestanding.h"
#include "payload/heap/referrers.h"
#include "payload/python/gil_window.h"

#define TYPE_DESCR_SET 55          /* Py_tp_descr_set: Include/typeslots.h, stable ABI */
#define IS_CLASS       (1ul << 31) /* Py_TPFLAGS_TYPE_SUBCLASS */
/* No others before: */
#define INLINE_VALUES (1ul << 2) /* Py_TPFLAGS_INLINE_VALUES, 3.13 */
#define MANAGED_DICT  (1ul << 4) /* Py_TPFLAGS_MANAGED_DICT, 3.11 */

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

typedef int setter_function(PyObject *descriptor, PyObject *o, PyObject *value);

/* object.__class__, and the function that sets it; NULL before 3.10, where types that are not
 * of the heap do not tell their slots. */
struct setter {
	PyObject *descriptor, *wrapper; /* owned; borrowed */
	setter_function *function;
};

static struct setter setter_of(const struct world *w)
{
	_cleanup_py_ PyObject *names = world_type_dict(w, w->object);
	struct setter setter = {.wrapper = w->set_class};

	setter.descriptor = names ? py_ref(PyDict_GetItemString(names, "__class__")) : NULL;
	void *slot = setter.descriptor
			     ? PyType_GetSlot(py_type(setter.descriptor), TYPE_DESCR_SET)
			     : NULL;
	PyErr_Clear();
	memcpy(&setter.function, &slot, sizeof(slot));
	return setter;
}

static int set_class(const struct setter *setter, PyObject *o, PyObject *class)
{
	if (setter->function)
		return setter->function(setter->descriptor, o, class);
	_cleanup_py_ PyObject *result = py_call(setter->wrapper, o, class);
	return result ? 0 : -1;
}

static int is_word_all(const struct world *w, PyObject *from, PyObject *to)
{
	const unsigned long both = PyType_GetFlags(from) & PyType_GetFlags(to);
	const unsigned long any = PyType_GetFlags(from) | PyType_GetFlags(to);
	const unsigned long apart =
		w->opcodes.minor < 13 ? INLINE_VALUES : INLINE_VALUES | MANAGED_DICT;

	return py_type_offset && !w->has_audit_hook && !gil_window_is_needed() &&
	       both & PY_TYPE_IS_HEAP && !(any & apart);
}

static int write_class(PyObject *o, PyObject *from, PyObject *to)
{
	if (PyType_GetFlags(from) & MANAGED_DICT) {
		PyObject *dict = PyObject_GenericGetDict(o, NULL);
		Py_DecRef(dict);
		if (!dict)
			return -1;
	}
	Py_IncRef(to);
	memcpy((char *)o + py_type_offset, &to, sizeof(to));
	Py_DecRef(from);
	return 0;
}

/* The setter for the first of them, and for all when it does more than to write the word. */
static size_t move(const struct world *w, const struct instances *i, PyObject *from,
		   PyObject *to)
{
	struct setter setter = setter_of(w);
	int is_word = is_word_all(w, from, to);
	size_t at = 0;

	for (; at < i->count && (!at || !is_word); at++)
		if (py_type(i->items[at]) != from || set_class(&setter, i->items[at], to))
			break;
	if (at && is_word)
		for (; at < i->count && py_type(i->items[at]) == from; at++)
			if (write_class(i->items[at], from, to))
				break;
	Py_DecRef(setter.descriptor);
	return at;
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
