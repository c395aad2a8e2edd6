/* Checksums by carry-less multiplication, for CRCs whose bits are reflected (CRC-16/MODBUS and the CRC-32 of zlib).
 *
 * Bits are polynomials over GF(2), the first bit on the line has the highest power. Each 16 bytes of a message are
 * multiplied by the power of x that stands behind them, modulo P, and all products are added: they do not wait for
 * each other, unlike a chain of folds, and a frame is too short to hide a chain. What comes out has 64 + w bits and is
 * reduced to the w bits of the checksum by three more multiplications. Bytes that are missing to whole blocks are zeros
 * in front, which change nothing.
 *
 * A reflected 64-bit word has x^63 at bit 0; the product of two has x^126 at bit 0 of 128, so it lacks one factor x.
 */
#ifndef PILESTREAM_FOLDING_H
#define PILESTREAM_FOLDING_H

#include <stddef.h>
#include <stdint.h>

/* A message of more bytes goes in pieces of so many. */
#define FOLDED_BLOCKS 16
#define FOLDED_BYTES (16 * FOLDED_BLOCKS)

typedef struct {
    uint64_t behind[FOLDED_BLOCKS][2]; /* x^(128 i + 64 + w - 1), x^(128 i + w - 1) mod P: i blocks follow */
    uint64_t descending[FOLDED_BLOCKS][2]; /* the same, the last block last */
    uint64_t behind_start[FOLDED_BYTES + 1]; /* x^(8 n - 1) mod P: n bytes follow the register; n is not 0 */
    uint32_t of_zeros[FOLDED_BYTES + 1]; /* the register behind n zeros that began with all ones */
    uint64_t behind_word[2];           /* x^63 mod P */
    uint64_t inverse[2];               /* 1/P as a power series of 64 - w bits, shifted by w */
    uint64_t polynomial[2];            /* P, lowest bit first, with its highest power */
} Folding;

static Folding folding16, folding32;

/* x^exponent mod P as a reflected 64-bit word; `reversed` is P without its highest power, of `width` bits. */
static uint64_t power_of_x(int exponent, uint64_t reversed, int width) {
    uint64_t value = (uint64_t)1 << (width - 1); /* x^0 */
    while (exponent-- > 0)
        value = (value >> 1) ^ (value & 1 ? reversed : 0);
    return value << (64 - width);
}

static inline uint32_t all_ones(int width) {
    return 0xFFFFFFFF >> (32 - width);
}

static void fill_folding(Folding *folding, uint64_t reversed, int width) {
    uint64_t polynomial = reversed << 1 | 1, inverse = 0, rest = 1;
    uint32_t ones;
    int i, bit;
    for (i = 0; i < FOLDED_BLOCKS; i++) {
        folding->behind[i][0] = power_of_x(128 * i + 64 + width - 1, reversed, width);
        folding->behind[i][1] = power_of_x(128 * i + width - 1, reversed, width);
        folding->descending[FOLDED_BLOCKS - 1 - i][0] = folding->behind[i][0];
        folding->descending[FOLDED_BLOCKS - 1 - i][1] = folding->behind[i][1];
    }
    for (i = 1; i <= FOLDED_BYTES; i++)
        folding->behind_start[i] = power_of_x(8 * i - 1, reversed, width);
    ones = all_ones(width);
    for (i = 0; i <= FOLDED_BYTES; i++) {
        folding->of_zeros[i] = ones;
        for (bit = 0; bit < 8; bit++)
            ones = (ones >> 1) ^ (ones & 1 ? (uint32_t)reversed : 0);
    }
    for (i = 0; i < 64 - width; i++) {
        if (rest >> i & 1) {
            rest ^= polynomial << i;
            inverse |= (uint64_t)1 << i;
        }
    }
    folding->behind_word[0] = folding->behind_word[1] = power_of_x(63, reversed, width);
    folding->inverse[0] = folding->inverse[1] = inverse << width;
    folding->polynomial[0] = folding->polynomial[1] = polynomial;
}

static void fill_foldings(void) {
    fill_folding(&folding16, 0xA001, 16);
    fill_folding(&folding32, 0xEDB88320, 32);
}

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>

