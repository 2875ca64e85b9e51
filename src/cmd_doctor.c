/* SPDX-License-Identifier: MIT
 *
 * pyhotpatch doctor [PID...]: every obstacle with its remedy. Changes nothing; a process under
 * a seccomp filter has one thread stopped for a moment, so that the filter can be read.
 */
#include "src/commands.h"
#include "src/outcome.h"
#include "src/render.h"
#include "src/term.h"

static int machine(const struct options *options, const struct term *term)
{
	struct machine_info info;

	machine_info_get(&info);
	if (options->json)
		render_json_machine(stdout, &info);
	else if (!options->quiet || info.obstacle_count)
		render_text_machine(stdout, term, &info);
	return info.obstacle_count ? hp_err_exit_status(info.obstacles[0].kind) : 0;
}

int cmd_doctor(const struct options *options)
{
	struct term term = term_of(stdout, options->color);
	int status = 0;

	if (!options->pid_count)
		return machine(options, &term);
	for (size_t i = 0; i < options->pid_count; i++) {
		struct process_info info;

		process_info_get(&info, options->pids[i]);
		process_info_check_filters(&info);
		process_info_check_payload(&info);
		if (options->json)
			render_json_doctor(stdout, &info);
		else if (!options->quiet || info.obstacle_count)
			render_text_doctor(stdout, &term, &info);
		status = exit_status_worse(status, process_info_exit_status(&info));
	}
	return status;
}
