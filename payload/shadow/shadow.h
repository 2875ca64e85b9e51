/* SPDX-License-Identifier: MIT
 *
 * Running new module code where the program cannot see it.
 */
#ifndef PAYLOAD_SHADOW_SHADOW_H
#define PAYLOAD_SHADOW_SHADOW_H

#include "payload/job/job.h"

struct shadow {
	PyObject *hook;     /* globals of the import hook; owned, like the rest */
	PyObject *builtins; /* what the shadows have for __builtins__ */
	/* from here on lists */
	PyObject *shadows; /* list of (shadow module, live module, or its namespace alone) */
	PyObject *loaded;  /* list of (name, module): modules that were not imported before */
	PyObject *classes; /* list of (namespace, parts, kept functions, donors) */
	PyObject *sets;    /* list of (object, attribute or key, value if any): what new code
			      has stored, or stores no more, in what the program has */
	PyObject *made;    /* list of (donor, live class): what classes in part were made */
	PyObject *refused; /* list of (qualified name, text): classes that could not be made */
	PyObject *linked;  /* list of (package, name): submodules that were bound in packages */
	PyObject *clones;  /* list of (clone, what it stands for, references to its code): what
			      new code meets that did not change (shadow_clones.c) */
};

/* Runs the changed modules' bodies. -1 with the exception of the new code. shadow_fini is due
 * in either case. */
int shadow_run(struct shadow *out, struct job *job);

/* Ends the hook; when it was in vain, modules that the run imported are forgotten. */
void shadow_fini(struct shadow *shadow, const struct world *world, int is_failure);

/* --- shadow_clones.c: -1 with an exception --- */

/* What the next needs, as a list; empty when new code calls nothing. New reference. */
PyObject *shadow_clones_find(const struct job *job);

/* Before the statements run. */
int shadow_clones_make(const struct shadow *shadow, const struct job *job, PyObject *found);

/* The live namespace of an item of shadow->shadows. Borrowed. */
PyObject *shadow_live_dict(PyObject *pair);

/* What functions of `module` have for builtins once they are the program's. Borrowed. */
PyObject *shadow_real_builtins(const struct world *world, const struct module *module);

#endif
