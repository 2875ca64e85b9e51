/* SPDX-License-Identifier: MIT
 *
 * Doing and undoing writes. The invariant: nothing in here lets go of the last reference to an
 * object of the program (the write keeps the old value), so no finaliser runs before
 * writes_fini.
 */
#include "payload/writes.h"

void writes_fini(struct writes *writes)
{
	struct writes dying = *writes;

	*writes = (struct writes){0};
	for (size_t i = 0; i < dying.count; i++) {
		Py_DecRef(dying.items[i].object);
		Py_DecRef(dying.items[i].key);
		Py_DecRef(dying.items[i].value);
		Py_DecRef(dying.items[i].old);
	}
	PyMem_Free(dying.items);
	key_order_fini(&dying.order);
}

struct write *writes_add(struct writes *writes, enum write_kind kind, PyObject *object,
			 PyObject *key, PyObject *value)
{
	if (writes->count == writes->capacity) {
		size_t capacity = writes->capacity ? writes->capacity * 2 : 64;
		struct write *items =
			PyMem_Realloc(writes->items, capacity * sizeof(*writes->items));
		if (!items) {
			PyErr_NoMemory();
			return NULL;
		}
		writes->items = items;
		writes->capacity = capacity;
	}
	struct write *write = &writes->items[writes->count++];
	*write = (struct write){
		.kind = kind,
		.object = py_ref(object),
		.key = py_ref(key),
		.value = py_ref(value),
	};
	return write;
}

/* A write that stopped in its middle has its old value put back like one that was done. */
static int is_to_undo(const struct writes *writes, const struct write *write)
{
	return write->is_done || (write == writes->failed && write->kind == WRITE_CONTENT);
}

/* Undoing goes on past a failure: as much as possible is put back. */
int writes_undo(struct writes *writes, const struct world *w)
{
	PyObject *kind, *value, *traceback;
	int failed = 0;

	PyErr_Fetch(&kind, &value, &traceback);
	for (size_t i = writes->count; i-- > 0;) {
		struct write *write = &writes->items[i];
		if (is_to_undo(writes, write) && write_put(w, write, write->old, 1)) {
			PyErr_Clear();
			failed = 1;
		}
		write->is_done = 0;
	}
	if (key_order_restore(&writes->order, w)) {
		PyErr_Clear();
		failed = 1;
	}
	PyErr_Restore(kind, value, traceback);
	return failed;
}

static int note_order(struct key_order *order, const struct writes *writes,
		      const struct world *w)
{
	for (size_t i = 0; i < writes->count; i++) {
		const struct write *write = &writes->items[i];
		int deletes = write->kind == WRITE_KEY ||
			      ((write->kind == WRITE_ITEM || write->kind == WRITE_TYPE) &&
			       !write->value);
		if (deletes && key_order_note(order, w, write->object))
			return -1;
	}
	return 0;
}

/* 0 done or skipped, -1 failed with an exception. */
static int do_write(struct write *write, const struct world *w)
{
	write->old = write_current(w, write);
	if (!PyErr_Occurred() && !write_put(w, write, write->value, 0)) {
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
	int status = note_order(&writes->order, writes, world);

	*undo_failed = 0;
	for (size_t i = 0; !status && i < writes->count; i++) {
		status = do_write(&writes->items[i], world);
		if (status) {
			writes->failed = &writes->items[i];
			*undo_failed = writes_undo(writes, world);
		}
	}
	return status;
}

PyObject *writes_record(const struct writes *writes, const struct world *world)
{
	_cleanup_py_ PyObject *record = PyList_New(0);

	for (size_t i = 0; record && i < writes->count; i++) {
		const struct write *write = &writes->items[i];
		if (!write->is_done || !write->is_kept)
			continue;
		_cleanup_py_ PyObject *kind = PyLong_FromLong(write->kind);
		PyObject *key = write->key ? write->key : world->none;
		_cleanup_py_ PyObject *entry =
			!kind        ? NULL
			: write->old ? PyTuple_Pack(4, kind, write->object, key, write->old)
				     : PyTuple_Pack(3, kind, write->object, key);
		if (!entry || PyList_Append(record, entry))
			return NULL;
	}
	return py_take(&record);
}
