#include "kv/store.h"

#include "support/present.h"
#include "support/suite.h"

#include <string.h>

START_TEST(strides)
{
    static const struct {
        struct kv_store_options options;
        size_t block_bytes; /* over all layers */
    } table[] = {
        /* layers, blocks, tokens, heads, head_dim: K and V */
        {{KV_F32, 2, 5, 16, 3, 64, 0}, (size_t)2 * 3 * 16 * 64 * 4 * 2},
        {{KV_F16, 2, 5, 16, 3, 64, 0}, (size_t)2 * 3 * 16 * 64 * 2 * 2},
        {{KV_BF16, 1, 9, 8, 1, 2, 0}, (size_t)1 * 1 * 8 * 2 * 2 * 2},
        {{KV_Q8_0, 4, 7, 32, 2, 96, 0}, (size_t)4 * 2 * 32 * (96 + 3 * 2) * 2},
        /* rows of their own: the type says nothing, and so nothing of the head's size */
        {{KV_F16, 2, 5, 16, 3, 64, 1}, (size_t)2 * 3 * 16 * 1 * 2},
        {{KV_Q8_0, 4, 7, 32, 2, 48, 27}, (size_t)4 * 2 * 32 * 27 * 2},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct kv_store s;
        const size_t n_blocks = (size_t)table[i].options.n_blocks;

        ck_assert_uint_eq(kv_store_block_bytes(&table[i].options), table[i].block_bytes);
        ck_assert_int_eq(kv_store_init(&s, &table[i].options, NULL), SHOAL_OK);
        ck_assert_uint_eq(s.n_bytes, n_blocks * table[i].block_bytes);
        ck_assert_uint_eq(s.layer_bytes, n_blocks * s.block_bytes);
        ck_assert_uint_eq(s.block_bytes, s.head_bytes * (size_t)table[i].options.n_head_kv);
        ck_assert_ptr_eq(kv_store_layer(&s, 0), s.bytes);
        kv_store_fini(&s);
        kv_store_fini(&s);
    }
}
END_TEST

START_TEST(options_out_of_range)
{
    static const struct kv_store_options table[] = {
        {KV_DTYPE_COUNT, 1, 1, 16, 1, 64, 0},
        {KV_F32, 0, 1, 16, 1, 64, 0},
        {KV_F32, -1, 1, 16, 1, 64, 0},
        {KV_F32, 1, 1, 12, 1, 64, 0},
        {KV_F32, 1, 1, 256, 1, 64, 0},
        {KV_F32, 1, 1, 16, 0, 64, 0},
        {KV_F32, 1, 1, 16, 1, 0, 0},
        {KV_F32, 1, 1, 16, 1, 63, 0},
        {KV_Q8_0, 1, 1, 16, 1, 48, 0},
        {KV_F32, INT32_MAX, 1, 128, INT32_MAX, 2147483646, 0}, /* overflow */
        {KV_F32, 1, 1, 16, 1, 64, SIZE_MAX / 16},
        {KV_F32, 1, 1, 16, 4, 64, SIZE_MAX / 64},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct kv_store s;
        struct shoal_error err;

        ck_assert_uint_eq(kv_store_block_bytes(&table[i]), 0);
        ck_assert_int_eq(kv_store_init(&s, &table[i], &err), SHOAL_E_INVALID);
        ck_assert_msg(strstr(err.text, "KV pool"), "%s", err.text);
        ck_assert_ptr_null(s.bytes);
        kv_store_fini(&s);
    }

    /* One block can be had; so many cannot be counted, or not be mapped. */
    struct kv_store_options many = {KV_F32, 1 << 20, 1, 128, 1 << 10, 1 << 10, 0};
    struct kv_store s;
    ck_assert_uint_ne(kv_store_block_bytes(&many), 0);
    many.n_blocks = INT32_MAX;
    ck_assert_int_ne(kv_store_init(&s, &many, NULL), SHOAL_OK);
    ck_assert_ptr_null(s.bytes);
}
END_TEST

START_TEST(a_copy_takes_all_layers_and_nothing_else)
{
    const struct kv_store_options options = {KV_Q8_0, 3, 4, 8, 2, 32, 0};
    struct kv_store s;

    ck_assert_int_eq(kv_store_init(&s, &options, NULL), SHOAL_OK);
    for (size_t i = 0; i < s.n_bytes; i++)
        s.bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    kv_store_copy(&s, 3, 1);
    for (int32_t il = 0; il < options.n_layer; il++) {
        for (size_t i = 0; i < s.layer_bytes; i++) {
            const size_t block = i / s.block_bytes;
            const size_t from = block == 1 ? i + 2 * s.block_bytes : i;
            const size_t source = (size_t)il * s.layer_bytes + from;

            ck_assert_uint_eq(kv_store_layer(&s, il)[i], (uint8_t)(source * 2654435761u >> 13));
        }
    }
    kv_store_fini(&s);
}
END_TEST

START_TEST(rows_stand_side_by_side)
{
    const struct kv_store_options options = {KV_F16, 2, 3, 8, 2, 32, 5};
    struct kv_store s;
    uint8_t *expected;

    ck_assert_int_eq(kv_store_init(&s, &options, NULL), SHOAL_OK);
    expected = s.bytes;
    for (int32_t il = 0; il < 2; il++)
        for (int32_t block = 0; block < 3; block++)
            for (int32_t head = 0; head < 2; head++, expected += 2 * 8 * 5)
                for (int32_t slot = 0; slot < 8; slot++) {
                    const struct kv_row row = kv_store_row(&s, il, block, head, slot);
                    ck_assert_ptr_eq(row.k, expected + 5 * slot);
                    ck_assert_ptr_eq(row.v, expected + 5 * (8 + slot));
                }
    ck_assert_ptr_eq(expected, s.bytes + s.n_bytes);
    kv_store_fini(&s);
}
END_TEST

START_TEST(a_populated_pool_is_present_and_zero)
{
    static const struct kv_store_options table[] = {
        {KV_F16, 3, 100, 16, 2, 64, 0},
        {KV_Q8_0, 1, 1, 8, 1, 32, 0},
        {KV_F16, 2, 301, 8, 2, 32, 5},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct kv_store s;

        ck_assert_int_eq(kv_store_init(&s, &table[i], NULL), SHOAL_OK);
        ck_assert_uint_eq(pages_present(s.bytes, s.n_bytes), 0);
        ck_assert(kv_store_populate(&s));
        ck_assert_uint_eq(pages_present(s.bytes, s.n_bytes), pages_of(s.n_bytes));
        ck_assert_uint_eq(bytes_not_zero(s.bytes, s.n_bytes), 0);
        kv_store_fini(&s);
    }
}
END_TEST

SUITE("kv/store", strides, options_out_of_range, a_copy_takes_all_layers_and_nothing_else,
      rows_stand_side_by_side, a_populated_pool_is_present_and_zero)
