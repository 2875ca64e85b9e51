/* SPDX-License-Identifier: MIT
 *
 * What stays in the target: one module object, "_pyhotpatch", that holds for each module which
 * was ever looked into what runs (its baseline), and the record of the last attach.
 */
#ifndef PAYLOAD_HOME_H
#define PAYLOAD_HOME_H

#include "payload/job.h"

/* The code that runs in the module as of an earlier attach, and its file's stamp then. New
 * reference; NULL without exception when there is no baseline, or for another module object. */
PyObject *home_baseline(struct job *job, const struct module *module,
			struct file_stamp *stamp_out);

/* Remembers that module->code runs now, from a file of module->stamp. */
int home_remember(struct job *job, const struct module *module);

/* Keeps the rollback record in the place of the one before. */
int home_keep_record(struct job *job, PyObject *record);

#endif
