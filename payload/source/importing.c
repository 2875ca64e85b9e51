/* SPDX-License-Identifier: MIT
 *
 * See importing.h. Lib/importlib/_bootstrap.py sets ModuleSpec._initializing while the module's
 * code runs, in every version.
 */
#include "payload/source/importing.h"

#include "payload/base/sys.h"
#include "payload/source/origin.h"

#define PATIENCE_NS 1000000000ll
#define ANSWER_NS   300000000ll /* as idle.c has it */

int importing_is(const struct world *w, const struct module *module)
{
	_cleanup_py_ PyObject *flag =
		module->live ? origin_of_spec(w, module->live, NAME_INITIALIZING) : NULL;

	return py_is(flag, w->boolean) && PyObject_IsTrue(flag) == 1;
}

int importing_any(const struct job *job)
{
	for (size_t i = 0; i < job->modules.count; i++)
		if (job->modules.items[i].was_importing ||
		    importing_is(&job->world, &job->modules.items[i]))
			return 1;
	return 0;
}

int64_t importing_limit(const struct job *job)
{
	const int64_t own = sys_now_ns() + PATIENCE_NS;
	const int64_t limit = job->channel->deadline_ns - ANSWER_NS;

	return own < limit ? own : limit;
}
