# SPDX-License-Identifier: MIT
"""The rows as a table of Markdown and as plots."""
import os

from measure import quartiles


def figure(value):
    return "%.3g" % value if value < 1000 else "%.0f" % value


def spread(samples, unit):
    low, middle, high = quartiles(samples)
    if low == high:
        return ("%s %s" % (figure(middle), unit)).strip()
    return ("%s %s (%s to %s)" % (figure(middle), unit, figure(low), figure(high))).strip()


def goal_text(row):
    if row.goal is None:
        return ""
    sign, bound = row.goal
    bound = "1/%g" % round(1 / bound) if bound < 1 else "%g" % bound
    return "%s %s: %s" % ("at most" if sign == "<=" else "at least", bound,
                          "met" if row.is_met else "**not met**")


def markdown(rows):
    lines = ["| what | pyhotpatch | compared with | | ratio | goal |",
             "| --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        lines.append("| %s | %s | %s | %s | %s | %s |" % (
            row.subject, spread(row.ours, row.unit), row.against, spread(row.theirs, row.unit),
            figure(row.ratio), goal_text(row)))
    notes = ["%s: %s." % (row.subject, row.note) for row in rows if row.note]
    return "\n".join(lines + [""] + notes) + "\n"


def plot(rows, folder):
    """One SVG a group: each row's two sides as boxes on a logarithmic axis."""
    import matplotlib
    matplotlib.use("svg")
    # The same input gives the same bytes.
    matplotlib.rcParams["svg.hashsalt"] = "pyhotpatch"
    from matplotlib import pyplot
    os.makedirs(folder, exist_ok=True)
    for group in dict.fromkeys(row.group for row in rows):
        chosen = [row for row in rows if row.group == group]
        labels, samples = [], []
        for row in reversed(chosen):
            unit = " [%s]" % row.unit if row.unit else ""
            labels += [row.against, row.subject + unit]
            samples += [row.theirs, row.ours]
        _, axes = pyplot.subplots(figsize=(11, 0.6 + 0.42 * len(labels)))
        boxes = axes.boxplot(samples, vert=False, whis=(0, 100), patch_artist=True)
        for number, box in enumerate(boxes["boxes"]):
            box.set_facecolor("#4c78a8" if number % 2 else "#d0d0d0")
        axes.set_yticklabels(labels)
        axes.set_xscale("log")
        axes.set_title(group + ": blue is pyhotpatch")
        axes.grid(axis="x", alpha=0.4)
        pyplot.tight_layout()
        pyplot.savefig(os.path.join(folder, group.replace(" ", "-") + ".svg"),
                       metadata={"Date": None})
        pyplot.close()
