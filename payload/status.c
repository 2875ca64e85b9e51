/* SPDX-License-Identifier: MIT
 *
 * What was applied, attach by attach, and which frames have not come to it yet.
 */
#include "payload/status.h"

#include "payload/frames.h"
#include "payload/history.h"
#include "payload/home.h"
#include "payload/lineage.h"
#include "payload/replay.h"

int status_run(struct job *job)
{
	struct history history;
	struct frame_types types;
	_cleanup_py_ PyObject *codes = PyDict_New();

	if (!codes || history_get(&history, job) || lineage_forward(job, &history, codes))
		return -1;
	job->status = WIRE_STATUS_NOTHING_TO_DO;
	for (Py_ssize_t i = history.count; i > history.dropped; i--) {
		PyObject *entry = history_entry(&job->world, &history, i);
		if (!entry || replay_attach(job, entry, i, 0)) {
			job->status = WIRE_STATUS_NONE;
			return -1;
		}
		job->status = WIRE_STATUS_APPLIED;
	}
	if (frame_types_init(&types) || frames_report(job, &types, codes) < 0)
		PyErr_Clear();
	frame_types_fini(&types);
	return 0;
}

int status_forget(struct job *job)
{
	if (job_begin_commit(job))
		return -1;
	int removed = home_remove(job);
	if (removed < 0)
		return -1;
	job->status = removed ? WIRE_STATUS_APPLIED : WIRE_STATUS_NOTHING_TO_DO;
	return 0;
}
