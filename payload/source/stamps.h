/* SPDX-License-Identifier: MIT
 *
 * The stamps of thousands of files, taken while something else is done: by a second thread,
 * which knows nothing of Python, and by the one that wants them, once it has the time.
 */
#ifndef PAYLOAD_SOURCE_STAMPS_H
#define PAYLOAD_SOURCE_STAMPS_H

#include "payload/job/module.h"

struct stamped {
	PyObject *live;   /* the namespace of the module whose file it is, for who asks */
	const char *path; /* NULL: none to take */
	size_t length;
	struct file_stamp stamp;
	long result; /* of file_stamp_get() */
};

struct stamps;

/* For so many; `is_ours`: this thread may make others. NULL with an exception. */
struct stamps *stamps_new(size_t room, int is_ours);

/* The next one. The path lives until stamps_free. */
void stamps_list(struct stamps *stamps, PyObject *live, const char *path, size_t length);

/* Takes some; 0 when all were begun. */
int stamps_take(struct stamps *stamps);

/* In the order of the list, once the last of them is there. */
const struct stamped *stamps_finish(struct stamps *stamps);
void stamps_free(struct stamps *stamps);

#endif
