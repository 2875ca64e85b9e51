/* SPDX-License-Identifier: MIT
 *
 * Arithmetic whose state lives in general, vector and mask registers only. A register that is
 * lost on the way makes the result another one.
 */
#ifndef TESTS_TRACE_CHURN_H
#define TESTS_TRACE_CHURN_H

#include <stdint.h>

/* The same for the same seed, always; some ten microseconds. Uses AVX-512 where there is some,
 * AVX2 otherwise. */
uint64_t churn(uint64_t seed);

/* "AVX-512", "AVX2", or "SSE2". */
const char *churn_registers(void);

#endif
