/* gguf/bytes.h - little-endian numbers at any address
 *
 * Files are little-endian and so is every machine shoal runs on; a memcpy is the whole conversion
 * and makes no demand on alignment. */
#ifndef GGUF_BYTES_H
#define GGUF_BYTES_H

#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "GGUF is read as it lies in memory");

static inline uint16_t load_u16(const uint8_t *p)
{
    uint16_t x;

    memcpy(&x, p, sizeof x);
    return x;
}

static inline uint32_t load_u32(const uint8_t *p)
{
    uint32_t x;

    memcpy(&x, p, sizeof x);
    return x;
}

static inline uint64_t load_u64(const uint8_t *p)
{
    uint64_t x;

    memcpy(&x, p, sizeof x);
    return x;
}

static inline float load_f32(const uint8_t *p)
{
    float x;

    memcpy(&x, p, sizeof x);
    return x;
}

static inline double load_f64(const uint8_t *p)
{
    double x;

    memcpy(&x, p, sizeof x);
    return x;
}

static inline void store_u16(uint8_t *p, uint16_t x)
{
    memcpy(p, &x, sizeof x);
}

static inline void store_u32(uint8_t *p, uint32_t x)
{
    memcpy(p, &x, sizeof x);
}

#endif
