/* Eight realtime frames (0x13) to eight rows of columns at once, on processors that permute bytes in wide registers.
 *
 * All fields of a frame but the two that the splitter finds lie in 64 bytes: from the sequence number, behind start and
 * length, to the end of the table. One permutation puts them in order, the widest first and each as the machine reads
 * it; eight such registers are turned around so that a register holds the same eight bytes of all frames, and one more
 * permutation parts those of narrower fields.
 */
#ifndef PILESTREAM_TRANSPOSING_H
#define PILESTREAM_TRANSPOSING_H

#include <stddef.h>
#include <stdint.h>

#define ROWS_AT_ONCE 8

/* Where the columns are; each is as wide as its field. */
typedef struct {
    uint64_t *trade_hi, *trade_lo, *frame_pile, *cable_id;
    uint32_t *energy_e4kwh, *loss_energy_e4kwh, *amount_e4yuan;
    uint16_t *seq, *voltage_dv, *current_da, *charge_minutes, *remain_minutes, *fault_bits;
    uint8_t *checksum_order, *gun_bcd, *state, *gun_home, *plugged, *cable_temp_raw, *soc, *battery_temp_raw, *exact;
} RealtimePointers;

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>

#define TRANSPOSING_MACHINE "avx2,avx512f,avx512bw,avx512vl,avx512vbmi"
#define TRANSPOSES static inline __attribute__((target(TRANSPOSING_MACHINE), always_inline))

static inline int machine_transposes(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi");
}

/* Where each byte is found, counted from the sequence number; the body begins at 4. Numbers of digits come highest
 * byte first, all others lowest first. */
static const uint8_t field_order[64] = {
    11, 10, 9,  8,  7,  6,  5,  4,  /* trade_hi */
    19, 18, 17, 16, 15, 14, 13, 12, /* trade_lo */
    26, 25, 24, 23, 22, 21, 20, 0,  /* frame_pile: seven bytes */
    43, 42, 41, 40, 39, 38, 37, 36, /* cable_id */
    50, 51, 52, 53, 54, 55, 56, 57, /* energy, loss energy */
    58, 59, 60, 61, 0,  1,  31, 32, /* amount, seq, voltage */
    33, 34, 46, 47, 48, 49, 62, 63, /* current, charge minutes, remaining minutes, fault bits */
    27, 28, 29, 30, 35, 44, 45, 0,  /* gun, state, gun home, plugged, cable temperature, soc, battery temperature */
};
#define FIELD_BYTES 0x7FFFFFFFFF7FFFFFull /* without the two places that are left over */

/* Of eight times eight bytes: the first four of all, then the second four. */
static const uint8_t words_apart[64] = {
    0,  1,  2,  3,  8,  9,  10, 11, 16, 17, 18, 19, 24, 25, 26, 27,
    32, 33, 34, 35, 40, 41, 42, 43, 48, 49, 50, 51, 56, 57, 58, 59,
    4,  5,  6,  7,  12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31,
    36, 37, 38, 39, 44, 45, 46, 47, 52, 53, 54, 55, 60, 61, 62, 63,
};
/* The first four, then the next two, then the last two. */
static const uint8_t word_and_shorts_apart[64] = {
    0,  1,  2,  3,  8,  9,  10, 11, 16, 17, 18, 19, 24, 25, 26, 27,
    32, 33, 34, 35, 40, 41, 42, 43, 48, 49, 50, 51, 56, 57, 58, 59,
    4,  5,  12, 13, 20, 21, 28, 29, 36, 37, 44, 45, 52, 53, 60, 61,
    6,  7,  14, 15, 22, 23, 30, 31, 38, 39, 46, 47, 54, 55, 62, 63,
};
static const uint8_t shorts_apart[64] = {
    0,  1,  8,  9,  16, 17, 24, 25, 32, 33, 40, 41, 48, 49, 56, 57,
    2,  3,  10, 11, 18, 19, 26, 27, 34, 35, 42, 43, 50, 51, 58, 59,
    4,  5,  12, 13, 20, 21, 28, 29, 36, 37, 44, 45, 52, 53, 60, 61,
    6,  7,  14, 15, 22, 23, 30, 31, 38, 39, 46, 47, 54, 55, 62, 63,
};
static const uint8_t bytes_apart[64] = {
    0,  8,  16, 24, 32, 40, 48, 56, 1,  9,  17, 25, 33, 41, 49, 57,
    2,  10, 18, 26, 34, 42, 50, 58, 3,  11, 19, 27, 35, 43, 51, 59,
    4,  12, 20, 28, 36, 44, 52, 60, 5,  13, 21, 29, 37, 45, 53, 61,
    6,  14, 22, 30, 38, 46, 54, 62, 7,  15, 23, 31, 39, 47, 55, 63,
};

