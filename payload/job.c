/* SPDX-License-Identifier: MIT
 *
 * The steps of a reload, in order. Nothing before the commit changes the program.
 */
#include "payload/job.h"

void job_run(struct job *job)
{
	job_phase(job, WIRE_PHASE_SELECT);
	job->status = WIRE_STATUS_NOTHING_TO_DO;
}