#define FOLDING_MACHINE "pclmul,sse4.1"
#define WIDE_MACHINE "pclmul,sse4.1,avx2,avx512f,avx512bw,vpclmulqdq"
#define FOLDS static inline __attribute__((target(FOLDING_MACHINE), always_inline))
#define FOLDS_WIDE static inline __attribute__((target(WIDE_MACHINE), always_inline))

static int machine_folds(void) {
    return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
}

static int machine_folds_wide(void) {
    return machine_folds() && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("vpclmulqdq");
}

/* The control of a shuffle: read from n on, the first n bytes behind zeros; from 16 + n on, what follows them. */
static const uint8_t shifts[48] = {
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   13,   14,   15,
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
};

FOLDS __m128i loaded(const void *at) {
    return _mm_loadu_si128((const __m128i *)at);
}

FOLDS __m128i times(__m128i block, const uint64_t *powers) {
    __m128i both = loaded(powers);
    return _mm_xor_si128(_mm_clmulepi64_si128(block, both, 0x00), _mm_clmulepi64_si128(block, both, 0x11));
}

/* A sum of 64 + w bits to the register of w bits. */
FOLDS uint64_t reduced(__m128i sum, const Folding *folding, int width) {
    __m128i product;
    sum = _mm_xor_si128(sum, _mm_clmulepi64_si128(sum, loaded(folding->behind_word), 0x00));
    product = _mm_clmulepi64_si128(sum, loaded(folding->inverse), 0x01);
    product = _mm_clmulepi64_si128(product, loaded(folding->polynomial), 0x00);
    return ((uint64_t)_mm_extract_epi64(sum, 1) >> (64 - width)) ^ (uint64_t)_mm_extract_epi64(product, 1);
}

/* 1 to 15 bytes, in the last places of a block. */
FOLDS __m128i padded(const uint8_t *data, size_t length) {
    uint64_t first = 0, last = 0;
    if (length >= 8) {
        __builtin_memcpy(&last, data + length - 8, 8);
        if (length > 8) {
            __builtin_memcpy(&first, data, 8);
            first <<= 8 * (16 - length);
        }
    } else if (length >= 4) {
        uint32_t begin, end;
        __builtin_memcpy(&begin, data, 4);
        __builtin_memcpy(&end, data + length - 4, 4);
        last = (uint64_t)begin << 8 * (8 - length) | (uint64_t)end << 32;
    } else {
        size_t i;
        for (i = 0; i < length; i++)
            last |= (uint64_t)data[i] << 8 * (8 - length + i);
    }
    return _mm_set_epi64x((long long)last, (long long)first);
}

/* The checksum's register after 1 to FOLDED_BYTES bytes; `start` is the register before. */
FOLDS uint64_t folded(const uint8_t *data, size_t length, uint32_t start, const Folding *folding, int width) {
    __m128i first = _mm_cvtsi32_si128((int)start), sum;
    size_t blocks = length / 16, odd = length % 16;
    uint64_t rest = 0;
    if (length < 16) {
        sum = _mm_xor_si128(padded(data, length), _mm_shuffle_epi8(first, loaded(shifts + length)));
        sum = times(sum, folding->behind[0]);
        if (length < 4)
            rest = start >> 8 * length;
    } else {
        sum = _mm_setzero_si128();
        if (odd) {
            sum = times(_mm_shuffle_epi8(_mm_xor_si128(loaded(data), first), loaded(shifts + odd)),
                        folding->behind[blocks]);
            first = _mm_shuffle_epi8(first, loaded(shifts + 16 + odd));
            data += odd;
        }
        blocks--;
        sum = _mm_xor_si128(sum, times(_mm_xor_si128(loaded(data), first), folding->behind[blocks]));
        while (blocks > 0) {
            blocks--;
            data += 16;
            sum = _mm_xor_si128(sum, times(loaded(data), folding->behind[blocks]));
        }
    }
    return rest ^ reduced(sum, folding, width);
}

FOLDS_WIDE __m512i wide_times(__m512i blocks, const uint64_t *powers) {
    __m512i both = _mm512_loadu_si512(powers);
    return _mm512_xor_si512(_mm512_clmulepi64_epi128(blocks, both, 0x00), _mm512_clmulepi64_epi128(blocks, both, 0x11));
}

