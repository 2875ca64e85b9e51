/* SPDX-License-Identifier: MIT
 *
 * SHA-256 as FIPS 180-4 defines it. hashlib may not be loaded in the program, and shall not be
 * because of us.
 */
#include "payload/base/digest.h"

#include "payload/base/freestanding.h"

#define BLOCK 64

/* Section 4.2.2. */
static const uint32_t round_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2};

static uint32_t rotate(uint32_t x, unsigned by)
{
	return x >> by | x << (32 - by);
}

static void fill_schedule(uint32_t w[64], const uint8_t *block)
{
	for (unsigned i = 0; i < 16; i++)
		w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
		       (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
	for (unsigned i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];
		w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] +
		       (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
	}
}

static void add_block(uint32_t state[8], const uint8_t *block)
{
	uint32_t w[64], s[8];

	fill_schedule(w, block);
	memcpy(s, state, sizeof(s));
	for (unsigned i = 0; i < 64; i++) {
		uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
		uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
		uint32_t a = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) +
			     choice + round_constants[i] + w[i];
		uint32_t b = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) + majority;
		for (unsigned j = 7; j > 0; j--)
			s[j] = s[j - 1];
		s[4] += a;
		s[0] = a + b;
	}
	for (unsigned i = 0; i < 8; i++)
		state[i] += s[i];
}

/* The rest, a one bit, zeros, and the length in bits: section 5.1.1. */
static void add_end(uint32_t state[8], const uint8_t *rest, size_t left, uint64_t size)
{
	uint8_t block[2 * BLOCK] = {0};
	size_t total = left + 9 > BLOCK ? sizeof(block) : BLOCK;

	memcpy(block, rest, left);
	block[left] = 0x80;
	for (unsigned i = 0; i < 8; i++)
		block[total - 1 - i] = (uint8_t)(size * 8 >> (8 * i));
	for (size_t at = 0; at < total; at += BLOCK)
		add_block(state, block + at);
}

void digest_bytes(char out[DIGEST_HEX_SIZE], PyObject *bytes)
{
	uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
			     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
	Py_ssize_t size = 0;
	char *data = NULL;

	out[0] = '\0';
	if (!bytes || PyBytes_AsStringAndSize(bytes, &data, &size)) {
		PyErr_Clear();
		return;
	}
	const uint8_t *at = (const uint8_t *)data, *end = at + size;
	for (; end - at >= BLOCK; at += BLOCK)
		add_block(state, at);
	add_end(state, at, (size_t)(end - at), (uint64_t)size);
	for (unsigned i = 0; i < 64; i++)
		out[i] = "0123456789abcdef"[state[i / 8] >> (28 - 4 * (i % 8)) & 15];
	out[64] = '\0';
}
