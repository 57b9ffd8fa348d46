/* kernels/tables.h - what each instruction set's folder gives to its kernel table
 *
 * The table functions (table.c of each folder) call these. The _ref functions fill every entry; the
 * others replace only the entries that they have something faster for. */
#ifndef KERNELS_TABLES_H
#define KERNELS_TABLES_H

#include "kernels/kernels.h"

void linear_init_ref(linear_func_t table[WEIGHT_TYPE_COUNT]);
void linear_init_avx2(linear_func_t table[WEIGHT_TYPE_COUNT]);
void linear_init_avxvnni(linear_func_t table[WEIGHT_TYPE_COUNT]);
void linear_init_avx512(linear_func_t table[WEIGHT_TYPE_COUNT]);
void linear_init_amx(linear_func_t table[WEIGHT_TYPE_COUNT]);

/* row_kernels.quantize, which lies in a file of its own beside the linear kernels. */
bool quantize_row_ref(const float *x, int32_t n, struct quantized_group *row);
bool quantize_row_avx2(const float *x, int32_t n, struct quantized_group *row);
bool quantize_row_avx512(const float *x, int32_t n, struct quantized_group *row);

/* Everything of row_kernels but quantize. */
void rows_init_ref(struct row_kernels *rows);
void rows_init_avx2(struct row_kernels *rows);
void rows_init_avx512(struct row_kernels *rows);

void ceiling_init_ref(struct ceiling_kernels *ceiling);
void ceiling_init_avx2(struct ceiling_kernels *ceiling);
void ceiling_init_avxvnni(struct ceiling_kernels *ceiling);
void ceiling_init_avx512(struct ceiling_kernels *ceiling);
void ceiling_init_amx(struct ceiling_kernels *ceiling);

void attention_init_ref(struct attention_kernels *attention);
void attention_init_avx2(struct attention_kernels *attention);
void attention_init_avx512(struct attention_kernels *attention);

#endif