/* The same, four blocks with one instruction. What is missing to 64 bytes is zeros in front that are never read. */
FOLDS_WIDE uint64_t folded_wide(const uint8_t *data, size_t length, uint32_t start, const Folding *folding, int width) {
    __m128i sum, start_word;
    __m512i wide = _mm512_setzero_si512();
    __m256i half;
    size_t odd = length % 64, blocks = length / 64 * 4;
    if (odd) {
        __mmask64 present = ~(uint64_t)0 << (64 - odd);
        wide = wide_times(_mm512_maskz_loadu_epi8(present, data - (64 - odd)),
                          folding->descending[FOLDED_BLOCKS - 4 - blocks]);
        data += odd;
    }
    while (blocks > 0) {
        blocks -= 4;
        wide = _mm512_xor_si512(
            wide, wide_times(_mm512_loadu_si512(data), folding->descending[FOLDED_BLOCKS - 4 - blocks]));
        data += 64;
    }
    half = _mm256_xor_si256(_mm512_castsi512_si256(wide), _mm512_extracti64x4_epi64(wide, 1));
    sum = _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    if (start == all_ones(width)) /* nearly always: what goes on where another call ended is rare */
        return reduced(sum, folding, width) ^ folding->of_zeros[length];
    start_word = _mm_cvtsi64_si128((long long)((uint64_t)start << (64 - width)));
    sum = _mm_xor_si128(
        sum, _mm_clmulepi64_si128(start_word, _mm_cvtsi64_si128((long long)folding->behind_start[length]), 0x00));
    return reduced(sum, folding, width);
}

#define IN_PIECES(piece, folding, width)                                                                               \
    while (length > FOLDED_BYTES) {                                                                                    \
        value = (uint32_t)piece(data, FOLDED_BYTES, value, folding, width);                                            \
        data += FOLDED_BYTES;                                                                                          \
        length -= FOLDED_BYTES;                                                                                        \
    }                                                                                                                  \
    if (length > 0)                                                                                                    \
        value = (uint32_t)piece(data, (size_t)length, value, folding, width);

#define FOLDED_CHECKSUMS(name16, name32, machine, piece)                                                               \
    __attribute__((target(machine))) static uint16_t name16(const uint8_t *data, ptrdiff_t length) {                   \
        uint32_t value = 0xFFFF;                                                                                       \
        if (length == 64)                                                                                              \
            return (uint16_t)piece(data, 64, 0xFFFF, &folding16, 16);                                                  \
        IN_PIECES(piece, &folding16, 16)                                                                               \
        return (uint16_t)value;                                                                                        \
    }                                                                                                                  \
    __attribute__((target(machine))) static uint32_t name32(uint32_t crc, const uint8_t *data, ptrdiff_t length) {     \
        uint32_t value = ~crc;                                                                                         \
        IN_PIECES(piece, &folding32, 32)                                                                               \
        return ~value;                                                                                                 \
    }

FOLDED_CHECKSUMS(crc16_by_folding, crc32_by_folding, FOLDING_MACHINE, folded)
FOLDED_CHECKSUMS(crc16_by_wide_folding, crc32_by_wide_folding, WIDE_MACHINE, folded_wide)

#else

static int machine_folds(void) {
    return 0;
}

static int machine_folds_wide(void) {
    return 0;
}

/* Never called. */
#define NO_CHECKSUMS(name16, name32)                                                                                   \
    static uint16_t name16(const uint8_t *data, ptrdiff_t length) {                                                    \
        (void)data, (void)length;                                                                                      \
        return 0;                                                                                                      \
    }                                                                                                                  \
    static uint32_t name32(uint32_t crc, const uint8_t *data, ptrdiff_t length) {                                      \
        (void)data, (void)length;                                                                                      \
        return crc;                                                                                                    \
    }

NO_CHECKSUMS(crc16_by_folding, crc32_by_folding)
NO_CHECKSUMS(crc16_by_wide_folding, crc32_by_wide_folding)
#endif

#endif
