/* SPDX-License-Identifier: MIT
 *
 * Who still runs what was there before the attaches that are recorded, and their removal.
 */
#include "payload/command/status.h"

#include "payload/job/frames.h"
#include "payload/record/history.h"
#include "payload/record/lineage.h"
#include "payload/source/home.h"

int status_frames(struct job *job)
{
	struct history history;
	_cleanup_py_ PyObject *codes = PyDict_New();

	if (!codes || history_get(&history, job) || lineage_forward(job, &history, codes))
		return -1;
	frames_tell(job, codes);
	return 0;
}

int status_forget(struct job *job)
{
	return home_remove(job);
}
