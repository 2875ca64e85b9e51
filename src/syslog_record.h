/* SPDX-License-Identifier: MIT
 *
 * What pyhotpatch leaves in the system's log: one line for each process that it changed or may
 * have harmed, so that who looks into an incident later finds out what was not as deployed.
 */
#ifndef SRC_SYSLOG_RECORD_H
#define SRC_SYSLOG_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "src/outcome.h"

/* RFC 5424 asks receivers to take 2048 octets, header included. */
#define SYSLOG_RECORD_MAX 1800

/* The line for *outcome, cut with "..." where it is too long; false, with *out "", when there
 * is nothing to record: nothing was changed. */
bool syslog_record_text(char out[SYSLOG_RECORD_MAX], const struct outcome *outcome);

/* Write it by syslog(3): facility user, level notice, or err where something went wrong. No log
 * that listens is no error. */
void syslog_record(const struct outcome *outcome);

#endif
