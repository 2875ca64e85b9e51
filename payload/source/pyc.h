/* SPDX-License-Identifier: MIT
 *
 * The code that a module's .pyc holds. Its code is evidence of what was imported; its date is
 * not, and it is never executed.
 */
#ifndef PAYLOAD_SOURCE_PYC_H
#define PAYLOAD_SOURCE_PYC_H

#include "payload/job/job.h"

struct pyc {
	PyObject *code; /* owned; NULL when there is no .pyc of this interpreter */
	/* Python would take it for that of the source that is there now: same second and size,
	 * or told not to look. */
	int is_trusted;
	int is_newer; /* written after the source was last written or moved */
};

/* No exception is left. */
struct pyc pyc_read(struct job *job, const struct module *module);

#endif
