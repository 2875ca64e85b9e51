/* SPDX-License-Identifier: MIT
 *
 * Doing and undoing writes. The invariant: nothing in here lets go of the last reference to an
 * object of the program (the write keeps the old value), so no finaliser runs before
 * writes_fini.
 */
#include "payload/plan/writes.h"

#include "payload/python/class_change.h"
#include "payload/python/compare.h"

static void write_fini(struct write *write)
{
	py_drop_all(&write->object, &write->offset);
}

void writes_remove(struct writes *writes, size_t at)
{
	struct write dying = writes->items[at];

	writes->count--;
	for (size_t i = at; i < writes->count; i++)
		writes->items[i] = writes->items[i + 1];
	write_fini(&dying);
}

void writes_fini(struct writes *writes)
{
	struct writes dying = *writes;

	*writes = (struct writes){0};
	for (size_t i = 0; i < dying.count; i++)
		write_fini(&dying.items[i]);
	PyMem_Free(dying.items);
	key_order_fini(&dying.order);
}

struct write *writes_add(struct writes *writes, enum write_kind kind, PyObject *object,
			 PyObject *key, PyObject *value)
{
	struct write *write = py_add(writes, sizeof(*write));

	if (!write)
		return NULL;
	write->kind = kind;
	write->object = py_ref(object);
	write->key = py_ref(key);
	write->value = py_ref(value);
	return write;
}

/* Identity, one level into what a write itself puts together. */
static int is_same(const struct world *w, const struct write *write, PyObject *a, PyObject *b)
{
	if (a == b)
		return 1;
	/* A dict of them is made for who looks at them; from 3.14 on they are computed then,
	 * and a class without them gets None for what computes them. */
	if ((!b || b == w->none) &&
	    (write->kind == WRITE_ANNOTATIONS ||
	     (world_is_str(write->key) &&
	      compare_is_name(write->key,
			      "__annotations__ __annotations_cache__ __annotate_func__"))))
		return 1;
	if (!a || !b || py_type(a) != py_type(b))
		return 0;
	if (write->kind == WRITE_CONTENT)
		return compare_contents(a, b);
	/* Nobody but us sets a closure (__closure__ is read-only): the tuple is of our making.
	 * Of equal codes several may be about: each compilation makes its own. */
	if (write->kind == WRITE_CODE)
		return py_equal(py_first(a), py_first(b));
	if (write->kind != WRITE_BASES && write->kind != WRITE_LIST)
		return 0;
	_cleanup_py_ PyObject *x = PySequence_Tuple(a), *y = PySequence_Tuple(b);
	if (!x || !y || PyTuple_Size(x) != PyTuple_Size(y) || !world_is_tuple(x))
		return 0;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_tuple_item(x, i)); i++)
		if (item != PyTuple_GetItem(y, i))
			return 0;
	return 1;
}

int write_may_be_done(const struct write *write, const struct world *world)
{
	_cleanup_py_ PyObject *now = write->is_guarded ? write_current(world, write) : NULL;

	PyErr_Clear();
	return !write->is_guarded || is_same(world, write, now, write->expected);
}

/* A write that stopped in its middle has its old value put back like one that was done. */
static int is_to_undo(const struct writes *writes, const struct write *write)
{
	int is_whole = write->kind == WRITE_CONTENT || write->kind == WRITE_SET ||
		       write->kind == WRITE_LIST;

	return write->is_done || write->is_loose ||
	       (write == writes->failed &&
		((is_whole && write->old) || write->kind == WRITE_INSTANCES));
}

/* Several classes that get other bases, one below the other, may have no consistent __mro__
 * when the first has got them: then all are put below what their instances are laid out by, as
 * nothing is in the way there, and from there below their bases. */
static void loosen(struct write *write, const struct world *w)
{
	_cleanup_py_ PyObject *base = world_base(write->object);
	_cleanup_py_ PyObject *ground = base ? class_solid(w, base) : NULL;
	_cleanup_py_ PyObject *bases = ground ? PyTuple_Pack(1, ground) : NULL;

	if (bases && !class_set_bases(w, write->object, bases))
		write->is_loose = 1;
	PyErr_Clear();
}

/* Those from `first` up to the one before `end`. */
static void loosen_all(struct writes *writes, size_t first, size_t end, const struct world *w)
{
	for (size_t i = first; i < end; i++) {
		struct write *write = &writes->items[i];
		if (write->kind != WRITE_BASES)
			continue;
		if (!write->old)
			write->old = write_current(w, write);
		if (write->old)
			loosen(write, w);
	}
}

/* What the setter of __bases__ says of an __mro__. */
static int is_in_the_way(const struct write *write, const struct world *w)
{
	return write->kind == WRITE_BASES && world_is_type_error(w);
}

static int put_back(struct writes *writes, size_t at, const struct world *w)
{
	struct write *write = &writes->items[at];

	if (!is_to_undo(writes, write) || !write_put(w, write, write->old, 1))
		return 0;
	if (!is_in_the_way(write, w))
		return -1;
	PyErr_Clear();
	for (size_t i = 0; i <= at; i++)
		if (is_to_undo(writes, &writes->items[i]))
			loosen_all(writes, i, i + 1, w);
	return write_put(w, write, write->old, 1);
}

/* Undoing goes on past a failure: as much as possible is put back. */
int writes_undo(struct writes *writes, const struct world *w)
{
	struct py_pending pending;
	int failed = 0;

	py_set_aside(&pending);
	for (size_t i = writes->count; i-- > 0;) {
		if (put_back(writes, i, w)) {
			PyErr_Clear();
			failed = 1;
		}
		writes->items[i].is_done = writes->items[i].is_loose = 0;
	}
	if (key_order_restore(&writes->order, w)) {
		PyErr_Clear();
		failed = 1;
	}
	py_bring_back(&pending);
	return failed;
}

static int prepare(struct writes *writes, const struct world *w)
{
	for (size_t i = 0; i < writes->count; i++) {
		struct write *write = &writes->items[i];
		int is_name = write->kind == WRITE_ITEM || write->kind == WRITE_TYPE ||
			      write->kind == WRITE_NAMESPACE;
		int deletes = is_name && !write->value;
		if (write->kind == WRITE_NAMESPACE && !write->space &&
		    !(write->space = world_class_namespace(w, write->object)))
			return -1;
		if (deletes && key_order_note(&writes->order, w, write->object))
			return -1;
	}
	return 0;
}

/* 0 done or skipped, -1 failed with an exception. */
static int do_write(struct write *write, const struct world *w)
{
	if (!write->old)
		write->old = write_current(w, write);
	int may = !write->is_guarded || is_same(w, write, write->old, write->expected);
	if (may && !PyErr_Occurred() && !write_put(w, write, write->value, 0)) {
		write->is_done = 1;
		return 0;
	}
	if (write->is_optional) {
		PyErr_Clear();
		return 0;
	}
	if (!PyErr_Occurred())
		PyErr_SetString(w->error, "an object changed under the commit");
	return -1;
}

int writes_commit(struct writes *writes, const struct world *world, int *undo_failed)
{
	int status = prepare(writes, world);

	*undo_failed = 0;
	for (size_t i = 0; !status && i < writes->count; i++) {
		status = do_write(&writes->items[i], world);
		if (status && is_in_the_way(&writes->items[i], world)) {
			PyErr_Clear();
			loosen_all(writes, i, writes->count, world);
			status = do_write(&writes->items[i], world);
		}
		if (status) {
			writes->failed = &writes->items[i];
			*undo_failed = writes_undo(writes, world);
		}
	}
	return status;
}
