/* SPDX-License-Identifier: MIT
 *
 * A payload whose Nth write fails, for the cases that watch what is undone. The linker puts
 * __wrap_write_put() into the place of write_put() (--wrap), so that nothing of this is in the
 * payload that is installed.
 */
#include "payload/plan/writes.h"

/* Fails the write at `index` of the next commits, counted from 0; -1: none. */
void payload_fail_write(int index);

int __real_write_put(const struct world *world, const struct write *write, PyObject *value,
		     int is_undo);
int __wrap_write_put(const struct world *world, const struct write *write, PyObject *value,
		     int is_undo);

static int left = -1;

__attribute__((visibility("default"))) void payload_fail_write(int index)
{
	left = index;
}

int __wrap_write_put(const struct world *world, const struct write *write, PyObject *value,
		     int is_undo)
{
	if (!is_undo && left >= 0 && left-- == 0) {
		PyErr_SetString(world->error, "this write was made to fail");
		return -1;
	}
	return __real_write_put(world, write, value, is_undo);
}