TRANSPOSES __m512i parted(__m512i bytes, const uint8_t *order) {
    return _mm512_permutexvar_epi8(_mm512_loadu_si512(order), bytes);
}

TRANSPOSES void store_quarter(uint16_t *to, __m128i shorts) {
    _mm_storeu_si128((__m128i *)to, shorts);
}

/* `frames` are whole realtime frames of 68 bytes and more; their orders and whether they are exact are not written. */
__attribute__((target(TRANSPOSING_MACHINE))) static inline void put_eight(const RealtimePointers *to, ptrdiff_t i,
                                                                          const uint8_t *const *frames) {
    const __m512i order = _mm512_loadu_si512(field_order);
    __m512i row[ROWS_AT_ONCE], pair[ROWS_AT_ONCE], four[ROWS_AT_ONCE], narrow;
    uint64_t bytes[8];
    int r;
    for (r = 0; r < ROWS_AT_ONCE; r++)
        row[r] = _mm512_maskz_permutexvar_epi8(FIELD_BYTES, order, _mm512_loadu_si512(frames[r] + 2));
    for (r = 0; r < ROWS_AT_ONCE; r += 2) { /* places of even number in pair[r], of odd number in pair[r + 1] */
        pair[r] = _mm512_unpacklo_epi64(row[r], row[r + 1]);
        pair[r + 1] = _mm512_unpackhi_epi64(row[r], row[r + 1]);
    }
    for (r = 0; r < 2; r++) { /* places r, r + 4, then r + 2, r + 6: of rows 0 to 3, then of rows 4 to 7 */
        four[r] = _mm512_shuffle_i64x2(pair[r], pair[r + 2], 0x88);
        four[r + 2] = _mm512_shuffle_i64x2(pair[r], pair[r + 2], 0xDD);
        four[r + 4] = _mm512_shuffle_i64x2(pair[r + 4], pair[r + 6], 0x88);
        four[r + 6] = _mm512_shuffle_i64x2(pair[r + 4], pair[r + 6], 0xDD);
    }
    _mm512_storeu_si512(to->trade_hi + i, _mm512_shuffle_i64x2(four[0], four[4], 0x88));
    _mm512_storeu_si512(to->trade_lo + i, _mm512_shuffle_i64x2(four[1], four[5], 0x88));
    _mm512_storeu_si512(to->frame_pile + i, _mm512_shuffle_i64x2(four[2], four[6], 0x88));
    _mm512_storeu_si512(to->cable_id + i, _mm512_shuffle_i64x2(four[3], four[7], 0x88));

    narrow = parted(_mm512_shuffle_i64x2(four[0], four[4], 0xDD), words_apart);
    _mm256_storeu_si256((__m256i *)(to->energy_e4kwh + i), _mm512_castsi512_si256(narrow));
    _mm256_storeu_si256((__m256i *)(to->loss_energy_e4kwh + i), _mm512_extracti64x4_epi64(narrow, 1));
    narrow = parted(_mm512_shuffle_i64x2(four[1], four[5], 0xDD), word_and_shorts_apart);
    _mm256_storeu_si256((__m256i *)(to->amount_e4yuan + i), _mm512_castsi512_si256(narrow));
    store_quarter(to->seq + i, _mm512_extracti32x4_epi32(narrow, 2));
    store_quarter(to->voltage_dv + i, _mm512_extracti32x4_epi32(narrow, 3));
    narrow = parted(_mm512_shuffle_i64x2(four[2], four[6], 0xDD), shorts_apart);
    store_quarter(to->current_da + i, _mm512_castsi512_si128(narrow));
    store_quarter(to->charge_minutes + i, _mm512_extracti32x4_epi32(narrow, 1));
    store_quarter(to->remain_minutes + i, _mm512_extracti32x4_epi32(narrow, 2));
    store_quarter(to->fault_bits + i, _mm512_extracti32x4_epi32(narrow, 3));
    _mm512_storeu_si512(bytes, parted(_mm512_shuffle_i64x2(four[3], four[7], 0xDD), bytes_apart));
    __builtin_memcpy(to->gun_bcd + i, bytes, 8);
    __builtin_memcpy(to->state + i, bytes + 1, 8);
    __builtin_memcpy(to->gun_home + i, bytes + 2, 8);
    __builtin_memcpy(to->plugged + i, bytes + 3, 8);
    __builtin_memcpy(to->cable_temp_raw + i, bytes + 4, 8);
    __builtin_memcpy(to->soc + i, bytes + 5, 8);
    __builtin_memcpy(to->battery_temp_raw + i, bytes + 6, 8);
}

#else

static inline int machine_transposes(void) {
    return 0;
}

/* Never called. */
static inline void put_eight(const RealtimePointers *to, ptrdiff_t i, const uint8_t *const *frames) {
    (void)to, (void)i, (void)frames;
}
#endif

#endif
