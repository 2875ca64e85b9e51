/* SPDX-License-Identifier: MIT
 *
 * What stays in the target: one module object, "_pyhotpatch", that holds for each module which
 * was ever looked into what runs (its baseline), and the records of the attaches (history.h).
 */
#ifndef PAYLOAD_SOURCE_HOME_H
#define PAYLOAD_SOURCE_HOME_H

#include "payload/job/job.h"

/* The namespace of the home module, borrowed; NULL without exception when there is none and it
 * is not needed. One that another version left is replaced. */
PyObject *home_dict(struct job *job, int is_needed);

/* Removes the home module. 1 when there was one; 0; -1 with an exception. */
int home_remove(struct job *job);

/* Those that are known; borrowed; NULL without exception when there are none. */
PyObject *home_baselines(struct job *job);

/* The code that runs in the module as of an earlier attach, and its file's stamp then.
 * Borrowed; NULL without exception when there is no baseline, or for another module object. */
PyObject *home_baseline(PyObject *all, const struct module *module,
			struct file_stamp *stamp_out);

/* Remembers that module->code runs now, from a file of module->stamp. */
int home_remember(struct job *job, const struct module *module);

/* What a baseline was before an attach, for home_put_back: None when nothing is known. New
 * reference. */
PyObject *home_baseline_before(struct job *job, const struct module *module);
int home_put_back(struct job *job, PyObject *module_key, PyObject *before);

#endif
