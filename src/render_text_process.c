/* SPDX-License-Identifier: MIT
 *
 * list and doctor for people.
 */
#include <string.h>

#include "inject/report/text.h"
#include "src/process_name.h"
#include "src/render.h"

#define CELL_MAX (TEXT_GROWTH * sizeof(((struct process_info *)0)->command) + 1)

/* Not in the error table: these are for a narrow column of list alone. */
static const char *short_obstacle(const struct process_info *info)
{
	static const char *const texts[HP_ERR_KIND_COUNT] = {
		[HP_NO_PROCESS] = "gone",       [HP_PERMISSION] = "no permission",
		[HP_NOT_PYTHON] = "not Python", [HP_UNSUPPORTED] = "unsupported",
		[HP_TRACED] = "being traced",   [HP_STOPPED] = "stopped",
		[HP_ZOMBIE] = "zombie",         [HP_FINALIZING] = "ending",
	};
	enum hp_err_kind kind;

	if (!info->obstacle_count)
		return "yes";
	kind = info->obstacles[0].kind;
	return (unsigned)kind < HP_ERR_KIND_COUNT && texts[kind] ? texts[kind] : "no";
}

static const char *uptime_text(char *out, size_t size, int64_t s)
{
	if (s < 0)
		snprintf(out, size, "?");
	else if (s < 60)
		snprintf(out, size, "%ds", (int)s);
	else if (s < 3600)
		snprintf(out, size, "%dm%02ds", (int)(s / 60), (int)(s % 60));
	else if (s < 86400)
		snprintf(out, size, "%dh%02dm", (int)(s / 3600), (int)(s / 60 % 60));
	else
		snprintf(out, size, "%lldd%02dh", (long long)(s / 86400), (int)(s / 3600 % 24));
	return out;
}

/* Cut a neutralized text after so many characters, never inside of one. */
static void cut(char *text, size_t width)
{
	for (; *text; text++) {
		if (((unsigned char)*text & 0xc0) == 0x80)
			continue;
		if (!width--) {
			*text = '\0';
			return;
		}
	}
}

/* The columns of list; each as wide as its widest entry. */
struct widths {
	int python, user, uptime, state;
};

static void widen(int *width, const char *text)
{
	if ((int)strlen(text) > *width)
		*width = (int)strlen(text);
}

static const char *or_unknown(const char *text)
{
	return text[0] ? text : "?";
}

static struct widths widths_of(const struct process_info *const *infos, size_t count)
{
	struct widths widths = {strlen("PYTHON"), strlen("USER"), strlen("UPTIME"),
				strlen("ATTACH")};
	char uptime[32];

	for (size_t i = 0; i < count; i++) {
		widen(&widths.python, or_unknown(infos[i]->python));
		widen(&widths.user, or_unknown(infos[i]->user));
		widen(&widths.uptime, uptime_text(uptime, sizeof(uptime), infos[i]->uptime_s));
		widen(&widths.state, short_obstacle(infos[i]));
	}
	return widths;
}

static void put_list_line(FILE *to, const struct term *term, const struct widths *widths,
			  const struct process_info *info)
{
	char uptime[32], command[CELL_MAX];
	int used = fprintf(to, "%7d  %-*s  %-*s  %*s  ", (int)info->pid, widths->python,
			   or_unknown(info->python), widths->user, or_unknown(info->user),
			   widths->uptime, uptime_text(uptime, sizeof(uptime), info->uptime_s));

	text_neutralize(command, info->command, strlen(info->command), TEXT_ONE_LINE);
	used += widths->state + 2;
	if (term->is_tty && (int)term->columns > used)
		cut(command, term->columns - (unsigned)used);
	fprintf(to, "%s%-*s%s  %s\n",
		term_style(term, info->obstacle_count ? STYLE_WARNING : STYLE_GOOD),
		widths->state, short_obstacle(info), term_style(term, STYLE_PLAIN), command);
}

void render_text_list(FILE *to, const struct term *term,
		      const struct process_info *const *infos, size_t count)
{
	struct widths widths = widths_of(infos, count);

	if (!count) {
		fputs("no Python process is to be seen here\n", to);
		return;
	}
	fprintf(to, "%s%7s  %-*s  %-*s  %*s  %-*s  %s%s\n", term_style(term, STYLE_STRONG),
		"PID", widths.python, "PYTHON", widths.user, "USER", widths.uptime, "UPTIME",
		widths.state, "ATTACH", "COMMAND", term_style(term, STYLE_PLAIN));
	for (size_t i = 0; i < count; i++)
		put_list_line(to, term, &widths, infos[i]);
}

static void put_obstacles(FILE *to, const struct term *term, const struct hp_err *obstacles,
			  size_t count)
{
	char clean[TEXT_GROWTH * sizeof(obstacles->text) + 1];

	for (size_t i = 0; i < count; i++) {
		const char *hint = hp_err_hint_of(&obstacles[i]);

		text_neutralize(clean, obstacles[i].text, strlen(obstacles[i].text),
				TEXT_ONE_LINE);
		fprintf(to, "  %sobstacle:%s %s\n", term_style(term, STYLE_BAD),
			term_style(term, STYLE_PLAIN), clean);
		if (!hint[0])
			continue;
		text_neutralize(clean, hint, strlen(hint), TEXT_ONE_LINE);
		fprintf(to, "      hint: %s\n", clean);
	}
}

void render_text_doctor(FILE *to, const struct term *term, const struct process_info *info)
{
	char command[CELL_MAX], name[PROCESS_NAME_MAX];

	fprintf(to, "%s: %s%s%s\n", process_name(name, info->pid, info->inner_pid),
		term_style(term, info->obstacle_count ? STYLE_BAD : STYLE_GOOD),
		info->obstacle_count ? "cannot be attached to" : "nothing stands in the way",
		term_style(term, STYLE_PLAIN));
	if (info->python[0]) {
		text_neutralize(command, info->command, strlen(info->command), TEXT_ONE_LINE);
		/* PyPy and GraalPy stand there by name. */
		fprintf(to, "  %s%s, user %s: %s\n", info->python[0] <= '9' ? "CPython " : "",
			info->python, info->user, command);
	}
	put_obstacles(to, term, info->obstacles, info->obstacle_count);
}

void render_text_machine(FILE *to, const struct term *term, const struct machine_info *info)
{
	static const char *const scopes[] = {
		"0: every process of the same user may be traced",
		"1: a process may be traced by its ancestors, and with CAP_SYS_PTRACE",
		"2: only with CAP_SYS_PTRACE",
		"3: nobody may trace",
	};
	bool yama_known = info->yama >= 0 && info->yama <= 3;

	fprintf(to, "this machine: %s%s%s\n",
		term_style(term, info->obstacle_count ? STYLE_BAD : STYLE_GOOD),
		info->obstacle_count ? "something stands in the way"
				     : "nothing stands in the way",
		term_style(term, STYLE_PLAIN));
	fprintf(to, "  user       %s, %s CAP_SYS_PTRACE\n", info->user,
		info->may_trace > 0    ? "with"
		: info->may_trace == 0 ? "without"
				       : "perhaps with");
	fprintf(to, "  Yama       %s\n",
		yama_known ? scopes[info->yama] : "not in this kernel");
	fprintf(to, "  payload    %s\n", info->payload[0] ? info->payload : "not found");
	fprintf(to, "  libunwind  %s\n", info->libunwind[0] ? info->libunwind : "not found");
	put_obstacles(to, term, info->obstacles, info->obstacle_count);
}
