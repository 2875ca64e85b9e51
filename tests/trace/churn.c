/* SPDX-License-Identifier: MIT
 *
 * See churn.h. The loops are long against a time slice, and nothing in them is spilled: the
 * empty asm statements keep each value in a register from one round to the next.
 */
#include "tests/trace/churn.h"

#include <immintrin.h>

#define ROUNDS 2000

static uint64_t fold(const uint64_t *lanes, int count)
{
	uint64_t sum = 0;

	for (int i = 0; i < count; i++)
		sum = (sum << 7 | sum >> 57) ^ lanes[i];
	return sum;
}

static uint64_t churn_general(uint64_t seed)
{
	__m128i v = _mm_set1_epi64x((long long)seed);
	uint64_t a = seed, b = ~seed, lanes[2];

	for (int i = 0; i < ROUNDS; i++) {
		v = _mm_add_epi64(_mm_xor_si128(v, _mm_set_epi64x(3, 5)), _mm_slli_epi64(v, 1));
		a = a * 6364136223846793005ull + 1442695040888963407ull;
		b ^= a >> 7;
		__asm__ volatile("" : "+x"(v), "+r"(a), "+r"(b));
	}
	_mm_storeu_si128((__m128i *)lanes, v);
	return fold(lanes, 2) ^ a ^ b;
}

__attribute__((target("avx2"))) static uint64_t churn_avx2(uint64_t seed)
{
	const __m256i step = _mm256_set_epi64x(3, 5, 7, 11);
	__m256i v = _mm256_set1_epi64x((long long)seed);
	__m256d d = _mm256_set1_pd(1.0);
	uint64_t lanes[8];

	for (int i = 0; i < ROUNDS; i++) {
		v = _mm256_add_epi64(_mm256_xor_si256(v, step), _mm256_slli_epi64(v, 1));
		d = _mm256_add_pd(d, _mm256_set1_pd(0.25));
		__asm__ volatile("" : "+x"(v), "+x"(d));
	}
	_mm256_storeu_si256((__m256i *)lanes, v);
	_mm256_storeu_pd((double *)(lanes + 4), d);
	return fold(lanes, 8);
}

/* Also the upper sixteen registers, which only AVX-512 has, and a mask. */
__attribute__((target("avx512f"))) static uint64_t churn_avx512(uint64_t seed)
{
	register __m512i high __asm__("xmm29") = _mm512_set1_epi64((long long)~seed);
	__m512i v = _mm512_set1_epi64((long long)seed);
	__mmask8 mask = 0x5a;
	uint64_t lanes[17];

	for (int i = 0; i < ROUNDS; i++) {
		v = _mm512_mask_add_epi64(v, mask, v, _mm512_slli_epi64(v, 1));
		high = _mm512_xor_si512(_mm512_rol_epi64(high, 3), v);
		mask = (__mmask8)(mask << 1 | mask >> 7);
		__asm__ volatile("" : "+v"(v), "+v"(high), "+Yk"(mask));
	}
	_mm512_storeu_si512(lanes, v);
	_mm512_storeu_si512(lanes + 8, high);
	lanes[16] = mask;
	return fold(lanes, 17);
}

uint64_t churn(uint64_t seed)
{
	uint64_t sum = churn_general(seed);

	if (__builtin_cpu_supports("avx2"))
		sum ^= churn_avx2(seed);
	if (__builtin_cpu_supports("avx512f"))
		sum ^= churn_avx512(seed);
	return sum;
}

const char *churn_registers(void)
{
	return __builtin_cpu_supports("avx512f") ? "AVX-512"
	       : __builtin_cpu_supports("avx2")  ? "AVX2"
						 : "SSE2";
}
