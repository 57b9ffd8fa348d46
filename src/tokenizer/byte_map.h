/* tokenizer/byte_map.h - the alphabet that byte-level BPE vocabularies are written in
 *
 * GPT-2 writes each byte as one printable character: 0x21-0x7e, 0xa1-0xac and 0xae-0xff stand for
 * themselves, the other 68 bytes, in order, are U+0100, U+0101, ... */
#ifndef TOKENIZER_BYTE_MAP_H
#define TOKENIZER_BYTE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BYTE_MAP_SIZE = 0x144 };

struct byte_map {
    int16_t byte_of[BYTE_MAP_SIZE]; /* by code point; -1: stands for no byte */
};

void byte_map_init(struct byte_map *m);

/* The n bytes of text in the alphabet to the bytes they stand for: at most n, written to out.
 * False, and *n_out undefined, when a character is not of the alphabet. */
bool byte_map_decode(const struct byte_map *m, const char *text, size_t n, char *out,
                     size_t *n_out);

#endif
