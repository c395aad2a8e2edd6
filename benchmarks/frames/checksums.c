/* Stand-ins for the product's CRC-16, to see what it costs: see other_checksum.py. */
#include <stddef.h>
#include <stdint.h>

static uint16_t table[256];

__attribute__((constructor)) static void fill(void) {
    for (int byte = 0; byte < 256; byte++) {
        uint16_t value = (uint16_t)byte;
        for (int bit = 0; bit < 8; bit++)
            value = (uint16_t)((value >> 1) ^ (value & 1 ? 0xA001 : 0));
        table[byte] = value;
    }
}

/* One byte a step, from one table. */
uint16_t byte_table(const uint8_t *data, ptrdiff_t length) {
    uint16_t crc = 0xFFFF;
    while (length-- > 0)
        crc = (uint16_t)((crc >> 8) ^ table[(crc ^ *data++) & 0xFF]);
    return crc;
}

/* Whatever the frame claims. */
uint16_t unchecked(const uint8_t *data, ptrdiff_t length) {
    return (uint16_t)(data[length] | data[length + 1] << 8);
}
