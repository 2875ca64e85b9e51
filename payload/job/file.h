/* SPDX-License-Identifier: MIT
 *
 * Files read past the interpreter: no Python code runs, no audit hook is called.
 */
#ifndef PAYLOAD_JOB_FILE_H
#define PAYLOAD_JOB_FILE_H

#include "payload/job/job.h"

/* 0; 1 when the path is a symbolic link, to what was looked at; or the negative errno value: no
 * file is no error. */
long file_stamp_get(struct file_stamp *out, const char *path);
int file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b);

/* The whole file at `path`, bytes, as bytes; NULL without exception when it cannot be read. */
PyObject *file_read(PyObject *path);

#endif
