/* SPDX-License-Identifier: MIT
 *
 * What an earlier attach reported, told again.
 */
#ifndef PAYLOAD_RECORD_REPLAY_H
#define PAYLOAD_RECORD_REPLAY_H

#include "payload/job/job.h"

/* Adds a record of the attach, from the entry of one of the interpreters that it changed. */
void replay_attach(struct job *job, PyObject *history_entry, Py_ssize_t number, int is_undone);

/* Adds those of its changes in this interpreter. When it `is_undone`, what was added was
 * removed and the other way round. -1: the entry is damaged. */
int replay_changes(struct job *job, PyObject *history_entry, int is_undone);

#endif
