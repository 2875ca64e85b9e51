/* SPDX-License-Identifier: MIT
 *
 * pyhotpatch list: the Python processes here.
 */
#include <stdlib.h>

#include "inject/base/cleanup.h"
#include "inject/target/target.h"
#include "src/commands.h"
#include "src/diag.h"
#include "src/render.h"
#include "src/term.h"

/* A process that ended before it was looked at, or is a zombie, is no line. */
static bool is_gone(const struct process_info *info)
{
	enum hp_err_kind kind = info->obstacle_count ? info->obstacles[0].kind : HP_OK;

	return kind == HP_NO_PROCESS || kind == HP_ZOMBIE;
}

static int show_all(const struct options *options, const pid_t *pids, size_t count)
{
	_cleanup_free_ struct process_info *infos = calloc(count + 1, sizeof(*infos));
	_cleanup_free_ const struct process_info **shown = calloc(count + 1, sizeof(*shown));
	struct term term = term_of(stdout, options->color);
	size_t shown_count = 0;

	if (!infos || !shown)
		return -1;
	for (size_t i = 0; i < count; i++) {
		/* One that ended meanwhile would be searched for in all containers. */
		if (!target_has_python(pids[i]))
			continue;
		process_info_get(&infos[i], pids[i]);
		if (!is_gone(&infos[i]))
			shown[shown_count++] = &infos[i];
	}
	if (!options->json)
		render_text_list(stdout, &term, shown, shown_count);
	for (size_t i = 0; i < shown_count && options->json; i++)
		render_json_list_entry(stdout, shown[i]);
	return 0;
}

int cmd_list(const struct options *options)
{
	struct term term = term_of(stderr, options->color);
	_cleanup_free_ pid_t *pids = NULL;
	struct hp_err err;
	size_t count;
	int r;

	r = target_find_pythons(&pids, &count, &err);
	if (r == 0 && show_all(options, pids, count) < 0)
		r = hp_err_set(&err, HP_SYSTEM, 0, "no memory for %zu processes", count);
	if (r == 0)
		return 0;
	diag_error(stderr, &term, &err, NULL);
	return hp_err_exit_status(err.kind);
}
